"""The service provider: what the hub says to a realm, and what it believes of its answers.

Keeps no state: requests, replays and sessions are rows of whoever uses it. One client of the library is
made per description of the realm; a signature nobody can verify makes us look once for a newer one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote_plus

import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, SAMLError, saml, samlp
from saml2.ident import code, decode
from saml2.response import InvalidAssertion, StatusError, UnsolicitedResponse
from saml2.s_utils import RequestVersionTooHigh, RequestVersionTooLow
from saml2.saml import NAMEID_FORMAT_PERSISTENT
from saml2.sigver import SigverError
from saml2.validate import ResponseLifetimeExceed, ToEarly
from saml2.xml.schema import XMLSchemaError

from identity.saml.client import make_client, signing_key
from identity.saml.codes import Code
from identity.saml.config import SamlConfig
from identity.saml.guard import guarded_xml
from identity.saml.instants import moment
from identity.saml.metadata import signed_metadata
from identity.saml.redirect import check_query, parameter, signed_url
from identity.saml.rules import ISSUED_WITHIN, Expected, check_instant, signed_in
from identity.saml.schema import validate
from schemas import clock, ids
from schemas.errors import IdentityUnavailableError, SamlRefusedError
from schemas.logins import (
    Asked,
    Binding,
    Departure,
    LogoutAnswered,
    LogoutAsked,
    SamlMessage,
    SignedIn,
)

_SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
_NEW_KEY: Final = (Code.SIGNATURE,)
_CODES: Final = (
    (SigverError, Code.SIGNATURE),
    (StatusError, Code.STATUS),
    (UnsolicitedResponse, Code.UNSOLICITED),
    (ResponseLifetimeExceed, Code.LIFETIME),
    (ToEarly, Code.LIFETIME),
    (InvalidAssertion, Code.ASSERTIONS),
    (RequestVersionTooLow, Code.VERSION),
    (RequestVersionTooHigh, Code.VERSION),
)
# what one class of error, or a bare one, stands for is in its first words
_SAID: Final = (
    ("Condition not OK", Code.LIFETIME),
    ("AudienceRestrictions", Code.AUDIENCE),
    ("No valid recipient", Code.RECIPIENT),
    ("No valid attesting address", Code.CONFIRMATION),
    ("Invalid number of AuthnStatement", Code.SESSION_INDEX),
)
T = TypeVar("T")
_log = structlog.get_logger()


@dataclass(slots=True)
class _Known:
    """A realm as one description shows it, with the client that goes by it."""

    digest: bytes
    client: Any


@dataclass(slots=True, kw_only=True)
class ServiceProvider:
    """Implements ``ports.sign_in.ServiceProvider``; ``descriptors`` are shared by all processes."""

    config: SamlConfig
    descriptors: Any
    _key: RSAPrivateKey = field(init=False, repr=False)
    _known: _Known | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._key = signing_key(self.config)

    def metadata(self) -> bytes:
        """Return our description, signed."""
        return signed_metadata(self.config)

    def idp(self) -> str:
        """Return the entityID of the realm we face."""
        return self.config.idp_entity_id

    def is_there(self) -> bool:
        """Tell whether the realm answers now."""
        return bool(self.descriptors.is_there())

    # --- signing in -------------------------------------------------------------------------------

    def ask_login(
        self, *, relay_key: str, provider: str | None = None, is_forced: bool = False
    ) -> Departure:
        """Return where the browser goes to sign in."""
        client = self._client()
        place = self._place(client, "single_sign_on_service")
        more = {"force_authn": "true"} if is_forced else {}
        request_id, request = client.create_authn_request(
            place,
            binding=BINDING_HTTP_POST,
            nameid_format=NAMEID_FORMAT_PERSISTENT,
            sign=False,
            **more,
        )
        url = signed_url(place, "SAMLRequest", str(request), key=self._key, relay_state=relay_key)
        if provider:
            url += f"&kc_idp_hint={quote_plus(provider)}"
        return Departure(request_id=request_id, url=url)

    def read_answer(self, message: SamlMessage, *, asked: Asked) -> SignedIn:
        """Verify an answer to a request of ours."""
        if message.binding is not Binding.POST:
            raise SamlRefusedError(Code.UNSIGNED)
        return self._believing(lambda client: self._answer(client, message, asked))

    def _answer(self, client: Any, message: SamlMessage, asked: Asked) -> SignedIn:
        try:
            answer = client.parse_authn_request_response(
                message.text,
                BINDING_HTTP_POST,
                outstanding={asked.request_id: asked.relay_key},
                conv_info={"entity_id": self.config.entity_id, "request_uri": self.config.acs},
            )
        except SamlRefusedError:
            raise
        except Exception as error:  # the library raises bare exceptions of any kind
            raise SamlRefusedError(_code_of(error)) from error
        if answer is None or answer.name_id is None or answer.response is None:
            raise SamlRefusedError(Code.EMPTY)
        expected = Expected(
            entity_id=self.config.entity_id,
            acs=self.config.acs,
            issuer=self.config.idp_entity_id,
            request_id=asked.request_id,
            now=clock.utcnow(),
        )
        return signed_in(answer.response, expected)

    # --- signing out ------------------------------------------------------------------------------

    def ask_logout(self, *, name_id: str, session_index: str, relay_key: str) -> Departure:
        """Return where the browser goes to end the session at the realm."""
        client = self._client()
        place = self._place(client, "single_logout_service")
        request_id, request = client.create_logout_request(
            place,
            self.config.idp_entity_id,
            name_id=decode(name_id),
            session_indexes=[session_index],
            expire=clock.rfc3339(clock.utcnow() + ISSUED_WITHIN),
            sign=False,
        )
        url = signed_url(place, "SAMLRequest", str(request), key=self._key, relay_state=relay_key)
        return Departure(request_id=request_id, url=url)

    def read_logout(self, message: SamlMessage) -> LogoutAsked:
        """Verify a logout request of the realm."""
        request = self._believing(
            lambda client: self._signed(client, message, "SAMLRequest", samlp.LogoutRequest)
        )
        until = self._check_message(request)
        if request.not_on_or_after:
            until = min(until, moment(request.not_on_or_after, Code.STALE))
        if until <= clock.utcnow():
            raise SamlRefusedError(Code.STALE)
        if request.name_id is None or len(request.session_index) > 1:
            raise SamlRefusedError(Code.NAME_ID)
        return LogoutAsked(
            request_id=str(request.id),
            issuer=self.config.idp_entity_id,
            valid_until=until,
            name_id=str(code(request.name_id)),
            session_index=str(request.session_index[0].text) if request.session_index else None,
            relay_state=_relay_state(message),
        )

    def answer_logout(self, asked: LogoutAsked) -> str:
        """Return where the browser goes with our answer to a logout request."""
        client = self._client()
        place = self._place(client, "single_logout_service", response=True)
        response = samlp.LogoutResponse(
            id=f"_{ids.uuid7().hex}",
            version="2.0",
            issue_instant=clock.rfc3339(clock.utcnow()),
            destination=place,
            in_response_to=asked.request_id,
            issuer=saml.Issuer(text=self.config.entity_id, format=saml.NAMEID_FORMAT_ENTITY),
            status=samlp.Status(status_code=samlp.StatusCode(value=_SUCCESS)),
        )
        return signed_url(
            place, "SAMLResponse", str(response), key=self._key, relay_state=asked.relay_state or ""
        )

    def read_logout_answer(self, message: SamlMessage) -> LogoutAnswered:
        """Verify the realm's answer to a logout request of ours."""
        response = self._believing(
            lambda client: self._signed(client, message, "SAMLResponse", samlp.LogoutResponse)
        )
        self._check_message(response)
        status = response.status.status_code.value if response.status else None
        return LogoutAnswered(
            in_response_to=str(response.in_response_to or ""), is_success=status == _SUCCESS
        )

    def _signed(self, client: Any, message: SamlMessage, kind: str, cls: type) -> Any:
        """Return a message about the end of a session, its signature verified by its binding's rules."""
        xml = guarded_xml(message.text, message.binding)
        if message.binding is Binding.REDIRECT:
            check_query(message.query, kind, certificates=self._certificates(client))
            if parameter(message.query, kind) != message.text:
                raise SamlRefusedError(Code.SIGNATURE)
        try:
            read = _read(client, xml, message.binding, cls)
            validate(str(read))
        except (
            SAMLError,
            XMLSchemaError,
            ValueError,
            KeyError,
            AttributeError,
            TypeError,
        ) as error:
            raise SamlRefusedError(_code_of(error)) from error
        return read

    def _check_message(self, message: Any) -> datetime:
        """Check what requests and answers about logout have in common; returns how long it counts."""
        if message.destination != self.config.sls:
            raise SamlRefusedError(Code.DESTINATION)
        if message.issuer is None or message.issuer.text != self.config.idp_entity_id:
            raise SamlRefusedError(Code.ISSUER)
        now = clock.utcnow()
        check_instant(message.issue_instant, now)
        return moment(message.issue_instant, Code.ISSUE_INSTANT) + ISSUED_WITHIN

    # --- the realm --------------------------------------------------------------------------------

    def _believing(self, read: Callable[[Any], T]) -> T:
        """Read with the keys we know; once more when the realm may have changed them."""
        client = self._client()
        try:
            return read(client)
        except SamlRefusedError as error:
            if error.code not in _NEW_KEY or not self._is_newer():
                raise
        return read(self._client())

    def _is_newer(self) -> bool:
        known = self._known.digest if self._known else None
        found = self.descriptors.refresh()
        return found is not None and found.digest != known

    def _client(self) -> Any:
        descriptor = self.descriptors.current()
        if descriptor is None:
            descriptor = self.descriptors.refresh()
        if descriptor is None:
            raise IdentityUnavailableError
        if self._known is None or self._known.digest != descriptor.digest:
            self._known = _Known(digest=descriptor.digest, client=self._made(descriptor.xml))
        if self._known.client is None:
            raise IdentityUnavailableError
        return self._known.client

    def _made(self, descriptor: str) -> Any:
        """Return a client for a description; for one the library cannot load, the client before it."""
        try:
            return make_client(self.config, descriptor)
        except Exception:  # noqa: BLE001 - the library raises bare exceptions of any kind
            _log.exception("identity.descriptor_unusable", face=self.config.face)
            return self._known.client if self._known else None

    def _place(self, client: Any, service: str, *, response: bool = False) -> str:
        """Return where the realm takes a message by redirect."""
        found = client.metadata.service(
            self.config.idp_entity_id, "idpsso_descriptor", service, BINDING_HTTP_REDIRECT
        )
        if not found:
            raise IdentityUnavailableError
        place = found[0]
        return str((place.get("response_location") if response else None) or place["location"])

    def _certificates(self, client: Any) -> list[str]:
        found = client.metadata.certs(self.config.idp_entity_id, "any", "signing")
        return ["".join(one[1].split()) for one in found]


def _read(client: Any, xml: bytes, binding: Binding, cls: type) -> Any:
    """Return a message as an object; one that came by POST carries its signature inside."""
    name = "logout_request" if cls is samlp.LogoutRequest else "logout_response"
    if binding is Binding.POST:
        return client.sec.correctly_signed_message(xml.decode(), name, must=True)
    return getattr(samlp, f"{name}_from_string")(xml)


def _relay_state(message: SamlMessage) -> str | None:
    """Return what the browser carries along: on a redirect only what was signed with the message."""
    if message.binding is Binding.REDIRECT:
        return parameter(message.query, "RelayState")
    return message.relay_state


def _code_of(error: Exception) -> Code:
    found = next((code for kind, code in _CODES if isinstance(error, kind)), None)
    return found or next(
        (code for words, code in _SAID if str(error).startswith(words)), Code.LIBRARY
    )
