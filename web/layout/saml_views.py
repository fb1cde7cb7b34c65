"""The SAML addresses of a face: our description, the answers of the realm, the ends of sessions.

Both faces have the same views with cookies of their own. The answer comes by a POST from another site, so
a cookie made for the trip alone (``SameSite=None``) ties it to the browser that left; it is exempt from the
forms' own token and from nothing else. Leaving by a form goes through a page that sends the browser on:
the policy of forms would stop a redirect to another site.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import (
    Blueprint,
    Response,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
)
from flask.typing import ResponseReturnValue

from orchestrator.services.ports.sign_in import Outcome, Session
from orchestrator.services.sign_in import Arrived, SignIn
from schemas.errors import MalformedError, SamlRefusedError
from schemas.logins import Binding, Departure, Face, Level, SamlMessage, SamlPurpose
from web.layout.network import client_network

TRIP_SECONDS: Final = 600
MOST_FORM_BYTES: Final = 512 * 1024
_COOKIES: Final = {
    Face.CITIZEN: ("parvis_session", "parvis_saml"),
    Face.CONSOLE: ("parvis_staff", "parvis_staff_saml"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorway:
    """One face's way in and out: its use cases and its cookies."""

    sign_in: SignIn

    @property
    def session_cookie(self) -> str:
        """Return the name of the cookie of a session, bound to https wherever there is https."""
        return _prefix() + _COOKIES[self.sign_in.face][0]

    @property
    def trip_cookie(self) -> str:
        """Return the name of the cookie that lasts for the trip to the realm and back."""
        return _prefix() + _COOKIES[self.sign_in.face][1]

    def session(self) -> Session | None:
        """Return the session of this request, or None."""
        return self.sign_in.session(request.cookies.get(self.session_cookie))

    def depart(
        self,
        purpose: SamlPurpose,
        *,
        return_path: str,
        session: Session | None = None,
        provider: str | None = None,
        level: Level = Level.DECLARED,
    ) -> Response:
        """Send the browser to the realm; raises IdentityUnavailableError when it cannot be reached."""
        browser = self.browser()
        departure = self.sign_in.begin(
            browser=browser,
            purpose=purpose,
            return_path=return_path,
            session=session,
            provider=provider,
            level=level,
        )
        return self.sent(departure, browser)

    def leave(self, session: Session, *, return_path: str) -> Response:
        """End a session here, then send the browser to end it at the realm."""
        browser = self.browser()
        departure = self.sign_in.leave(session, browser=browser, return_path=return_path)
        response = self.sent(departure, browser) if departure else sent_on(return_path)
        self.forget(response)
        return response

    def leave_realm(self, session: Session, *, return_path: str) -> Response:
        """End the session at the realm alone, so that somebody else may sign in there."""
        browser = self.browser()
        departure = self.sign_in.leave_realm(session, browser=browser, return_path=return_path)
        return self.sent(departure, browser) if departure else sent_on(return_path)

    def part(self, arrived: Arrived, *, return_path: str) -> Response:
        """End the realm's session behind an answer that opened none here, then go on."""
        browser = self.browser()
        departure = self.sign_in.part(arrived, browser=browser, return_path=return_path)
        return self.sent(departure, browser) if departure else _redirect(return_path)

    def browser(self) -> str:
        """Return what this browser is known by on its trips: two tabs are one browser."""
        known = request.cookies.get(self.trip_cookie, "")
        return known if 20 <= len(known) <= 64 and known.isascii() else secrets.token_urlsafe(24)

    def sent(self, departure: Departure, browser: str) -> Response:
        """Return the answer that sends the browser to the realm with its cookie for the trip."""
        response = sent_on(departure.url) if request.method == "POST" else _redirect(departure.url)
        response.set_cookie(
            self.trip_cookie,
            browser,
            max_age=TRIP_SECONDS,
            secure=_is_https(),
            httponly=True,
            samesite="None" if _is_https() else "Lax",
        )
        return response

    def keep(self, response: Response, cookie: str) -> None:
        """Give the browser the cookie of its session."""
        response.set_cookie(
            self.session_cookie, cookie, secure=_is_https(), httponly=True, samesite="Lax"
        )

    def forget(self, response: Response) -> None:
        """Take the cookie of a session away."""
        response.delete_cookie(
            self.session_cookie, secure=_is_https(), httponly=True, samesite="Lax"
        )


