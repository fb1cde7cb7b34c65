"""The realms with all their addresses: sign-in, tokens, messages in forms, keys and answers changed on command.

What people and services go through is in ``provider``; here is what applications ask (tokens, keys), the
POST binding, whose signature is inside the message, and the verbs of ``/_mock/``.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from mock_partners.clock import MockClock
from mock_partners.desk import Desk, View
from mock_partners.faults import RECEIVING
from mock_partners.keycloak import pages
from mock_partners.keycloak.admin import MANAGES, route_of
from mock_partners.keycloak.alterations import BEFORE
from mock_partners.keycloak.attacks import AFTER
from mock_partners.keycloak.drafts import NS
from mock_partners.keycloak.provider import Client, Realms, RefusedError, Session, Visit
from mock_partners.keycloak.tokens import Application, Code, Tokens
from mock_partners.wire import Answer, Request, json_answer

__all__ = ["Front", "Keycloak"]

_ROUTE: Final = re.compile(
    r"/realms/(?P<realm>[a-z-]{1,40})/protocol/openid-connect/(?P<place>auth|token|certs)"
)
_METHODS: Final = {"auth": "GET", "token": "POST", "certs": "GET"}
_STRONG: Final = frozenset(
    {
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
        "http://www.w3.org/2001/04/xmlenc#sha256",
        "http://www.w3.org/2001/04/xmlenc#sha512",
    }
)


@dataclass(slots=True, kw_only=True)
class TokenVisit(Visit):
    """A sign-in under way for an application of a citizen."""

    values: Mapping[str, str]


class Keycloak(Realms):
    """Both realms: pure state, no socket."""

    def __init__(
        self,
        base: str | None,
        clients: Mapping[str, Client],
        clock: MockClock,
        *,
        applications: Mapping[str, Mapping[str, Application]],
        keys: Path | None = None,
    ) -> None:
        self._applications = applications
        super().__init__(base, clients, clock, keys=keys)
        self.operations |= {*_METHODS, "admin"}

    def reset(self) -> None:
        """Forget visits, sessions and codes; the keys stay."""
        super().reset()
        self._tokens = {
            name: Tokens(self._applications.get(name, {}), ring)
            for name, ring in self._rings.items()
        }

    def operation(self, request: Request) -> str:
        """The name of what is asked."""
        if (asked := route_of(request)) is not None and asked["realm"] in self._clients:
            return "admin"
        found = _ROUTE.fullmatch(request.path)
        if found is None or found["realm"] not in self._clients:
            return super().operation(request)
        place = found["place"]
        return place if _METHODS[place] == request.method else "unknown"

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        found = _ROUTE.fullmatch(request.path)
        operation = self.operation(request)
        if operation == "admin":
            return self._administer(request)
        if found is None or operation not in _METHODS:
            return super().answer(request)
        realm = found["realm"]
        if operation == "certs":
            return json_answer(200, self._tokens[realm].published())
        if operation == "token":
            return self._token(request, realm)
        try:
            return self._authorize(request, realm)
        except RefusedError as error:
            return pages.failure(str(error))

    def views(self) -> Mapping[str, View]:
        """``GET /_mock/changes``: the names of what an answer can have wrong."""
        changes = {"before": sorted(BEFORE), "after": sorted(AFTER)}
        return {**super().views(), "changes": lambda _: changes}

    def do(self, verb: str, document: object) -> None:
        """Change a realm's keys or its next answer.

        Raises:
            ValueError: the realm or the change is unknown.
        """
        order = document if isinstance(document, dict) else {}
        realm = str(order.get("realm"))
        if realm not in self._clients:
            msg = f"a realm is wanted: {sorted(self._clients)}"
            raise ValueError(msg)
        if verb == "rotate":
            self._rings[realm].rotate()
        elif verb == "forget":
            self._rings[realm].forget_old()
        else:
            self._change(realm, str(order.get("change")))

    def _change(self, realm: str, change: str) -> None:
        if change not in BEFORE and change not in AFTER:
            msg = f"no alteration is named {change!r}"
            raise ValueError(msg)
        self.changes[realm] = change

    def _administer(self, request: Request) -> Answer:
        asked = route_of(request)
        assert asked is not None  # noqa: S101  looked at by ``operation``
        roles = self._tokens[asked["realm"]].roles_of(
            request.headers.get("authorization", ""), now=self._clock.now()
        )
        if roles is None:
            return json_answer(401, {"error": "HTTP 401 Unauthorized"})
        if MANAGES not in roles:
            return json_answer(403, {"error": "HTTP 403 Forbidden"})
        return self._accounts.answer(request.method, asked)

    # --- tokens -----------------------------------------------------------------------------------

    def _token(self, request: Request, realm: str) -> Answer:
        return self._tokens[realm].answer(
            dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)),
            request.headers.get("authorization"),
            issuer=self._issuer(request, realm),
            now=self._clock.now(),
        )

    def _authorize(self, request: Request, realm: str) -> Answer:
        values = dict(parse_qsl(request.query, keep_blank_values=True))
        application = self._applications.get(realm, {}).get(values.get("client_id", ""))
        if application is None or values.get("redirect_uri") not in application.redirect_uris:
            raise RefusedError("URI de redirection invalide")
        asked = (values.get("response_type"), values.get("code_challenge_method"))
        if asked != ("code", "S256") or not values.get("code_challenge"):
            return _back(values, error="invalid_request")
        visit = TokenVisit(
            realm=realm,
            request_id="",
            relay_state="",
            way=values.get("kc_idp_hint"),
            values=values,
        )
        session = self._session(request, realm)
        if session is not None and "login" not in values.get("prompt", "").split():
            return self._answered(request, visit, session)
        return self._choice(realm, self._begun(visit), visit)

    def _answered(self, request: Request, visit: Visit, session: Session) -> Answer:
        if not isinstance(visit, TokenVisit):
            return super()._answered(request, visit, session)
        said = self._said(session)
        notes = ("idp_alias", "fc_acr", "email_verified")
        code = Code(
            client_id=visit.values["client_id"],
            redirect_uri=visit.values["redirect_uri"],
            challenge=visit.values["code_challenge"],
            subject=said["kc_user"],
            session=session.index.partition("::")[0],
            notes={name: said[name] for name in notes if name in said},
            at=self._clock.now(),
        )
        text = self._tokens[visit.realm].new_code(code)
        return _back(visit.values, code=text, iss=self._issuer(request, visit.realm))

    # --- messages in forms ------------------------------------------------------------------------

    def _checked(self, request: Request, realm: str, kind: str) -> Any:
        message = (
            self._checked_form(request, realm, kind)
            if request.method == "POST"
            else super()._checked(request, realm, kind)
        )
        if message.get("Destination") != f"{self._issuer(request, realm)}/protocol/saml":
            raise RefusedError("Requête invalide")
        return message

    def _checked_form(self, request: Request, realm: str, kind: str) -> Any:
        values = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        try:
            content = base64.b64decode(values.get(kind, ""), validate=True)
            parser = etree.XMLParser(resolve_entities=False, no_network=True)
            message = etree.fromstring(content, parser)
        except (binascii.Error, etree.XMLSyntaxError) as error:
            raise RefusedError("Requête invalide") from error
        for is_fresh in (False, True):
            known = self._certificates_of(realm, is_fresh=is_fresh)
            if any(_is_signed_inside(message, certificate) for certificate in known):
                return message
        raise RefusedError("Demandeur invalide")


class Front(Desk):
    """The desk, with verbs of its own: ``POST /_mock/rotate``, ``forget``, ``change``."""

    def __init__(self, mock: Keycloak, clock: MockClock) -> None:
        super().__init__(mock, faults=RECEIVING | {"session_lost"}, clock=clock)
        self._keycloak = mock

    def actions(self) -> Mapping[tuple[str, str], View]:
        """More verbs of the control plane."""
        return {("POST", name): self._verb(name) for name in ("rotate", "forget", "change")}

    def _verb(self, name: str) -> View:
        def act(request: Request) -> object:
            with self._lock:
                self._keycloak.do(name, json.loads(request.body))
            return {"done": name}

        return act


def _back(values: Mapping[str, str], **more: str) -> Answer:
    told = {**more, "state": values.get("state", "")}
    address = f"{values['redirect_uri']}?{urlencode(told)}"
    headers = (("Location", address), ("Cache-Control", "no-store"))
    return Answer(status=302, content_type=None, headers=headers)


def _is_signed_inside(root: Any, certificate: x509.Certificate) -> bool:
    """Whether the message itself, and nothing else, is signed by this key and not weakly."""
    signatures = root.findall("d:Signature", NS)
    named = root.xpath("//@ID")
    if len(signatures) != 1 or len(named) != len(set(named)):
        return False
    about = [each.get("URI") for each in signatures[0].iterfind("d:SignedInfo/d:Reference", NS)]
    used = signatures[0].xpath(
        "d:SignedInfo//d:SignatureMethod/@Algorithm|d:SignedInfo//d:DigestMethod/@Algorithm",
        namespaces=NS,
    )
    if about != [f"#{root.get('ID')}"] or not set(used) <= _STRONG:
        return False
    pem = certificate.public_bytes(Encoding.PEM)
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatCertPem)
    context.register_id(root, "ID")
    try:
        context.verify(signatures[0])
    except xmlsec.Error:
        return False
    return True
