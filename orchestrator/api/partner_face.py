"""The partner's face: signed requests in, results or problems out.

These addresses are asked thousands of times a second, so they stand in front of the framework: a
table of routes, a reply, nothing else. The order of the checks is part of the contract: key name,
signature over the bytes as sent, quota, media type, size and depth, JSON, CloudEvents, schema.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import structlog

from orchestrator.api import event_types
from orchestrator.api.bodies import inflate, read_body
from orchestrator.api.calls import Call, replied
from orchestrator.api.media_types import ACCEPTED, BATCH, EVENT, check_media_type
from orchestrator.api.problem_texts import PROBLEMS, Language
from orchestrator.api.problems import detail_of, language_of, problem_reply
from orchestrator.api.replies import Reply, json_reply
from orchestrator.services.intake import MOST_BATCH_BYTES, Intake, ItemResult, Received
from orchestrator.services.partner_keys import PartnerKeys
from orchestrator.services.ports.partners import Partner
from orchestrator.services.rate_limits import RateLimits
from schemas import clock, ids
from schemas.errors import (
    MethodNotAllowedError,
    NotFoundError,
    ParvisError,
    SignatureVerificationError,
    UnsupportedMediaTypeError,
)
from schemas.signatures import query_body

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_EVENTS: Final = "/v1/events"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SIGNED: Final = (
    ("webhook-id", "HTTP_WEBHOOK_ID"),
    ("webhook-timestamp", "HTTP_WEBHOOK_TIMESTAMP"),
    ("webhook-signature", "HTTP_WEBHOOK_SIGNATURE"),
)
_log = structlog.get_logger(__name__)


Answer = Callable[[Call], Reply]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerFace:
    """A WSGI application for the addresses of partners."""

    intake: Intake
    keys: PartnerKeys
    limits: RateLimits
    public_url: str
    routes: Mapping[str, Mapping[str, Answer]] = field(init=False)

    def __post_init__(self) -> None:
        routes = {
            _EVENTS: {"POST": self._post_event},
            "/v1/events:batch": {"POST": self._post_batch},
            "/v1/events/{id}": {"GET": self._get_event},
            "/v1/event-types": {"GET": self._get_types},
        }
        object.__setattr__(self, "routes", routes)

    def serves(self, path: str) -> bool:
        """Tell whether an address is one of the partner's face."""
        return path in self.routes or path.startswith("/v1/events/")

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request; nothing but a reply leaves."""
        call = Call(environ=environ, request_id=str(ids.uuid7()))
        reply = replied(call, self._answer, self._problem)
        return reply.send(start_response, method=environ["REQUEST_METHOD"])

    def _answer(self, call: Call) -> Reply:
        path = call.environ.get("PATH_INFO", "")
        methods = self.routes.get(path) or self.routes["/v1/events/{id}"]
        answer = methods.get(call.environ["REQUEST_METHOD"])
        if answer is None:
            raise MethodNotAllowedError(*methods)
        return answer(call)

    # --- events in --------------------------------------------------------------------------------

    def _post_event(self, call: Call) -> Reply:
        raw = read_body(call.environ, at_most=MOST_BATCH_BYTES)
        partner = self._signed(call, raw)
        check_media_type(call.environ, EVENT)
        accepted = self.intake.receive(partner, raw, _kept_headers(call))
        result = {"id": accepted.event_id, "status": accepted.status, "code": None, "detail": None}
        reply = _results(call, [result])
        reply.headers.append(("Location", _location(accepted, partner)))
        return reply

    def _post_batch(self, call: Call) -> Reply:
        raw = read_body(call.environ, at_most=MOST_BATCH_BYTES)
        partner = self._signed(call, raw)
        encoding = check_media_type(call.environ, BATCH)
        if encoding == "gzip":
            raw = inflate(raw, at_most=MOST_BATCH_BYTES)
        results = self.intake.receive_batch(partner, raw, _kept_headers(call))
        language = language_of(call.environ.get("HTTP_ACCEPT_LANGUAGE"))
        return _results(call, [_item(result, language) for result in results])

    # --- reads ------------------------------------------------------------------------------------

    def _get_event(self, call: Call) -> Reply:
        partner = self._signed(call, query_body(_address(call.environ)))
        event_id = call.environ["PATH_INFO"].removeprefix("/v1/events/")
        source = _asked_source(call.environ) or f"/partners/{partner.id}"
        if not _ID.fullmatch(event_id):
            raise NotFoundError
        state = self.intake.state_of(partner, event_id, source=source)
        return json_reply(
            {"id": event_id, "source": source, "state": state, "request_id": call.request_id}
        )

    def _get_types(self, call: Call) -> Reply:
        partner = self._signed(call, query_body(_address(call.environ)))
        reply = json_reply(event_types.event_types(partner, self.intake.catalogue()))
        tag = event_types.tag_of(reply.body)
        reply.headers = [header for header in reply.headers if header[0] != "Cache-Control"]
        reply.headers += [("ETag", tag), ("Cache-Control", "private, no-cache")]
        if event_types.is_known(tag, call.environ.get("HTTP_IF_NONE_MATCH", "")):
            reply.status, reply.body = 304, b""
        return reply

    # --- who asks, and how often ------------------------------------------------------------------

    def _signed(self, call: Call, signed: bytes) -> Partner:
        """Return the partner that signed, with one request taken from its quota."""
        environ = call.environ
        headers = {name: environ[key] for name, key in _SIGNED if key in environ}
        key_name = environ.get("HTTP_PARVIS_KEY_ID", "")
        now = clock.utcnow()
        partner = self.keys.authenticate(signed, headers, key_name=key_name, now=now)
        call.take_from(self.limits, partner.id)
        return partner

    def _problem(self, call: Call, error: ParvisError) -> Reply:
        reason = error.reason if isinstance(error, SignatureVerificationError) else None
        _log.info(
            "request refused",
            request_id=call.request_id,
            partner=call.caller,
            slug=error.slug,
            reason=reason,
        )
        reply = problem_reply(
            error,
            public_url=self.public_url,
            request_id=call.request_id,
            language=language_of(call.environ.get("HTTP_ACCEPT_LANGUAGE")),
        )
        if isinstance(error, UnsupportedMediaTypeError):
            reply.headers.append(("Accept-Post", ACCEPTED[call.environ["PATH_INFO"]]))
        return reply


def _results(call: Call, results: Sequence[Mapping[str, Any]]) -> Reply:
    """Return the answer to events, the same whoever the person is."""
    received_at = clock.rfc3339(clock.utcnow())
    answer = {"results": results, "request_id": call.request_id, "received_at": received_at}
    return json_reply(answer, status=202)


def _item(result: ItemResult, language: Language) -> dict[str, Any]:
    error = result.error
    detail = None
    if error is not None:
        detail = detail_of(error, language) or PROBLEMS[error.slug].words(language).title
    code = error.slug if error else None
    return {"id": result.id, "status": result.status, "code": code, "detail": detail}


def _location(received: Received, partner: Partner) -> str:
    """Return where the event's state is told; a source below the partner's own is named."""
    location = f"{_EVENTS}/{received.event_id}"
    if received.source == f"/partners/{partner.id}":
        return location
    return f"{location}?source={quote(received.source, safe='/')}"


def _kept_headers(call: Call) -> dict[str, str]:
    """Return what is kept of a request's headers: names of keys and of deliveries, nobody's."""
    environ = call.environ
    return {
        "request_id": call.request_id,
        "key": environ["HTTP_PARVIS_KEY_ID"],
        "webhook_id": environ["HTTP_WEBHOOK_ID"],
        "webhook_timestamp": environ["HTTP_WEBHOOK_TIMESTAMP"],
    }


def _asked_source(environ: "WSGIEnvironment") -> str | None:
    try:
        query = parse_qs(environ.get("QUERY_STRING", ""), max_num_fields=10)
    except ValueError:
        raise NotFoundError from None
    source: str | None = query.get("source", [None])[0]
    if source is not None and (len(source) > 256 or not source.isprintable()):
        raise NotFoundError
    return source


def _address(environ: "WSGIEnvironment") -> str:
    """Return path and query as the sender wrote them, which is what it signed."""
    raw: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if raw.startswith("/"):
        return raw
    parts = urlsplit(raw) if raw else None
    if parts is None:
        query = environ.get("QUERY_STRING", "")
        return quote(environ["PATH_INFO"], safe="/:") + (f"?{query}" if query else "")
    return parts.path + (f"?{parts.query}" if parts.query else "")
