"""The realms behind their routes: requests checked as a strict realm checks them, people, sessions, answers.

Unsigned requests, SHA-1 and unknown clients are refused, unsigned answers to a logout too. The service's
certificate comes from its own description, read when first needed and again when a signature fails.
"""

import base64
import binascii
import re
import secrets
import urllib.request
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_plus

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree

from mock_partners.clock import MockClock
from mock_partners.desk import View
from mock_partners.keycloak import pages
from mock_partners.keycloak.admin import Accounts
from mock_partners.keycloak.answers import answer
from mock_partners.keycloak.descriptor import descriptor
from mock_partners.keycloak.drafts import NS, Answering
from mock_partners.keycloak.keys import KeyRing
from mock_partners.keycloak.logout import (
    RSA_SHA256,
    Ending,
    logout_request,
    logout_response,
    query,
)
from mock_partners.keycloak.people import (
    CITIZENS,
    FRANCECONNECT,
    STAFF,
    Person,
    invented,
    new_key,
)
from mock_partners.wire import Answer, Request

__all__ = ["Client", "Realms", "RefusedError", "Session", "Visit"]

ROUTE: Final = re.compile(
    r"/realms/(?P<realm>[a-z-]{1,40})/(?P<place>protocol/saml/descriptor|protocol/saml|login|logout|account)"
)
COOKIE: Final = "KEYCLOAK_SESSION"
_LARGEST: Final = 256 * 1024
_DS: Final = "http://www.w3.org/2000/09/xmldsig#"


class RefusedError(Exception):
    """The realm does not serve this request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The one service of a realm: its name (where its description is) and where messages go."""

    entity_id: str
    acs: str
    sls: str


@dataclass(slots=True, kw_only=True)
class Visit:
    """A sign-in under way."""

    realm: str
    request_id: str
    relay_state: str
    way: str | None


@dataclass(slots=True, kw_only=True)
class Session:
    """Somebody signed in at a realm."""

    realm: str
    person: str
    index: str


@dataclass(slots=True)
class _State:
    visits: dict[str, Visit] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)


