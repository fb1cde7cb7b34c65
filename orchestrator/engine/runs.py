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


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSignal:
    """A signal that no wait has taken yet."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as one read of the store gives it."""

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

    def outputs(self) -> dict[str, Mapping[str, Any]]:
        """Return the outputs of the steps that were done, by name."""
        return {row.name: row.output or {} for row in self.log if row.outcome == "ok"}

    def failures(self, step_name: str) -> int:
        """Return how many counted tries of a step failed."""
        failed = {"error", "timeout", "unknown"}
        return sum(row.name == step_name and row.outcome in failed for row in self.log)

    def attempts(self, step_name: str) -> int:
        """Return how many rows the log holds for a step, deferred ones included."""
        return sum(row.name == step_name for row in self.log)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One move of a run with the step row that explains it, written in one fenced statement."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """A run that waits for a signal; refused when one came meanwhile."""

    run_id: UUID
    fence: int
    signals: int
    to: str
    waiting_for: str
    wake_at: datetime | None
