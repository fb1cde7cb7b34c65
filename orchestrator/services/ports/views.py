"""What the console reads: runs by page, one run whole, the systems. Reads only.

Bodies come opened from the store, which has the vault; whoever shows them masks them first
(``orchestrator.services.masking``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Protocol
from uuid import UUID

# --- runs, by page ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """What a list of runs is narrowed to; None everywhere means all runs.

    ``partner`` is a partner's id, or ``OWN_PAGES``; ``system`` is a profile that runs wait for;
    ``is_late`` keeps the runs that should have moved more than a minute ago.
    """

    statuses: tuple[str, ...] | None = None
    journey: str | None = None
    partner: str | None = None
    system: str | None = None
    since: datetime | None = None
    is_late: bool = False


OWN_PAGES = "hub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place between two rows of a list."""

    at: datetime
    id: UUID


class Way(Enum):
    """From a position, towards older or newer rows."""

    OLDER = "older"
    NEWER = "newer"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One run as a list shows it; ``attempts`` counts the rows of its step log."""

    id: UUID
    journey: str
    version: int
    status: str
    attempts: int
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    wake_at: datetime | None
    waiting_for: str | None
    error_code: str | None
    is_late: bool
    source: str | None
    type: str | None
    our_ref: str | None
    place_name: str | None
    parent_id: UUID | None = None
    forked_from: UUID | None = None

    @property
    def position(self) -> Position:
        """Where this line stands in a list."""
        return Position(at=self.created_at, id=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A page of lines, newest first.

    ``stopped_at`` is set when the search was ended before the page was full: so many runs had been
    looked through that it goes on from there, on demand.
    """

    lines: Sequence[RunLine]
    has_more: bool
    stopped_at: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """How many runs, each counted up to ``CEILING`` + 1."""

    under_way: int
    failing: int
    stuck: int
    late: int


CEILING = 10_000


# --- one run -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A stored body: ``kept`` with its value, ``erased`` with its key, or ``none`` was stored."""

    state: str
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One attempt of one step, or an act of a person (``actor`` is not ``worker``)."""

    seq: int
    attempt: int
    name: str
    outcome: str
    cause: str | None
    error: Mapping[str, Any] | None
    started_at: datetime
    ended_at: datetime
    worker: str | None
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRow:
    """One call with a system and its four moments."""

    id: UUID
    step: str | None
    profile: str
    operation: str
    address: str
    status: int | None
    outcome: str
    asked_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime
    request: Body
    response: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """The message a run started with, as it came."""

    id: UUID
    source: str
    event_id: str
    type: str
    received_at: datetime
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class PreregistrationRow:
    """The pre-registration of a run; the library's own reference stays out."""

    state: str
    our_ref: str
    place_name: str | None
    commune: str | None
    service: str | None
    is_known_outside: bool
    updated_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSheet:
    """A run with the latest rows of its log; ``has_earlier_…`` tells that there are more."""

    line: RunLine
    step: int
    steps: Sequence[StepRow]
    has_earlier_steps: bool
    exchanges: Sequence[ExchangeRow]
    has_earlier_exchanges: bool
    message: MessageRow | None
    preregistration: PreregistrationRow | None


class RunRows(Protocol):
    """Reads runs."""

    def page(
        self, asked: RunFilter, *, size: int, start: Position | None = None, way: Way = Way.OLDER
    ) -> Looked:
        """Return the lines next to a position, newest first."""

    def counters(self) -> Counters:
        """Return the counters of the first page."""

    def partners(self) -> Mapping[str, str]:
        """Return the names of the partners by id."""

    def sheet(
        self, run_id: UUID, *, steps_before: int | None = None, exchanges_before: UUID | None = None
    ) -> RunSheet | None:
        """Return one run, or None."""


# --- systems -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LastExchange:
    """The last call with a system."""

    operation: str
    outcome: str
    status: int | None
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemRow:
    """One profile: its state, its breaker, what was last exchanged, and who waits for it."""

    profile: str
    connector: str
    state: str
    services: Sequence[str]
    is_paused: bool
    cause: str | None
    reason: str | None
    paused_at: datetime | None
    next_probe_at: datetime | None
    last: LastExchange | None
    last_success_at: datetime | None
    waiting: int


class SystemRows(Protocol):
    """Reads the systems of the city."""

    def systems(self) -> Sequence[SystemRow]:
        """Return every profile that is not retired, by name."""
