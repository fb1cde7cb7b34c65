"""Intake: a signed event becomes a message, committed before anybody is told it was accepted.

What no proof of consent lets through is dropped here, before anything is stored. Whether the person
is known is never looked at: the answer and its time are the same.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from orchestrator.engine.journey import Journey
from orchestrator.services.ports.intake import Arrival, InboxStore, RunStart
from orchestrator.services.ports.partners import (
    Communes,
    ConsentCatalogue,
    Meter,
    Partner,
    Scans,
)
from schemas import clock, events
from schemas.cloudevents import partner_of, read_batch, read_event
from schemas.consent_proof import minimise, proven_purposes
from schemas.errors import (
    EventIdReusedError,
    InvalidPayloadError,
    NotFoundError,
    NotPermittedError,
    ParvisError,
    PayloadTooLargeError,
    StoreUnavailableError,
    UnknownMessageTypeError,
)
from schemas.keys import keyed_digest
from schemas.messages import Accepted, Message
from schemas.strict_json import parse, read_json

MOST_EVENT_BYTES: Final = 64 * 1024
MOST_BATCH_BYTES: Final = 256 * 1024
SCANNED: Final = "poster.scanned.v1"
OPEN_TO_ALL: Final = frozenset({"contact.withdrawn.v1", "sdk.reported.v1"})
_UNKNOWN: Final = "unknown"
_UNKNOWN_COMMUNE: Final = (("#/data/commune", "Cette commune n'est pas connue."),)
_TIME_ZONE: Final = ZoneInfo("Europe/Paris")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DATA: Final = frozenset({"data", "data_base64"})
_CANONICAL: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What became of one event: ``accepted``, or ``duplicate`` when it was here already."""

    event_id: str
    source: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """What became of one item of a batch; ``error`` says why it was refused or must come again."""

    id: str | None
    status: str
    error: ParvisError | None = None


Job = Callable[[], ItemResult]