class Realms:
    """Both realms: pure state, no socket of its own but to read a service's description."""

    def __init__(
        self,
        base: str | None,
        clients: Mapping[str, Client],
        clock: MockClock,
        *,
        keys: Path | None = None,
    ) -> None:
        self._base = base
        self._clients = clients
        self._clock = clock
        self._rings = {
            name: KeyRing.of(keys / f"{name}.pem") if keys else KeyRing() for name in clients
        }
        self._certificates: dict[str, list[x509.Certificate]] = {}
        self.operations = frozenset({"descriptor", "saml", "login", "logout", "account", "unknown"})
        self.error_bodies: Mapping[int, object] = {500: {"error": "unknown_error"}}
        self.reset()

    def reset(self) -> None:
        """Forget visits and sessions; the keys stay."""
        self._state = _State()
        self._accounts = Accounts(end=self._end_sessions)
        self.changes: dict[str, str] = {}

    def lose_sessions(self) -> None:
        """Forget everybody who signed in."""
        self._state.sessions.clear()

    def revoked(self, _request: Request) -> Answer:
        """What a service that was withdrawn is told."""
        return pages.failure("Requête invalide")

    def views(self) -> Mapping[str, View]:
        """``GET /_mock/sessions``: how many people are signed in, by realm."""
        return {"sessions": lambda _: self._counted()}

    def operation(self, request: Request) -> str:
        """The name of what is asked."""
        found = ROUTE.fullmatch(request.path)
        if found is None or found["realm"] not in self._clients:
            return "unknown"
        return found["place"].rpartition("/")[2]

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        found = ROUTE.fullmatch(request.path)
        if self.operation(request) == "unknown" or found is None:
            return pages.failure("Page introuvable", status=404)
        act = {
            "descriptor": self._describe,
            "saml": self._saml,
            "login": self._login,
            "logout": self._logout,
            "account": self._account,
        }[self.operation(request)]
        try:
            return act(request, found["realm"])
        except RefusedError as error:
            return pages.failure(str(error))

    # --- routes -----------------------------------------------------------------------------------

    def _describe(self, request: Request, realm: str) -> Answer:
        body = descriptor(self._issuer(request, realm), self._rings[realm].pairs)
        return Answer(status=200, body=body, content_type="application/xml")

    def _saml(self, request: Request, realm: str) -> Answer:
        values = _values(request)
        if "SAMLResponse" in values:
            self._checked(request, realm, "SAMLResponse")
            return pages.ended()
        if "SAMLRequest" not in values:
            raise RefusedError("Requête invalide")
        message = self._checked(request, realm, "SAMLRequest")
        name = etree.QName(message).localname
        if name == "LogoutRequest":
            return self._logged_out(request, realm, message, values.get("RelayState", ""))
        if name != "AuthnRequest":
            raise RefusedError("Requête invalide")
        return self._signing_in(request, realm, message, values)

    def _signing_in(
        self, request: Request, realm: str, message: Any, values: Mapping[str, str]
    ) -> Answer:
        client = self._clients[realm]
        place = message.get("AssertionConsumerServiceURL")
        if message.findtext("a:Issuer", namespaces=NS) != client.entity_id:
            raise RefusedError("Client introuvable")
        if place is not None and place != client.acs:
            raise RefusedError("URI de redirection invalide")
        visit = Visit(
            realm=realm,
            request_id=message.get("ID"),
            relay_state=values.get("RelayState", ""),
            way=values.get("kc_idp_hint"),
        )
        session = self._session(request, realm)
        if session is not None and message.get("ForceAuthn") not in {"true", "1"}:
            return self._answered(request, visit, session)
        return self._choice(realm, self._begun(visit), visit)

    def _begun(self, visit: Visit) -> str:
        key = secrets.token_urlsafe(16)
        self._state.visits[key] = visit
        return key

    def _choice(self, realm: str, key: str, visit: Visit) -> Answer:
        action = f"/realms/{realm}/login"
        if realm.endswith("staff"):
            return pages.choice(action, key, STAFF.items(), title="Connexion des agents")
        wanted = FRANCECONNECT if visit.way == FRANCECONNECT else None
        people = [
            (person.key, person.shown)
            for person in CITIZENS.values()
            if wanted is None or person.alias == wanted
        ]
        people.append((new_key(), "Quelqu'un d'inventé à l'instant, par FranceConnect"))
        title = "FranceConnect (doublure)" if wanted else "Se connecter"
        return pages.choice(action, key, people, title=title)

    def _login(self, request: Request, realm: str) -> Answer:
        values = _values(request)
        visit = self._state.visits.pop(values.get("visit", ""), None)
        if visit is None or visit.realm != realm or not _lives_in(realm, values.get("person", "")):
            raise RefusedError("Cette page a expiré : recommencez la connexion.")
        before = self._session(request, realm)
        if before is not None and before.person != values["person"]:
            raise RefusedError(
                "Vous êtes déjà connecté sous un autre compte : déconnectez-vous d'abord."
            )
        cookie = secrets.token_urlsafe(24)
        session = Session(
            realm=realm,
            person=values["person"],
            index=before.index if before else f"{secrets.token_hex(12)}::{uuid.uuid4()}",
        )
        self._state.sessions[cookie] = session
        made = self._answered(request, visit, session)
        keep = ("Set-Cookie", f"{COOKIE}={cookie}; Path=/realms/{realm}/; HttpOnly; SameSite=Lax")
        return Answer(
            status=made.status,
            body=made.body,
            content_type=made.content_type,
            headers=(*made.headers, keep),
        )

    def _answered(self, request: Request, visit: Visit, session: Session) -> Answer:
        client, ring = self._clients[visit.realm], self._rings[visit.realm]
        about = Answering(
            issuer=self._issuer(request, visit.realm),
            audience=client.entity_id,
            acs=client.acs,
            request_id=visit.request_id,
            key=ring.active,
            name_id=self._person(session).name_id(client.entity_id),
            session_index=session.index,
            attributes=self._said(session),
            now=self._clock.now(),
        )
        change = self.changes.pop(visit.realm, None)
        fields = [("SAMLResponse", answer(about, change)), ("RelayState", visit.relay_state)]
        return pages.carrying(client.acs, fields)

    def _logged_out(self, request: Request, realm: str, message: Any, relay: str) -> Answer:
        index = message.findtext("p:SessionIndex", namespaces=NS)
        name_id = message.findtext("a:NameID", namespaces=NS)
        client = self._clients[realm]
        for cookie, session in list(self._state.sessions.items()):
            is_named = self._person(session).name_id(client.entity_id) == name_id
            if session.realm == realm and is_named and index in {None, session.index}:
                del self._state.sessions[cookie]
        about = self._ending(request, realm, request_id=message.get("ID"))
        key = self._rings[realm].active
        sent = query("SAMLResponse", logout_response(about), key, relay_state=relay or None)
        return _see(f"{client.sls}?{sent}")

    def _account(self, request: Request, realm: str) -> Answer:
        """The realm's own page, from which somebody signs out of everything."""
        if self._session(request, realm) is None:
            return pages.ended()
        title = "Mon compte de connexion"
        return pages.choice(
            f"/realms/{realm}/logout", "-", [("-", "Me déconnecter partout")], title=title
        )

    def _logout(self, request: Request, realm: str) -> Answer:
        session = self._session(request, realm)
        if session is None:
            return pages.ended()
        self._state.sessions.pop(_cookie(request), None)
        client = self._clients[realm]
        about = self._ending(
            request,
            realm,
            name_id=self._person(session).name_id(client.entity_id),
            session_index=session.index,
        )
        sent = query("SAMLRequest", logout_request(about), self._rings[realm].active)
        return _see(f"{client.sls}?{sent}")

    # --- below ------------------------------------------------------------------------------------

    def _issuer(self, request: Request, realm: str) -> str:
        base = self._base or f"http://{request.headers.get('host', '')}"
        return f"{base}/realms/{realm}"

    def _ending(self, request: Request, realm: str, **more: Any) -> Ending:
        return Ending(
            issuer=self._issuer(request, realm),
            destination=self._clients[realm].sls,
            key=self._rings[realm].active,
            now=self._clock.now(),
            **more,
        )

    def _session(self, request: Request, realm: str) -> Session | None:
        session = self._state.sessions.get(_cookie(request))
        return session if session is not None and session.realm == realm else None

    def _checked(self, request: Request, realm: str, kind: str) -> Any:
        """The message of a redirect, its signature verified by the service's certificate."""
        if request.method != "GET":
            raise RefusedError("Requête invalide")
        raw = dict(part.partition("=")[::2] for part in request.query.split("&"))
        if unquote_plus(raw.get("SigAlg", "")) != RSA_SHA256 or "Signature" not in raw:
            raise RefusedError("Demandeur invalide")
        names = [name for name in (kind, "RelayState", "SigAlg") if name in raw]
        signed = "&".join(f"{name}={raw[name]}" for name in names).encode()
        try:
            signature = base64.b64decode(unquote_plus(raw["Signature"]), validate=True)
            text = base64.b64decode(unquote_plus(raw[kind]), validate=True)
            xml = zlib.decompressobj(-15).decompress(text, _LARGEST)
            message = etree.fromstring(xml, etree.XMLParser(resolve_entities=False))
        except (binascii.Error, zlib.error, etree.XMLSyntaxError) as error:
            raise RefusedError("Requête invalide") from error
        if not self._is_signed(realm, signed, signature):
            raise RefusedError("Demandeur invalide")
        return message

    def _is_signed(self, realm: str, signed: bytes, signature: bytes) -> bool:
        for is_fresh in (False, True):
            for certificate in self._certificates_of(realm, is_fresh=is_fresh):
                key = certificate.public_key()
                if not isinstance(key, RSAPublicKey):
                    continue
                try:
                    key.verify(signature, signed, padding.PKCS1v15(), SHA256())
                except InvalidSignature:
                    continue
                return True
        return False

    def _certificates_of(self, realm: str, *, is_fresh: bool) -> list[x509.Certificate]:
        if is_fresh or realm not in self._certificates:
            address = self._clients[realm].entity_id
            try:
                with urllib.request.urlopen(address, timeout=5) as response:  # noqa: S310 - ours
                    root = etree.fromstring(response.read(_LARGEST))
            except (OSError, etree.XMLSyntaxError):
                return []
            texts = root.iterfind(f".//{{{_DS}}}KeyInfo/{{{_DS}}}X509Data/{{{_DS}}}X509Certificate")
            self._certificates[realm] = [
                x509.load_der_x509_certificate(base64.b64decode(text.text)) for text in texts
            ]
        return self._certificates[realm]

    def _said(self, session: Session) -> dict[str, str]:
        person = self._person(session)
        self._accounts.signed_in(person)
        said = person.attributes()
        return said | {"username": session.person} if session.realm.endswith("staff") else said

    def _person(self, session: Session) -> Person:
        return self._accounts.living(_person(session))

    def _end_sessions(self, person: str) -> None:
        for cookie, session in list(self._state.sessions.items()):
            if session.person == person:
                del self._state.sessions[cookie]

    def _counted(self) -> dict[str, int]:
        sessions = self._state.sessions.values()
        return {name: sum(one.realm == name for one in sessions) for name in self._clients}


def _lives_in(realm: str, key: str) -> bool:
    if realm.endswith("staff"):
        return key in STAFF
    return key in CITIZENS or invented(key) is not None


def _person(session: Session) -> Person:
    if session.realm.endswith("staff"):
        return Person(key=f"staff/{session.person}", shown=session.person)
    found = CITIZENS.get(session.person) or invented(session.person)
    assert found is not None  # noqa: S101  looked at when they signed in
    return found


def _values(request: Request) -> Mapping[str, str]:
    text = request.query if request.method == "GET" else request.body.decode("utf-8", "replace")
    return dict(parse_qsl(text, keep_blank_values=True))


def _cookie(request: Request) -> str:
    try:
        crumb = SimpleCookie(request.headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if crumb is None else crumb.value


def _see(location: str) -> Answer:
    headers = (("Location", location), ("Cache-Control", "no-store"))
    return Answer(status=302, content_type=None, headers=headers)
