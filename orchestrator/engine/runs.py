"""How a run moves: statuses, the legal moves between them, and the transition that logs a step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from orchestrator.engine.effects import Effect
from orchestrator.engine.journey import Start

LEASE: Final = timedelta(seconds=120)
ENDED: Final = frozenset({"done", "failed", "compensated", "cancelled"})
WAITING: Final = frozenset({"waiting_timer", "waiting_signal", "waiting_human"})
IN_HAND: Final = frozenset({"ready", "compensating"})
FAULTS: Final = frozenset(
    {"retries_exhausted", "rejected", "contract_broken", "recoveries", "undo_failed"}
    | {"version_unknown", "outcome_unknown"}
)
"""The ``error_code`` of runs put aside; any other one is how a journey says that a run ended."""
UNDO: Final = ":undo"
"""What a step's name ends with in the row of its undo, and its key in the call that undoes it."""
IN_DOUBT: Final = "in_doubt"
"""The cause of a failed try that came after one of which nobody knows how it ended."""
CHILDREN_ENDED: Final = "children.ended"
CHILDREN_DONE: Final = "children.done"
"""What a parent waits for: that all children ended, or that all did well (the first bad end wakes)."""
MOVES: Final[Mapping[str, frozenset[str]]] = {
    "ready": frozenset({"ready", "compensating", "stuck", "failed", "done", "cancelled"} | WAITING),
    "waiting_timer": frozenset({"ready", "compensating", "stuck"}),
    "waiting_signal": frozenset({"ready", "compensating", "stuck"}),
    "waiting_human": frozenset({"ready", "compensating", "stuck", "failed"}),
    "compensating": frozenset({"compensating", "compensated", "cancelled", "failed", "stuck"}),
    "stuck": frozenset({"ready", "compensating", "failed"}),
}
OUTCOMES: Final = frozenset(
    {"ok", "error", "timeout", "unknown", "skipped", "deferred", "compensated"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedStep:
    """One row of the step log, its output opened."""

    seq: int
    attempt: int
    name: str
    outcome: str
    output: Mapping[str, Any] | None
    actor: str = "worker"
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSignal:
    """A signal that no wait has taken yet; ``decision`` is a person's, when it tells one."""

    id: UUID
    name: str
    decision: str | None = None
    payload: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as one read of the store gives it.

    ``pivoted`` says that it did something that cannot be taken back: it only goes forward.
    ``effect_of`` is the run whose id its idempotency keys bear, when it is not its own.
    """

    id: UUID
    journey: str
    version: int
    status: str
    step: int
    seq: int
    fence: int
    signals: int
    recoveries: int
    waiting_for: str | None
    citizen_id: UUID | None
    data_key_id: UUID | None
    created_at: datetime
    start: Start
    log: tuple[LoggedStep, ...]
    pending: tuple[StoredSignal, ...]
    wake_at: datetime | None = None
    error_code: str | None = None
    cancel_asked: bool = False
    pivoted: bool = False
    open_children: int = 0
    parent_id: UUID | None = None
    effect_of: UUID | None = None

    def outputs(self) -> dict[str, Mapping[str, Any]]:
        """Return the outputs of the steps that were done, by name."""
        return {row.name: row.output or {} for row in self.log if row.outcome == "ok"}

    def failures(self, step_name: str) -> int:
        """Return how many counted tries of a step failed since a person last took care of the run."""
        failed = {"error", "timeout", "unknown"}
        count = 0
        for row in self.log:
            if row.actor != "worker":
                count = 0
            elif row.name == step_name and row.outcome in failed:
                count += 1
        return count

    def key(self, step_name: str) -> str:
        """Return the idempotency key of a step, the same for every attempt."""
        return f"{self.effect_of or self.id}:{step_name}"

    def in_doubt(self, step_name: str) -> bool:
        """Tell whether a try of a step may have got through without our knowing."""
        for row in self.log:
            if row.name == step_name and leaves_doubt(row.outcome, row.cause):
                return True
        return False

    def signal(self, name: str) -> StoredSignal | None:
        """Return the oldest signal of a name that no wait has taken."""
        return next((stored for stored in self.pending if stored.name == name), None)

    def attempts(self, step_name: str) -> int:
        """Return how many rows the log holds for a step, deferred ones included."""
        return sum(row.name == step_name for row in self.log)


def leaves_doubt(outcome: str, cause: str | None) -> bool:
    """Tell of a row of the log whether nobody knows that the try it tells did nothing."""
    return outcome == "unknown" or cause == IN_DOUBT


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One move of a run with the step row that explains it, written in one fenced statement.

    ``pivot`` says that from now on the run only goes forward; ``parent_id`` is given with the move
    that ends a child, whose parent is told in the same statement.
    """

    run_id: UUID
    fence: int
    step: int
    to: str
    name: str
    attempt: int
    outcome: str
    started_at: datetime
    ended_at: datetime
    cause: str | None = None
    output: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    wake_at: datetime | None = None
    waiting_for: str | None = None
    error_code: str | None = None
    citizen_id: UUID | None = None
    data_key_id: UUID | None = None
    effects: tuple[Effect, ...] = field(default_factory=tuple)
    pivot: bool = False
    parent_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What a written transition left: ``consents`` counts the changes of the person's consents."""

    fence: int
    status: str
    consents: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a person is asked: ``question`` is the key of the sentence, ``decisions`` the answers."""

    id: UUID
    step: str
    kind: str
    question: str
    decisions: tuple[str, ...]
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """A run that waits for a signal, a time or a person; refused when a signal came meanwhile.

    A ``task`` is opened with it; one that is open already for that step is marked as overdue.
    """

    run_id: UUID
    fence: int
    signals: int
    to: str
    waiting_for: str
    wake_at: datetime | None
    task: Task | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A run to start for a parent: ``item`` tells it from its brothers."""

    id: UUID
    item: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawn:
    """The children of a step, started in the statement that lets their parent wait for them."""

    run_id: UUID
    fence: int
    step: str
    journey: str
    version: int
    waiting_for: str
    children: tuple[Child, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEnd:
    """What became of a child, or its status while it is under way; ``output`` is its last step's.

    ``steps`` are those that were done and stand, by name; ``pivoted`` as in ``Run``.
    """

    id: UUID
    item: str
    status: str
    error_code: str | None
    output: Mapping[str, Any] | None
    version: int = 1
    pivoted: bool = False
    steps: frozenset[str] = frozenset()


def child_key(parent_id: UUID, step: str, item: str = "") -> str:
    """Return the key of a child's run."""
    return f"{parent_id}:{step}:{item}"
