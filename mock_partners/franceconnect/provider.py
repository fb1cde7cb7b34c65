"""The provider: its routes, what a browser goes through, and how a malformed request is told.

A request that cannot be trusted to name its sender ends on a page of ours (code Y000400); whatever else is
wrong goes back to the service as OpenID errors, with ``state`` and ``iss``.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from mock_partners.clock import MockClock
from mock_partners.desk import View
from mock_partners.franceconnect import pages
from mock_partners.franceconnect.back import BackChannel, refused
from mock_partners.franceconnect.grants import Grants, Interaction, Session, Visit
from mock_partners.franceconnect.people import PEOPLE
from mock_partners.franceconnect.settings import SCOPES, ProviderSettings
from mock_partners.franceconnect.signing import Signer
from mock_partners.wire import Answer, Request, json_answer

__all__ = ["BASE", "Provider"]

BASE = "/api/v2"
COOKIE = "fc_session_id"
MALFORMED = "Y000400"
STEPS = re.compile(
    rf"{BASE}/interaction/(?P<id>[A-Za-z0-9_-]{{1,64}})/(?P<step>login|consent|confirm)"
)
PATHS = {
    ("GET", f"{BASE}/.well-known/openid-configuration"): "discovery",
    ("GET", f"{BASE}/jwks"): "jwks",
    ("GET", f"{BASE}/authorize"): "authorize",
    ("POST", f"{BASE}/authorize"): "authorize",
    ("POST", f"{BASE}/token"): "token",
    ("GET", f"{BASE}/userinfo"): "userinfo",
    ("POST", f"{BASE}/userinfo"): "userinfo",
    ("POST", f"{BASE}/token/revocation"): "revoke",
    ("GET", f"{BASE}/session/end"): "end_session",
}
METHODS = {"login": "POST", "consent": "GET", "confirm": "POST"}


class MalformedError(Exception):
    """The request cannot be read, or does not say who sent it."""


class Provider:
    """A FranceConnect-shaped provider: pure state, no socket."""

    def __init__(self, settings: ProviderSettings, clock: MockClock) -> None:
        self._settings = settings
        self._clock = clock
        self._signer = Signer()
        self.operations = frozenset({*PATHS.values(), *METHODS, "unknown"})
        self.error_bodies: Mapping[int, object] = {
            401: {"error": "invalid_token", "error_description": "invalid token provided"},
            500: {"error": "server_error", "error_description": "oops! something went wrong"},
            503: {"error": "temporarily_unavailable", "error_description": "service unavailable"},
        }
        self._handlers: Mapping[str, Callable[[Request], Answer]] = {
            "discovery": self._discovery,
            "jwks": lambda _: json_answer(200, self._signer.published()),
            "authorize": self._authorize,
            "token": self._token,
            "userinfo": lambda request: self._back.userinfo(request, issuer=self._issuer(request)),
            "revoke": self._revoke,
            "end_session": self._end_session,
            "login": self._login,
            "consent": self._consent,
            "confirm": self._confirm,
        }
        self.reset()

    def reset(self) -> None:
        """Forget sign-ins, codes, tokens and sessions; the key stays."""
        self._grants = Grants()
        self._back = BackChannel(
            self._settings, clock=self._clock, grants=self._grants, signer=self._signer
        )

    def operation(self, request: Request) -> str:
        """The name of what is asked, ``unknown`` for a path that is not here."""
        step = STEPS.fullmatch(request.path)
        if step is not None:
            return step["step"] if METHODS[step["step"]] == request.method else "unknown"
        return PATHS.get((request.method, request.path), "unknown")

    def answer(self, request: Request) -> Answer:
        """Answer one request; one that cannot be read gets the page of malformed requests."""
        handler = self._handlers.get(self.operation(request))
        if handler is None:
            return pages.failure("Y000404", "La page demandée n'existe pas.", status=404)
        try:
            return handler(request)
        except MalformedError:
            return pages.failure(MALFORMED, "La requête n'est pas conforme.")

    def revoked(self, request: Request) -> Answer:
        """What a client that was withdrawn is told."""
        if self.operation(request) in {"token", "revoke"}:
            return refused("invalid_client", "client authentication failed", status=401)
        return pages.failure(MALFORMED, "La requête n'est pas conforme.")

    def lose_sessions(self) -> None:
        """Forget every browser that signed in."""
        self._grants.sessions.clear()

    def views(self) -> Mapping[str, View]:
        """``GET /_mock/people``: who can sign in, by key."""
        return {"people": lambda _: {"people": {key: each.about for key, each in PEOPLE.items()}}}

    # what a browser goes through

    def _authorize(self, request: Request) -> Answer:
        values = _pairs(request.query) if request.method == "GET" else _form(request)
        self._check_sender(values)
        refusal = self._refusal(values)
        if refusal is not None:
            return self._back_to(values["redirect_uri"], request, **refusal, state=values["state"])
        visit = Visit(
            client_id=values["client_id"],
            redirect_uri=values["redirect_uri"],
            state=values["state"],
            nonce=values["nonce"],
            scopes=tuple(dict.fromkeys(values["scope"].split())),
            level=self._level(values) or self._settings.levels[0],
        )
        interaction = self._grants.begin(visit)
        session = self._session(request)
        if session is None or "login" in values.get("prompt", "").split():
            return pages.choice(interaction, base=BASE)
        interaction.person, interaction.signed_in_at = session.person, session.signed_in_at
        return _see(f"{BASE}/interaction/{interaction.id}/consent")

    def _check_sender(self, values: Mapping[str, str]) -> None:
        client = self._settings.clients.get(values.get("client_id", ""))
        least = self._settings.unverified
        if client is None or values.get("redirect_uri") not in client.redirect_uris:
            raise MalformedError
        if len(values.get("state", "")) < least.state_at_least:
            raise MalformedError
        if len(values.get("nonce", "")) < least.nonce_at_least:
            raise MalformedError

    def _refusal(self, values: Mapping[str, str]) -> dict[str, str] | None:
        client = self._settings.clients[values["client_id"]]
        scopes = set(values.get("scope", "").split())
        if values.get("response_type") != "code":
            return _error("unsupported_response_type", "unsupported response_type requested")
        if "openid" not in scopes or scopes - set(client.scopes):
            return _error("invalid_scope", "requested scope is not allowed")
        if self._level(values) is None:
            return _error("invalid_acr", "acr_value is not valid")
        return None

    def _level(self, values: Mapping[str, str]) -> str | None:
        asked = values.get("acr_values", "").split()
        return asked[0] if asked and set(asked) <= set(self._settings.levels) else None

    def _login(self, request: Request) -> Answer:
        interaction = self._interaction(request)
        person = PEOPLE.get(_form(request).get("person", ""))
        if person is None:
            raise MalformedError
        if person.refusal is not None:
            return pages.failure("Y020001", person.refusal, status=403)
        if not person.reaches(interaction.visit.level):
            text = "Le compte choisi n'atteint pas le niveau de garantie demandé."
            return pages.failure("Y020018", text, status=403)
        now = self._clock.now()
        interaction.person, interaction.signed_in_at = person, now
        cookie = self._grants.open_session(person, at=now)
        flags = "; Secure" if self._issuer(request).startswith("https:") else ""
        crumb = ("Set-Cookie", f"{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Lax{flags}")
        return _see(f"{BASE}/interaction/{interaction.id}/consent", crumb)

    def _consent(self, request: Request) -> Answer:
        interaction = self._interaction(request)
        if interaction.person is None:
            return pages.choice(interaction, base=BASE)
        visit = interaction.visit
        given = [name for scope in visit.scopes for name in SCOPES[scope]]
        name = self._settings.clients[visit.client_id].name
        return pages.consent(interaction, base=BASE, client=name, given=given)

    def _confirm(self, request: Request) -> Answer:
        interaction = self._interaction(request)
        visit = interaction.visit
        if _form(request).get("choice") != "continue" or interaction.person is None:
            del self._grants.interactions[interaction.id]
            refusal = _error("access_denied", "user authentication aborted")
            return self._back_to(visit.redirect_uri, request, **refusal, state=visit.state)
        code = self._grants.agree(interaction, at=self._clock.now())
        answer = self._back_to(visit.redirect_uri, request, code=code, state=visit.state)
        return replace(answer, effect={"kind": "code.issued"})

    def _end_session(self, request: Request) -> Answer:
        values = _pairs(request.query)
        claims = self._signer.own(values.get("id_token_hint", ""))
        client = self._settings.clients.get(str(claims.get("aud"))) if claims else None
        back = values.get("post_logout_redirect_uri")
        if client is None or "state" not in values:
            raise MalformedError
        if back is not None and back not in client.post_logout_redirect_uris:
            raise MalformedError
        gone = self._grants.sessions.pop(_cookie(request), None)
        crumb = ("Set-Cookie", f"{COOKIE}=; Path=/; HttpOnly; Max-Age=0")
        effect = {"kind": "session.ended"} if gone is not None else None
        if back is None:
            page = pages.goodbye()
            return replace(page, headers=(*page.headers, crumb), effect=effect)
        there = _see(f"{back}?{urlencode({'state': values['state']})}", crumb)
        return replace(there, effect=effect)

    # what servers ask

    def _discovery(self, request: Request) -> Answer:
        issuer = self._issuer(request)
        document = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "jwks_uri": f"{issuer}/jwks",
            "end_session_endpoint": f"{issuer}/session/end",
            "revocation_endpoint": f"{issuer}/token/revocation",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["pairwise"],
            "scopes_supported": list(SCOPES),
            "acr_values_supported": list(self._settings.levels),
            "claims_parameter_supported": False,
            "authorization_response_iss_parameter_supported": True,
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "userinfo_signing_alg_values_supported": ["RS256"],
        }
        return json_answer(200, document)

    def _token(self, request: Request) -> Answer:
        return self._back.token(_form(request), issuer=self._issuer(request))

    def _revoke(self, request: Request) -> Answer:
        return self._back.revoke(_form(request), issuer=self._issuer(request))

    def _issuer(self, request: Request) -> str:
        return self._settings.issuer or f"http://{request.headers.get('host', '')}{BASE}"

    def _interaction(self, request: Request) -> Interaction:
        step = STEPS.fullmatch(request.path)
        found = self._grants.interactions.get(step["id"]) if step else None
        if found is None:
            raise MalformedError
        return found

    def _session(self, request: Request) -> Session | None:
        session = self._grants.sessions.get(_cookie(request))
        life = timedelta(minutes=self._settings.session_minutes)
        if session is None or self._clock.now() >= session.signed_in_at + life:
            return None
        return session

    def _back_to(self, uri: str, request: Request, **values: str) -> Answer:
        joint = "&" if "?" in uri else "?"
        return _see(f"{uri}{joint}{urlencode({**values, 'iss': self._issuer(request)})}")


def _form(request: Request) -> Mapping[str, str]:
    try:
        return _pairs(request.body.decode())
    except UnicodeDecodeError as error:
        raise MalformedError from error


def _pairs(text: str) -> Mapping[str, str]:
    """Parameters by name; one that is given twice makes the request malformed."""
    pairs = parse_qsl(text, keep_blank_values=True)
    values = dict(pairs)
    if len(values) != len(pairs):
        raise MalformedError
    return values


def _cookie(request: Request) -> str:
    try:
        crumb = SimpleCookie(request.headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if crumb is None else crumb.value


def _see(location: str, *headers: tuple[str, str]) -> Answer:
    first = (("Location", location), ("Cache-Control", "no-store"))
    return Answer(status=303, content_type=None, headers=(*first, *headers))


def _error(error: str, description: str) -> dict[str, str]:
    return {"error": error, "error_description": description}
