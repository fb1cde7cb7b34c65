"""A library card joined to Mon espace: its number and the password that the library checks."""

from typing import Final

from flask import Blueprint, Response, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from orchestrator.services.library_cards import CardOutcome, TypedCard
from web.citizen.departures import prove_first, sign_in_first
from web.citizen.forms import CardForm, choices_of
from web.citizen.services import CitizenServices
from web.layout.network import client_network
from web.layout.saml_views import Doorway

_STATUSES: Final = {CardOutcome.TOO_MANY_TRIES: 429, CardOutcome.UNAVAILABLE: 503}


def add_pages(blueprint: Blueprint, services: CitizenServices) -> None:
    """Add the page of a card; it asks for a session first."""
    doorway = Doorway(sign_in=services.sign_in)

    @blueprint.get("/mon-espace/carte")
    def space_card() -> ResponseReturnValue:
        session = doorway.session()
        if session is None:
            return sign_in_first("citizen.space_card")
        return _page(_form(services), 200)

    @blueprint.post("/mon-espace/carte")
    def space_link_card() -> ResponseReturnValue:
        session = doorway.session()
        if session is None:
            return sign_in_first("citizen.space_card")
        form = _form(services)
        if not form.validate():
            return _page(form, 422)
        card = TypedCard(
            service_id=str(form.library.data),
            number="".join(str(form.number.data).split()),
            password=str(form.password.data),
        )
        outcome = services.cards.link(card, session=session, network=client_network())
        if outcome is CardOutcome.LINKED:
            return redirect(url_for("citizen.space", carte="reliee"), 303)
        if outcome is CardOutcome.NOT_PROVED_ENOUGH:
            return prove_first(session, "citizen.space_card")
        if outcome is CardOutcome.UNDER_REVIEW:
            return render_template("citizen/card_under_review.html")
        form.number.errors = [_sentence(outcome)]
        return _page(form, _STATUSES.get(outcome, 422))


def _form(services: CitizenServices) -> CardForm:
    form = CardForm()
    form.library.choices = choices_of((each.id, each.name) for each in services.cards.offered())
    return form


def _page(form: CardForm, status: int) -> Response:
    form.password.data = ""
    page = render_template(
        "citizen/space_card.html",
        form=form,
        is_offered=bool(form.library.choices),
    )
    response = make_response(page, status)
    if status in {429, 503}:
        response.headers["Retry-After"] = "3600" if status == 429 else "60"
    return response


def _sentence(outcome: CardOutcome) -> str:
    """Return what became of a typed card, and what to do."""
    if outcome is CardOutcome.TOO_MANY_TRIES:
        return str(
            _(
                "Trop d'essais. Réessayez dans une heure, ou demandez à l'accueil de la bibliothèque."
            )
        )
    if outcome is CardOutcome.UNAVAILABLE:
        return str(
            _("La bibliothèque ne répond pas pour l'instant. Réessayez dans quelques minutes.")
        )
    if outcome is CardOutcome.EXPIRED:
        return str(
            _("Le mot de passe de cette carte a expiré. La bibliothèque vous en donne un autre.")
        )
    if outcome is CardOutcome.ALREADY_THERE:
        return str(
            _(
                "Vous avez déjà une autre inscription dans cette bibliothèque. L'accueil peut réunir les deux."
            )
        )
    return str(
        _(
            "Cette carte et ce mot de passe ne vont pas ensemble. Vérifiez-les, ou demandez à l'accueil."
        )
    )
