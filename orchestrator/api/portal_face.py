"""The face for the city's applications: a bearer token in, JSON or problems out.

The order of the checks is part of the contract: token, client, quota, right, person, then what the
request says. An application's own token reads the catalogue; a citizen's token reads and changes the
citizen's own things, and anything of somebody else is not there.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import structlog

from orchestrator.api import portal_told
from orchestrator.api.asked import JSON, MOST_BYTES, CardSchema, RedeemSchema, read_asked
from orchestrator.api.bodies import read_body
from orchestrator.api.calls import Call, replied
from orchestrator.api.problems import language_of, problem_reply
from orchestrator.api.replies import Reply, empty_reply, json_reply
from orchestrator.services.api_access import ApiAccess, Caller
from orchestrator.services.api_clients import CATALOGUE_READ, ME_READ, ME_WRITE
from orchestrator.services.idempotency import Idempotency, KeptAnswer, Write, key_of
from orchestrator.services.offered_services import OfferedServices
from orchestrator.services.portal import CitizenPortal
from orchestrator.services.portal_cards import PortalCards
from orchestrator.services.ports.library_cards import TypedCard
from orchestrator.services.ports.portal import TokenCitizen
from orchestrator.services.rate_limits import RateLimits
from schemas import ids
from schemas.errors import (
    MethodNotAllowedError,
    NotFoundError,
    ParvisError,
    RequestError,
    UnsupportedMediaTypeError,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_ADDRESS: Final = re.compile(
    r"(?P<family>/v1/services|/v1/me/accounts|/v1/me/logins)/(?P<id>[^/]{1,100})"
)
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_REDEEM, _CARD = RedeemSchema(), CardSchema()
_log = structlog.get_logger(__name__)

Answer = Callable[[Call], Reply]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalFace:
    """A WSGI application for the addresses of applications."""

    access: ApiAccess
    citizens: CitizenPortal
    cards: PortalCards
    services: OfferedServices
    idempotency: Idempotency
    limits: RateLimits
    public_url: str
    routes: Mapping[str, Mapping[str, Answer]] = field(init=False)

    def __post_init__(self) -> None:
        routes: dict[str, dict[str, Answer]] = {
            "/v1/services": {"GET": self._get_services},
            "/v1/services/{id}": {"GET": self._get_service},
            "/v1/me": {"GET": self._get_me},
            "/v1/me/accounts": {"GET": self._get_accounts, "POST": self._post_account},
            "/v1/me/accounts/{id}": {"DELETE": self._delete_account},
            "/v1/me/logins": {"GET": self._get_logins},
            "/v1/me/logins/{id}": {"DELETE": self._delete_login},
            "/v1/access-codes/redeem": {"POST": self._post_code},
        }
        object.__setattr__(self, "routes", routes)

    def serves(self, path: str) -> bool:
        """Tell whether an address is one of this face."""
        return path in self.routes or _ADDRESS.fullmatch(path) is not None

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request; nothing but a reply leaves."""
        call = Call(environ=environ, request_id=str(ids.uuid7()))
        reply = replied(call, self._answer, self._problem)
        _leave(environ)
        return reply.send(start_response, method=environ["REQUEST_METHOD"])

    def _answer(self, call: Call) -> Reply:
        path = call.environ["PATH_INFO"]
        address = _ADDRESS.fullmatch(path)
        methods = self.routes[f"{address['family']}/{{id}}" if address else path]
        answer = methods.get(call.environ["REQUEST_METHOD"])
        if answer is None:
            raise MethodNotAllowedError(*methods)
        return answer(call)

    # --- an application's own token ---------------------------------------------------------------

    def _get_services(self, call: Call) -> Reply:
        self._caller(call).as_application(CATALOGUE_READ)
        listed = self.services.listed()
        return json_reply({"services": [portal_told.service(one) for one in listed]})

    def _get_service(self, call: Call) -> Reply:
        self._caller(call).as_application(CATALOGUE_READ)
        return json_reply(portal_told.service(self.services.find(_asked_id(call))))

    # --- a citizen's token: reads -----------------------------------------------------------------

    def _get_me(self, call: Call) -> Reply:
        return json_reply(portal_told.me(self.citizens.space(self._citizen(call, ME_READ))))

    def _get_accounts(self, call: Call) -> Reply:
        return json_reply(portal_told.accounts(self.citizens.space(self._citizen(call, ME_READ))))

    def _get_logins(self, call: Call) -> Reply:
        return json_reply(portal_told.logins(self.citizens.space(self._citizen(call, ME_READ))))

    # --- a citizen's token: writes ----------------------------------------------------------------

    def _post_code(self, call: Call) -> Reply:
        citizen = self._citizen(call, ME_WRITE)
        asked = read_asked(call, _REDEEM)
        return self._written(call, citizen, asked, lambda: self._redeemed(citizen, asked))

    def _redeemed(self, citizen: TokenCitizen, asked: Mapping[str, Any]) -> KeptAnswer:
        self.citizens.redeem(citizen, asked["code"])
        return KeptAnswer(status=200, answer={"status": "redeemed"})

    def _post_account(self, call: Call) -> Reply:
        citizen = self._citizen(call, ME_WRITE)
        asked = read_asked(call, _CARD)
        # the PIN is no part of what a repeat is recognised by: not even its digest is kept
        known = {name: asked[name] for name in ("service", "card")}
        return self._written(call, citizen, known, lambda: self._linked(citizen, asked))

    def _linked(self, citizen: TokenCitizen, asked: Mapping[str, Any]) -> KeptAnswer:
        card = TypedCard(
            service_id=asked["service"],
            number="".join(asked["card"].split()),
            password=asked["pin"],
        )
        self.cards.link(citizen, card)
        return KeptAnswer(status=201, answer={"status": "linked", "service": card.service_id})

    def _delete_account(self, call: Call) -> Reply:
        citizen = self._citizen(call, ME_WRITE)
        return self._deleted(call, citizen, self.citizens.close_account)

    def _delete_login(self, call: Call) -> Reply:
        citizen = self._citizen(call, ME_WRITE)
        return self._deleted(call, citizen, self.citizens.unlink)

    def _deleted(
        self, call: Call, citizen: TokenCitizen, act: Callable[[TokenCitizen, UUID], None]
    ) -> Reply:
        text = _asked_id(call)
        if not _UUID.fullmatch(text):
            raise NotFoundError

        def acted() -> KeptAnswer:
            act(citizen, UUID(text))
            return KeptAnswer(status=204, answer={})

        return self._written(call, citizen, {}, acted)

    def _written(
        self,
        call: Call,
        citizen: TokenCitizen,
        asked: Mapping[str, Any],
        act: Callable[[], KeptAnswer],
    ) -> Reply:
        """Run a write once per Idempotency-Key of this citizen through this client."""
        environ = call.environ
        write = Write(
            owner=(call.caller or "", str(citizen.citizen_id)),
            method=environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"],
            key=key_of(environ.get("HTTP_IDEMPOTENCY_KEY")),
            body=asked,
        )
        answered = self.idempotency.once(write, act)
        kept = answered.kept
        reply = empty_reply() if kept.status == 204 else json_reply(kept.answer, status=kept.status)
        if answered.is_replayed:
            reply.headers.append(("Idempotent-Replayed", "true"))
        return reply

    # --- who asks, and how often ------------------------------------------------------------------

    def _caller(self, call: Call) -> Caller:
        """Return the trusted caller, with one request taken from its quota."""
        caller = self.access.caller(call.environ.get("HTTP_AUTHORIZATION"))
        call.take_from(self.limits, caller.quota_of)
        return caller

    def _citizen(self, call: Call, scope: str) -> TokenCitizen:
        caller = self._caller(call)
        caller.as_citizen(scope)
        return self.citizens.citizen(caller)

    def _problem(self, call: Call, error: ParvisError) -> Reply:
        _log.info(
            "request refused",
            request_id=call.request_id,
            caller=call.caller,
            slug=error.slug,
            reason=getattr(error, "reason", None),
        )
        reply = problem_reply(
            error,
            public_url=self.public_url,
            request_id=call.request_id,
            language=language_of(call.environ.get("HTTP_ACCEPT_LANGUAGE")),
        )
        if isinstance(error, UnsupportedMediaTypeError):
            reply.headers.append(("Accept-Post", JSON))
        return reply


def _asked_id(call: Call) -> str:
    return str(call.environ["PATH_INFO"]).rpartition("/")[2]


def _leave(environ: "WSGIEnvironment") -> None:
    """Take what is left of a body off the connection, within bounds: the server would without any."""
    with suppress(RequestError):
        read_body(environ, at_most=MOST_BYTES)