def add_saml(
    blueprint: Blueprint,
    doorway: Doorway,
    *,
    under_review: str,
    unproved: Callable[[str], str] | None = None,
) -> None:
    """Add the SAML addresses.

    ``under_review`` is the template for who must be looked at by a person; ``unproved`` returns the path
    of the page for who proved nothing yet, from where they wanted to go.
    """
    sign_in = doorway.sign_in

    @blueprint.get("/saml/metadata")
    def saml_metadata() -> ResponseReturnValue:
        response = Response(sign_in.metadata(), mimetype="application/samlmetadata+xml")
        response.headers["Cache-Control"] = "public, max-age=3600"
        return response

    @blueprint.post("/saml/acs")
    def saml_acs() -> ResponseReturnValue:
        try:
            arrived = sign_in.arrive(
                _posted("SAMLResponse"),
                browser=request.cookies.get(doorway.trip_cookie),
                network=client_network(),
            )
        except SamlRefusedError as error:
            return refused(error)
        if unproved is not None and arrived.outcome is Outcome.UNPROVED:
            return doorway.part(arrived, return_path=unproved(arrived.return_path))
        return _arrived(doorway, arrived, under_review)

    @blueprint.route("/saml/sls", methods=["GET", "POST"])
    def saml_sls() -> ResponseReturnValue:
        if _given("SAMLRequest"):
            try:
                return _redirect(sign_in.logout(_message("SAMLRequest"), network=client_network()))
            except SamlRefusedError as error:
                return refused(error)
        browser = request.cookies.get(doorway.trip_cookie)
        answer = _message("SAMLResponse")
        return _redirect(sign_in.logout_answered(answer, browser=browser, network=client_network()))


def refused(error: SamlRefusedError) -> Response:
    """Return the one neutral page for whatever is not trusted; the code stays with us."""
    page = render_template("layout/sign_in_refused.html", case=error.case)
    return make_response(page, error.status)


def sent_on(address: str) -> Response:
    """Return a page that sends the browser on at once, with a link for the slow ones."""
    response = make_response(render_template("layout/sent_on.html", address=address))
    response.headers["Refresh"] = f"0; url={address}"
    return response


def _arrived(doorway: Doorway, arrived: Arrived, under_review: str) -> Response:
    if arrived.outcome is Outcome.UNDER_REVIEW or arrived.cookie is None:
        return make_response(render_template(under_review), 200)
    response = _redirect(arrived.return_path)
    doorway.keep(response, arrived.cookie)
    return response


def _message(name: str) -> SamlMessage:
    if request.method == "POST":
        return _posted(name)
    text, relay = request.args.getlist(name), request.args.get("RelayState")
    if len(text) != 1:
        raise MalformedError
    query = request.query_string.decode("latin-1")
    return SamlMessage(binding=Binding.REDIRECT, text=text[0], relay_state=relay, query=query)


def _posted(name: str) -> SamlMessage:
    request.max_form_memory_size = request.max_content_length = MOST_FORM_BYTES
    text = request.form.getlist(name)
    if len(text) != 1 or not text[0]:
        raise MalformedError
    relay = request.form.get("RelayState")
    return SamlMessage(binding=Binding.POST, text=text[0], relay_state=relay)


def _given(name: str) -> bool:
    if request.method == "POST":
        request.max_form_memory_size = request.max_content_length = MOST_FORM_BYTES
        return name in request.form
    return name in request.args


def _redirect(address: str) -> Response:
    return current_app.make_response(redirect(address, 303))


def _prefix() -> str:
    return "__Host-" if _is_https() else ""


def _is_https() -> bool:
    return bool(current_app.config["PARVIS_SCHEME"] == "https")