def one_after_the_other(jobs: Sequence[Job]) -> Sequence[ItemResult]:
    """Take the items of a batch in turn."""
    return [job() for job in jobs]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """An event on its way in: its JSON as it came, canonically written, and what it says."""

    value: Mapping[str, Any]
    canonical: bytes
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The one door of messages.

    ``route`` names the journey a type of message starts; ``catalogue`` gives the texts a proof of
    consent may point at; ``together`` takes the items of a batch so that they share a commit.
    """

    inbox: InboxStore
    body_key: bytes
    communes: Communes
    catalogue: Callable[[], ConsentCatalogue]
    scans: Scans
    meter: Meter
    route: Callable[[str], Journey | None]
    together: Callable[[Sequence[Job]], Sequence[ItemResult]] = one_after_the_other

    def receive(self, partner: Partner, raw: bytes, headers: Mapping[str, str]) -> Received:
        """Take in the one event of a request whose signature is proved.

        Raises a RequestError or MessageError that says what is wrong (nothing was stored), or
        StoreUnavailableError (nothing was accepted).
        """
        try:
            if len(raw) > MOST_EVENT_BYTES:
                raise PayloadTooLargeError("Un événement fait au plus 64 Kio.")
            value = read_json(raw)
            message = read_event(value, clock.utcnow())
        except ParvisError:
            self._refused(partner, _UNKNOWN)
            raise
        draft = _Draft(value=value, canonical=_canonical(value), message=message)
        accepted = self._admit(partner, draft, headers)
        return Received(event_id=message.id, source=message.source, status=accepted.status)

    def receive_batch(
        self, partner: Partner, raw: bytes, headers: Mapping[str, str]
    ) -> Sequence[ItemResult]:
        """Take in the items of a batch, each for itself, and return one result per item, in order.

        Raises MalformedError or PayloadTooLargeError about the batch as a whole, and
        StoreUnavailableError when none of its items could be stored.
        """
        try:
            messages = read_batch(raw, clock.utcnow())
        except ParvisError:
            self._refused(partner, _UNKNOWN)
            raise
        values, _ = parse(raw)
        results = self.together(
            [
                partial(self._item, partner, value, message, headers)
                for value, message in zip(values, messages, strict=True)
            ]
        )
        if results and all(result.status == "retry" for result in results):
            raise StoreUnavailableError
        return results

    def receive_own(self, message: Message) -> Accepted:
        """Take in a message of one of our own pages; its data obeys the same schema and proofs.

        A type of the catalogue is validated; another one must be a journey's.
        """
        if message.type not in events.catalogue() and self.route(message.type) is None:
            raise UnknownMessageTypeError
        value = {
            "id": message.id,
            "source": message.source,
            "type": message.type,
            "subject": message.subject,
            "data": message.data,
        }
        draft = _Draft(value=value, canonical=_canonical(value), message=message)
        accepted, _ = self._take(draft, {})
        self.meter.received("hub", message.type, accepted.status)
        return accepted

    def state_of(self, partner: Partner, event_id: str, *, source: str) -> str:
        """Return what a partner may know of its event: ``received``, ``done`` or ``rejected``.

        Raises:
            NotFoundError: no such event, or not one of this partner's.
        """
        state = self.inbox.state(source, event_id) if partner_of(source) == partner.id else None
        if state is None:
            raise NotFoundError
        return state

    def _item(
        self,
        partner: Partner,
        value: Any,
        message: Message | InvalidPayloadError,
        headers: Mapping[str, str],
    ) -> ItemResult:
        if isinstance(message, InvalidPayloadError):
            self._refused(partner, _UNKNOWN)
            return ItemResult(id=_readable_id(value), status="rejected", error=message)
        try:
            draft = _Draft(value=value, canonical=_canonical(value), message=message)
            if len(draft.canonical) > MOST_EVENT_BYTES:
                raise PayloadTooLargeError("Un événement fait au plus 64 Kio.")
            accepted = self._admit(partner, draft, headers)
        except StoreUnavailableError as error:
            return ItemResult(id=message.id, status="retry", error=error)
        except ParvisError as error:
            return ItemResult(id=message.id, status="rejected", error=error)
        return ItemResult(id=message.id, status=accepted.status)

    def _admit(self, partner: Partner, draft: _Draft, headers: Mapping[str, str]) -> Accepted:
        """Take in what this partner may send, and count what became of it."""
        message = draft.message
        kind = message.type if message.type in events.catalogue() else _UNKNOWN
        try:
            _authorise(partner, message)
            accepted, dropped = self._take(draft, headers)
        except StoreUnavailableError:
            self.meter.received(partner.id, kind, "retry")
            raise
        except ParvisError as error:
            reused = isinstance(error, EventIdReusedError)
            self._refused(partner, kind, what="id_reused" if reused else "refused")
            raise
        self.meter.received(partner.id, kind, accepted.status)
        if accepted.status == "duplicate":
            self._count(partner.id, "duplicate")
        elif dropped:
            self._count(partner.id, "minimised")
        return accepted

    def _take(self, draft: _Draft, headers: Mapping[str, str]) -> tuple[Accepted, tuple[str, ...]]:
        """Validate, minimise and store; returns the names of the members that were dropped."""
        data, dropped = self._readable(draft.message)
        message = draft.message if data == draft.message.data else replace(draft.message, data=data)
        arrival = Arrival(
            message=message,
            body=_kept_body(draft, data),
            body_digest=keyed_digest(self.body_key, draft.canonical),
            headers=headers,
            starts=self._start(message),
        )
        accepted = self.inbox.accept(arrival)
        if message.type == SCANNED and accepted.status == "accepted":
            self._count_scan(data["placement"])
        return accepted, dropped

    def _readable(self, message: Message) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Return the data the hub may read of a message, and what it must not."""
        if message.type not in events.catalogue():
            return message.data, ()
        data = events.validate(message.type, message.data, subject=message.subject)
        if "commune" in data:
            data["commune"] = self._commune(data["commune"])
        if "person" not in data and "contact" not in data:
            return data, ()
        notices = self.catalogue().notices
        return minimise(data, proven_purposes(data, notices, now=clock.utcnow()))

    def _commune(self, code: str) -> str:
        commune = self.communes.resolve(code)
        if commune is None:
            raise InvalidPayloadError(_UNKNOWN_COMMUNE)
        return commune

    def _start(self, message: Message) -> RunStart | None:
        journey = self.route(message.type)
        if journey is None:
            return None
        subject = message.subject or f"event:{message.id}"
        return RunStart(
            journey=journey.name,
            version=journey.version,
            key=journey.key(message.source, subject),
            data=message.data,
        )

    def _count_scan(self, token: str) -> None:
        """Add one to the day's counter of a placement; a token of nobody counts nothing."""
        placement = self.scans.find(token)
        if placement is not None:
            day = clock.utcnow().astimezone(_TIME_ZONE).date()
            self.scans.count_scan(placement.token, day=day, language="und", browser="partner")

    def _refused(self, partner: Partner, kind: str, *, what: str = "refused") -> None:
        self.meter.received(partner.id, kind, "rejected")
        self._count(partner.id, what)

    def _count(self, partner_id: str, what: str) -> None:
        """Count for the partner's page; a database that is away changes no answer."""
        try:
            self.inbox.count(partner_id, what)
        except StoreUnavailableError:
            self.meter.received(partner_id, _UNKNOWN, "uncounted")


def _authorise(partner: Partner, message: Message) -> None:
    """Refuse a source that is not the signer's and a type it may not send."""
    if partner_of(message.source) != partner.id:
        raise NotPermittedError(slug="source-mismatch")
    known = events.catalogue().get(message.type)
    if known is None:
        raise UnknownMessageTypeError
    is_allowed = message.type in partner.allowed_events or message.type in OPEN_TO_ALL
    if known.is_own_page_only or not is_allowed:
        raise NotPermittedError(slug="type-not-allowed")


def _canonical(value: Any) -> bytes:
    """Write JSON one way, so that the same event has the same fingerprint alone and in a batch."""
    return _CANONICAL.encode(value).encode()


def _kept_body(draft: _Draft, data: Mapping[str, Any]) -> bytes:
    """Return what is kept of the request: nothing of a scan, else the event as we may read it."""
    if draft.message.type == SCANNED:
        return b""
    if draft.value.get("data") == data:
        return draft.canonical
    kept = {name: member for name, member in draft.value.items() if name not in _DATA}
    return _canonical({**kept, "data": data})


def _readable_id(value: Any) -> str | None:
    """Return the id of an item that was refused, when it can be said again without harm."""
    event_id = value.get("id") if isinstance(value, dict) else None
    is_safe = isinstance(event_id, str) and _ID.fullmatch(event_id)
    return event_id if is_safe else None
