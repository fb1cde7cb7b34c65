"""Sign-up from a poster: two short forms, a verification code, the access code.

The form's token lives in the session cookie, which is set when the form is opened and not before.
Each page also carries a key made from it, so that a form left open in another tab, or by somebody
else on the same device, is not taken for this one.
"""

import secrets
from collections.abc import Sequence
from hmac import compare_digest

from flask import (
    Blueprint,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from orchestrator.services.ports.library import Asked, Commune, IssuedCode, Signup
from orchestrator.services.ports.placements import Placement
from orchestrator.services.signups import SOURCE, Checked, Choices, Start
from schemas.keys import keyed_digest
from web.citizen.forms import (
    ContactForm,
    PostalCodeForm,
    ResendForm,
    StartForm,
    VerificationForm,
    choices_of,
)
from web.citizen.services import CitizenServices
from web.layout import languages
from web.layout.addresses import as_read
from web.layout.network import client_network

_RELOADS = 15


def add_pages(blueprint: Blueprint, services: CitizenServices) -> None:
    """Add the pages of the sign-up, in the order a person meets them."""
    pages = _Pages(services)
    blueprint.add_url_rule("/inscription", view_func=pages.without_poster)
    blueprint.add_url_rule("/inscription/<token>", view_func=pages.start)
    blueprint.add_url_rule("/inscription/<token>", view_func=pages.started, methods=["POST"])
    blueprint.add_url_rule("/inscription/contact", view_func=pages.contact)
    blueprint.add_url_rule("/inscription/contact", view_func=pages.asked, methods=["POST"])
    blueprint.add_url_rule("/inscription/verification", view_func=pages.verification)
    blueprint.add_url_rule("/inscription/verification", view_func=pages.verified, methods=["POST"])
    blueprint.add_url_rule("/inscription/renvoi", view_func=pages.resent, methods=["POST"])
    blueprint.add_url_rule("/inscription/renvoi", view_func=pages.back_to_verification)
    blueprint.add_url_rule("/inscription/resultat", view_func=pages.result)


class _Pages:
    """The views; each returns a page or sends the reader to the next one."""

    def __init__(self, services: CitizenServices) -> None:
        self._services = services

    def without_poster(self) -> ResponseReturnValue:
        """Take the code printed on a poster, for those who cannot scan it."""
        typed = request.args.get("affiche", "").strip()
        if typed:
            return redirect(url_for("citizen.landing", token=typed[:40]), 303)
        return render_template(
            "citizen/without_poster.html", form_finder=PostalCodeForm(formdata=None)
        )

    def start(self, token: str) -> ResponseReturnValue:
        """Open the form: from here on there is a session cookie."""
        placement = self._placement(token)
        if placement is None:
            return redirect(url_for("citizen.landing", token=token), 303)
        signup = self._open_signup() if "corriger" in request.args else None
        form = StartForm()
        if signup is not None and signup.verified_at is None:
            form.age.data = signup.body["age_band"]
            form.code_postal.data = signup.body["postal_code"]
        else:
            session["signup"] = secrets.token_urlsafe(32)
        return self._start_page(form, placement, 200)

    def started(self, token: str) -> ResponseReturnValue:
        """Take the first answers; under fifteen, a parent comes along to the library."""
        placement = self._placement(token)
        if placement is None:
            return redirect(url_for("citizen.landing", token=token), 303)
        form = StartForm()
        if not form.validate():
            return self._start_page(form, placement, 422)
        if not _is_this_form(form.form_key.data):
            return self._expired()
        communes = self._services.places.communes_of(str(form.code_postal.data))
        if not communes:
            form.code_postal.errors = [_("Ce code postal n'est pas connu ici. Vérifiez-le.")]
            return self._start_page(form, placement, 422)
        if form.age.data == "under_15":
            return self._with_a_parent(communes)
        if not any(commune.is_served for commune in communes):
            return self._not_served(communes)
        start = Start(
            placement=placement.token,
            language=languages.current().tag,
            age_band=str(form.age.data),
            postal_code=str(form.code_postal.data),
        )
        self._services.signups.start(session["signup"], start)
        return redirect(url_for("citizen.contact"), 303)

    def contact(self) -> ResponseReturnValue:
        """Ask where the code goes, and offer what may be wished on top."""
        signup = self._open_signup()
        if signup is None:
            return self._expired()
        if signup.verified_at is not None:
            return redirect(url_for("citizen.result"), 303)
        form = ContactForm()
        _fill(form, signup)
        return self._contact_page(form, signup, 200)

    def asked(self) -> ResponseReturnValue:
        """Take the second answers and have a verification code sent."""
        signup = self._open_signup()
        if signup is None:
            return self._expired()
        form = ContactForm()
        communes = self._served(signup)
        form.commune.choices = choices_of((commune.code, commune.name) for commune in communes)
        if not form.validate():
            return self._contact_page(form, signup, 422)
        if not _is_this_form(form.form_key.data):
            return self._expired()
        choices = Choices(
            commune=str(form.commune.data),
            channel=str(form.channel.data),
            address=form.address,
            person=form.person,
            interests=form.chosen_interests,
            notice=self._services.signups.notice(languages.current().tag),
        )
        outcome = self._services.signups.ask(signup, choices, network=client_network())
        if outcome is Asked.SENT:
            return redirect(url_for("citizen.verification"), 303)
        field = form.phone if form.channel.data == "sms" else form.email
        field.errors = [_not_sent(outcome)]
        return self._contact_page(form, signup, 429)

    def verification(self) -> ResponseReturnValue:
        """Ask for the six digits."""
        signup = self._open_signup()
        if signup is None:
            return self._expired()
        if signup.verified_at is not None:
            return redirect(url_for("citizen.result"), 303)
        if "contact" not in signup.body:
            return redirect(url_for("citizen.contact"), 303)
        return self._verification_page(VerificationForm(), signup, 200)

    def verified(self) -> ResponseReturnValue:
        """Compare the digits."""
        signup = self._open_signup()
        if signup is None:
            return self._expired()
        if "contact" not in signup.body:
            return redirect(url_for("citizen.contact"), 303)
        form = VerificationForm()
        if not form.validate():
            return self._verification_page(form, signup, 422)
        outcome = self._services.signups.check(signup, str(form.code.data))
        if outcome is Checked.VERIFIED:
            return redirect(url_for("citizen.result"), 303)
        form.code.data = ""
        form.code.errors = [_not_verified(outcome)]
        return self._verification_page(form, signup, 422)

    def resent(self) -> ResponseReturnValue:
        """Send another code to the same contact."""
        signup = self._open_signup()
        if signup is None:
            return self._expired()
        if "contact" not in signup.body:
            return redirect(url_for("citizen.contact"), 303)
        form = VerificationForm(formdata=None)
        if not ResendForm().validate():
            return self._verification_page(form, signup, 422)
        outcome = self._services.signups.ask_again(signup, network=client_network())
        if outcome is Asked.SENT:
            return redirect(url_for("citizen.verification", renvoi=1), 303)
        form.code.errors = [_not_sent(outcome)]
        return self._verification_page(form, signup, 429)

    def back_to_verification(self) -> ResponseReturnValue:
        """Lead on whoever reloads the address of the button."""
        return redirect(url_for("citizen.verification"), 303)

    def result(self) -> ResponseReturnValue:
        """Show the access code as soon as the hub has issued it."""
        signup = self._open_signup()
        if signup is None:
            return self._expired()
        if signup.verified_at is None:
            return redirect(url_for("citizen.verification"), 303)
        found = self._wait_for_code(signup)
        channel = signup.body["contact"]["channel"]
        if found is None:
            return self._not_yet(channel)
        code, issued = found
        return render_template(
            "citizen/result.html",
            code=code,
            issued=issued,
            channel=channel,
            has_named_library="person" in signup.body,
            card=self._services.city(),
            placement=signup.placement,
        )

    def _wait_for_code(self, signup: Signup) -> tuple[str, IssuedCode] | None:
        find = self._services.access_codes.issued_for
        steps = max(1, round(self._services.result_wait_seconds / 0.1))
        for step in range(steps):
            found = find(SOURCE, str(signup.id))
            if found is not None:
                return found
            if step == 0:
                self._services.signups.register(signup)  # in case the last page was cut off
            self._services.sleep(0.1)
        return None

    def _not_yet(self, channel: str) -> ResponseReturnValue:
        done = request.args.get("essai", 0, type=int)
        response = make_response(render_template("citizen/not_yet.html", channel=channel))
        if done < _RELOADS:
            again = url_for("citizen.result", essai=done + 1)
            response.headers["Refresh"] = f"2; url={again}"
        return response

    def _placement(self, token: str) -> Placement | None:
        return self._services.placements.look_up(token).placement

    def _open_signup(self) -> Signup | None:
        return self._services.signups.find(session.get("signup"))

    def _served(self, signup: Signup) -> Sequence[Commune]:
        communes = self._services.places.communes_of(signup.body["postal_code"])
        return [commune for commune in communes if commune.is_served]

    def _start_page(
        self, form: StartForm, placement: Placement, status: int
    ) -> ResponseReturnValue:
        session.setdefault("signup", secrets.token_urlsafe(32))
        form.form_key.data = _form_key()
        return render_template("citizen/start.html", form=form, placement=placement), status

    def _contact_page(self, form: ContactForm, signup: Signup, status: int) -> ResponseReturnValue:
        communes = self._served(signup)
        first = [] if len(communes) == 1 else [("", _("Choisissez…"))]
        named = [(commune.code, commune.name) for commune in communes]
        form.commune.choices = choices_of(first + named)
        form.form_key.data = _form_key()
        page = render_template(
            "citizen/contact.html",
            form=form,
            signup=signup,
            communes=communes,
            notice=self._services.signups.notice(languages.current().tag),
        )
        return page, status

    def _verification_page(
        self, form: VerificationForm, signup: Signup, status: int
    ) -> ResponseReturnValue:
        page = render_template(
            "citizen/verification.html",
            form=form,
            resend=ResendForm(formdata=None),
            contact=signup.body["contact"],
            wait=self._services.signups.may_ask_again_in(signup),
            is_resent="renvoi" in request.args and status == 200,
        )
        return page, status

    def _with_a_parent(self, communes: Sequence[Commune]) -> ResponseReturnValue:
        near = self._services.places.libraries_near(communes[0].code, most=3)
        return render_template("citizen/with_a_parent.html", libraries_found=near)

    def _not_served(self, communes: Sequence[Commune]) -> ResponseReturnValue:
        near = self._services.places.libraries_near(communes[0].code, most=3)
        return render_template("citizen/not_served.html", libraries_found=near)

    def _expired(self) -> Response:
        page = render_template("citizen/expired.html", form_finder=PostalCodeForm(formdata=None))
        return make_response(page, 409)


def _form_key() -> str:
    key = current_app.config["SECRET_KEY"]
    return keyed_digest(key, b"form", session["signup"].encode()).hex()[:32]


def _is_this_form(typed: str | None) -> bool:
    return "signup" in session and compare_digest(_form_key().encode(), (typed or "").encode())


def _fill(form: ContactForm, signup: Signup) -> None:
    """Show again what was already answered."""
    contact = signup.body.get("contact")
    if contact:
        form.commune.data = signup.body["commune"]
        form.channel.data = contact["channel"]
        target = form.phone if contact["channel"] == "sms" else form.email
        target.data = as_read(contact["address"])
    person = signup.body.get("person")
    if person:
        form.with_library.data = True
        form.family_name.data = person["family_name"]
        form.given_name.data = person["given_name"]
    if signup.body.get("interests"):
        form.with_interests.data = True
        form.interests.data = list(signup.body["interests"])


def _not_sent(outcome: Asked) -> str:
    if outcome is Asked.TOO_SOON:
        return str(_("Un code vient de partir. Attendez 30 secondes avant d'en demander un autre."))
    return str(
        _("Trop de codes ont été demandés. Réessayez dans une heure, ou passez à la bibliothèque.")
    )


def _not_verified(outcome: Checked) -> str:
    match outcome:
        case Checked.TOO_LATE:
            return str(_("Ce code a plus de 10 minutes. Demandez-en un autre."))
        case Checked.NO_MORE_TRIES:
            return str(_("Trop d'essais avec ce code. Demandez-en un autre."))
        case _other:
            return str(_("Ce n'est pas le code envoyé. Vérifiez les 6 chiffres."))
