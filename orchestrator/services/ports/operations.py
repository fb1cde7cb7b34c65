"""What acts of people on runs need of the store: a run's head, the fenced act, the new run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

RETRY, RESUME, SKIP, DISCARD = "retry", "resume", "skip", "discard"
RESTART, FORK = "restart", "fork"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One row of a run's log, as far as acts need it."""

    seq: int
    attempt: int
    name: str
    outcome: str
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHead:
    """A run as an act finds it; ``effect_of`` is the run whose id its idempotency keys bear.

    ``ends_as`` is the code it was going back with when it was put aside on its way; ``keeps_reasons``
    says that its data key still seals why people act.
    """

    id: UUID
    journey: str
    version: int
    status: str
    step: int
    seq: int
    fence: int
    error_code: str | None
    waiting_for: str | None
    wake_at: datetime | None
    cancel_asked: bool
    pivoted: bool
    parent_id: UUID | None
    effect_of: UUID
    log: Sequence[LogLine]
    ends_as: str | None = None
    keeps_reasons: bool = True

    def outcomes(self, name: str) -> list[str]:
        """Return what became of each row of that name, oldest first."""
        return [row.outcome for row in self.log if row.name == name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """The item of a replay that an act settles in its own statement."""

    replay_id: UUID
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act on one run, written in one fenced statement with the row that tells it.

    ``head`` is the run as it was seen: another status or fence refuses the act. ``name`` and
    ``outcome`` are those of the row, ``cause`` the act; ``reason`` is kept sealed, or not at all.
    """

    head: RunHead
    to: str
    step: int
    name: str
    outcome: str
    cause: str
    actor: str
    reason: str | None = None
    error_code: str | None = None
    item: Item | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run that begins again on the message of another one, from ``step`` steps done.

    ``copied`` are the rows that are taken along; ``closes`` is the act that ends the old run in the
    same statement, when it is not over; ``effect_of`` is set when the idempotency keys stay, and
    ``pivoted`` when what stands cannot be taken back.
    """

    id: UUID
    head: RunHead
    version: int
    step: int
    copied: Sequence[LogLine]
    cause: str
    actor: str
    name: str
    reason: str | None = None
    effect_of: UUID | None = None
    pivoted: bool = False
    closes: Act | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActDone:
    """One act of a person as the log keeps it; ``reason`` is None once its key is gone."""

    seq: int
    attempt: int
    name: str
    cause: str
    actor: str
    reason: str | None
    at: datetime


class RunActs(Protocol):
    """Writes the acts of people."""

    def head(self, run_id: UUID) -> RunHead | None:
        """Return a run as it stands, or None."""

    def act(self, act: Act) -> bool:
        """Write an act; False when the run was moved by others meanwhile."""

    def begin(self, wanted: NewRun) -> bool:
        """Begin a new run; False when the old one was moved by others meanwhile.

        Raises:
            RunKeyHeldError: another run with the same key is under way.
            RunErasedError: what the old run had received cannot be read any more.
        """

    def acts(self, run_id: UUID) -> Sequence[ActDone]:
        """Return what people did to a run, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureKey:
    """What runs that failed alike have in common, as the tables tell it.

    ``name`` is that of the last row when it was a failed try, otherwise None and ``position`` says
    how many steps were done.
    """

    journey: str
    version: int
    position: int | None
    name: str | None
    error_class: str | None
    detail: str | None
    error_code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureCount:
    """How many runs are put aside for one failure, and since when."""

    key: FailureKey
    runs: int
    oldest_at: datetime
    newest_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterCount:
    """How many messages that became no run were put aside for one reason."""

    source: str
    reason: str
    letters: int
    oldest_at: datetime
    newest_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message that was put aside, with what is known of its death."""

    id: UUID
    source: str
    reason: str
    detail: Mapping[str, object]
    seen_at: datetime


class DeadLetterRows(Protocol):
    """Reads and closes what was put aside."""

    def failures(self) -> Sequence[FailureCount]:
        """Return the failures of the runs put aside, most frequent first."""

    def runs_of(self, keys: Sequence[FailureKey], *, most: int) -> Sequence[UUID]:
        """Return the oldest runs put aside for these failures."""

    def letters(self) -> Sequence[LetterCount]:
        """Return the reasons of the open dead letters, most frequent first."""

    def letters_of(self, source: str, reason: str, *, most: int) -> Sequence[Letter]:
        """Return the oldest open dead letters of one reason."""

    def wake_letters(self, source: str, reason: str, *, actor: str) -> int:
        """Wake the runs these letters name and close them; returns how many were closed."""

    def close_letters(self, source: str, reason: str, *, actor: str) -> int:
        """Close the open letters of one reason; returns how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """What a replay will do, frozen with its runs."""

    id: UUID
    act: str
    selection: Mapping[str, object]
    rate: int
    reason: str | None
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayState:
    """A replay with its figures; ``skipped`` counts, by reason, the runs it left alone."""

    id: UUID
    act: str
    selection: Mapping[str, object]
    rate: int
    state: str
    reason: str | None
    total: int
    pending: int
    done: int
    skipped: Mapping[str, int]
    planned_by: str
    planned_at: datetime
    started_by: str | None
    started_at: datetime | None
    stopped_by: str | None
    stopped_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a running replay may do within this second."""

    replay_id: UUID
    act: str
    reason: str | None
    actor: str
    runs: Sequence[tuple[UUID, int]]


class ReplayRows(Protocol):
    """Keeps replays and their frozen sets."""

    def plan(
        self, plan: ReplayPlan, keys: Sequence[FailureKey], *, since: datetime | None, most: int
    ) -> int:
        """Freeze the runs put aside for these failures, ``most`` at most; returns how many.

        Nothing is kept when there is none, or more than that.
        """

    def start(self, replay_id: UUID, *, actor: str) -> bool:
        """Let a planned or stopped replay go; False when it is not in such a state."""

    def stop(self, replay_id: UUID, *, actor: str) -> bool:
        """Stop a running replay; False when it does not run."""

    def state(self, replay_id: UUID) -> ReplayState | None:
        """Return a replay, or None."""

    def latest(self, *, most: int) -> Sequence[ReplayState]:
        """Return the latest replays, newest first."""

    def allow(self) -> Sequence[Allowance]:
        """Return what each running replay may do now, once a second each."""

    def leave(self, replay_id: UUID, run_id: UUID, *, reason: str) -> None:
        """Say that a replay left a run alone, and why."""

    def end_finished(self) -> int:
        """End the running replays that have nothing left to do; returns how many."""
