"""The rules of consent: what a person's records say today, and whether that lets something leave.

A consent is a history, not a switch. The last event counts; when two say different things at the
same moment, the refusal counts. Nothing here reads a table or a clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

NO_CHANNEL: Final = "none"
UNDER_15: Final = "under_15"


class Event(StrEnum):
    """What happened to a consent."""

    GIVEN = "given"
    RENEWED = "renewed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"

    @property
    def opens(self) -> bool:
        """Whether something may leave after this."""
        return self is Event.GIVEN or self is Event.RENEWED


class State(StrEnum):
    """Where a person stands on one purpose by one channel."""

    NEVER_ASKED = "never_asked"
    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecord:
    """One event of consent, as the gate needs it."""

    record_id: UUID
    purposes: tuple[str, ...]
    channel: str
    event_type: Event
    event_time: datetime
    validity_end: datetime | None = None
    parental_ref: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """Why something may leave: the record that allows it."""

    record_id: UUID
    kind: str = "consent"


def state(records: Iterable[ConsentRecord], purpose: str, channel: str, at: datetime) -> State:
    """Return where a person stands on a purpose by a channel at a moment."""
    last = _last(records, purpose, channel, at)
    if last is None:
        return State.NEVER_ASKED
    if not last.event_type.opens:
        return State(last.event_type)
    return State.EXPIRED if _is_over(last, at) else State.GIVEN


def may(
    records: Iterable[ConsentRecord],
    purpose: str,
    channel: str,
    at: datetime,
    *,
    age_band: str | None = None,
) -> Basis | None:
    """Return the basis for a purpose by a channel, or None when nothing allows it.

    Under 15 a consent counts only with the agreement of a parent.
    """
    last = _last(records, purpose, channel, at)
    if last is None or not last.event_type.opens or _is_over(last, at):
        return None
    if age_band == UNDER_15 and last.parental_ref is None:
        return None
    return Basis(record_id=last.record_id)


def _last(
    records: Iterable[ConsentRecord], purpose: str, channel: str, at: datetime
) -> ConsentRecord | None:
    told = [record for record in records if _tells(record, purpose, channel, at)]
    return max(told, key=_rank, default=None)


def _tells(record: ConsentRecord, purpose: str, channel: str, at: datetime) -> bool:
    """Say whether a record has a say.

    A purpose that sends nothing (channel ``none``) hears every channel. A refusal without a channel
    closes them all, a consent without one opens none of them. A consent from the future (a sender's
    clock is ahead) waits for its moment, a refusal counts at once.
    """
    if purpose not in record.purposes:
        return False
    if record.event_type.opens and record.event_time > at:
        return False
    if channel in {NO_CHANNEL, record.channel}:
        return True
    return record.channel == NO_CHANNEL and not record.event_type.opens


def _rank(record: ConsentRecord) -> tuple[datetime, bool, int]:
    return record.event_time, not record.event_type.opens, record.record_id.int


def _is_over(record: ConsentRecord, at: datetime) -> bool:
    return record.validity_end is not None and record.validity_end <= at
