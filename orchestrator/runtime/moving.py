"""A run in hand: where it stands, and the one way each move of it is written.

Whoever moves runs (the executor forwards, the undo backwards) asks this, so that the fence, the
doubt after a lost connection and the figures are treated in one place.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, TypedDict, TypeVar, Unpack
from uuid import UUID

from orchestrator.engine.effects import (
    ConsentRecorded,
    Effect,
    ExchangeMade,
    NotificationSent,
    SignalConsumed,
)
from orchestrator.engine.faults import FaultPoint
from orchestrator.engine.journey import Journey, StepContext
from orchestrator.engine.runs import (
    ENDED,
    IN_HAND,
    ChildEnd,
    LoggedStep,
    Moved,
    Park,
    Run,
    Spawn,
    StoredSignal,
    Transition,
)
from orchestrator.engine.world import World
from orchestrator.runtime.endings import TellEnd, told_to_nobody
from orchestrator.runtime.steps import made
from orchestrator.services.ports.running import Told
from orchestrator.store.committer import CommitUnknownError
from orchestrator.store.vault import DataKey
from schemas import clock
from schemas.errors import StoreUnavailableError
from schemas.receipts import Exchange

T = TypeVar("T")


class Runs(Protocol):
    """The store of runs, as whoever moves them needs it."""

    def take(self, run_id: UUID) -> tuple[Run, DataKey | None] | None:
        """Take a run in hand and return it with its data key, or None; RunHeldError: others have it."""

    def leave(self, run_id: UUID) -> None:
        """Let others have a run."""

    def transit(
        self, move: Transition, *, seq: int, key: DataKey | None, worker: str
    ) -> Moved | None:
        """Write one transition; None when others moved the run."""

    def park(self, parked: Park) -> bool:
        """Let a run wait; False when a signal or a cancel came meanwhile."""

    def spawn(self, wanted: Spawn, *, key: DataKey | None) -> bool:
        """Start the children of a step and let their parent wait; False when others moved it."""

    def children(self, parent_id: UUID, step: str, *, key: DataKey | None) -> Sequence[ChildEnd]:
        """Return the latest child of each item of a step."""

    def wait_for_children(self, run: Run) -> bool:
        """Let a run that goes back wait until its children ended; False when they all have."""

    def cancel(self, run_id: UUID, *, actor: str, reason: str | None = None) -> str | None:
        """Ask a run to stop; raises RunStateError when it only goes forward."""


class Meter(Protocol):
    """Figures for the people who watch the hub."""

    def attempted(self, profile: str, outcome: str) -> None:
        """Count one attempt of a step at a system."""

    def notified(self, channel: str, status: str) -> None:
        """Count one message to a person."""

    def ended(self, journey: str, outcome: str, *, seconds: float) -> None:
        """Count one run that ended, and how long it took."""


class Changes(TypedDict, total=False):
    """What a transition may change, as ``Transition`` names it."""

    to: str
    step: int
    outcome: str
    cause: str
    output: Mapping[str, Any] | None
    effects: tuple[Effect, ...]
    citizen_id: UUID | None
    pivot: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A run in hand: its row as we last saw or left it, its key, its journey.

    ``may_repeat`` says that somebody may have been at its next step before us. ``told`` is what the
    person told about purposes, as it still stands after the run's last move.
    """

    run: Run
    key: DataKey | None
    journey: Journey
    may_repeat: bool
    told: dict[str, Told] = field(default_factory=dict)


class Mover:
    """Reads runs and writes their moves; one per worker process, used by many greenlets at once."""

    def __init__(
        self,
        *,
        runs: Runs,
        world: World,
        journeys: Callable[[str, int], Journey | None],
        worker: str,
        meter: Meter,
        fault: FaultPoint,
        ends_told: TellEnd = told_to_nobody,
    ) -> None:
        self._runs = runs
        self._world = world
        self._journeys = journeys
        self._worker = worker
        self._meter = meter
        self._fault = fault
        self._ends_told = ends_told

    def position(self, run_id: UUID, *, redelivered: bool) -> Position | None:
        """Take a run in hand; None when there is nothing to do for it now: it waits, or is over."""
        found = self._runs.take(run_id)
        if found is None or found[0].status not in IN_HAND or found[0].wake_at is not None:
            return None
        run, key = found
        journey = self._journeys(run.journey, run.version)
        if journey is None:
            self._put_aside(run, key, "version_unknown")
            return None
        repeat = redelivered or run.recoveries > 0
        return Position(run=run, key=key, journey=journey, may_repeat=repeat)

    def context(self, run: Run) -> StepContext:
        """Return what a step of a run may read."""
        return StepContext(
            run_id=run.id,
            data_key_id=run.data_key_id,
            citizen_id=run.citizen_id,
            start=run.start,
            outputs=run.outputs(),
            now=clock.utcnow(),
            world=self._world,
        )

    def tried(self, act: Callable[[], T]) -> T | Exception:
        """Act once; returns what came of it, an error included that says what comes next.

        Raises:
            StoreUnavailableError: the database went away; the wake must be given again.
        """
        try:
            self._fault("worker.before_call")
            result = act()
            self._fault("worker.after_call")
        except StoreUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - the worker's loop is where any bug of a step ends
            return error
        return result

    def transition(
        self,
        run: Run,
        name: str,
        exchanges: list[Exchange],
        started_at: datetime,
        **changes: Unpack[Changes],
    ) -> Transition:
        """Return the transition of a try; it keeps the run where it is but for the ``changes``."""
        return Transition(
            run_id=run.id,
            fence=run.fence,
            step=changes.get("step", run.step),
            to=changes.get("to", run.status),
            name=name,
            attempt=run.attempts(name) + 1,
            outcome=changes.get("outcome", "ok"),
            started_at=started_at,
            ended_at=clock.utcnow(),
            cause=changes.get("cause"),
            output=changes.get("output"),
            citizen_id=changes.get("citizen_id"),
            effects=made(name, exchanges) + changes.get("effects", ()),
            pivot=changes.get("pivot", False),
        )

    def write(self, at: Position, move: Transition) -> Position | None:
        """Write a transition; returns the new position while the run is still in our hands."""
        seq = at.run.seq + 1
        if move.to in ENDED:
            told = self._ends_told(at.run, move)
            move = replace(move, parent_id=at.run.parent_id, effects=move.effects + told)
        try:
            moved = self._runs.transit(move, seq=seq, key=at.key, worker=self._worker)
        except CommitUnknownError:
            return self._after_doubt(at, move, seq)
        self._fault("worker.after_commit")
        if moved is None:
            return None
        self._measure(at.run, move)
        if moved.status not in IN_HAND or move.wake_at is not None:
            return None
        if moved.status != at.run.status:
            return self.position(at.run.id, redelivered=False)
        return Position(
            run=_after(at.run, move, seq, moved.fence),
            key=at.key,
            journey=at.journey,
            may_repeat=False,
            told=at.told if _still_told(at, move, moved) else {},
        )

    def _measure(self, run: Run, move: Transition) -> None:
        for effect in move.effects:
            if isinstance(effect, ExchangeMade):
                self._meter.attempted(effect.exchange.profile, move.outcome)
            elif isinstance(effect, NotificationSent):
                self._meter.notified(effect.channel, "sent")
        if move.to in ENDED:
            seconds = (move.ended_at - run.created_at).total_seconds()
            self._meter.ended(run.journey, move.error_code or move.to, seconds=seconds)

    def _after_doubt(self, at: Position, move: Transition, seq: int) -> Position | None:
        """The connection broke while committing: the row tells whether it was written."""
        found = self.position(at.run.id, redelivered=True)
        if found is None:
            return None
        written = any(row.seq == seq and row.name == move.name for row in found.run.log)
        if found.run.fence == at.run.fence + 1 and written:
            return replace(found, may_repeat=False)
        return found if found.run.fence == at.run.fence else None

    def _put_aside(self, run: Run, key: DataKey | None, code: str) -> None:
        move = self.transition(run, "journey", [], clock.utcnow())
        move = replace(move, to="stuck", outcome="error", error_code=code)
        self._runs.transit(move, seq=run.seq + 1, key=key, worker=self._worker)


def _after(run: Run, move: Transition, seq: int, fence: int) -> Run:
    """Return the run as our own transition left it, without reading it again."""
    row = LoggedStep(
        seq=seq,
        attempt=move.attempt,
        name=move.name,
        outcome=move.outcome,
        output=move.output,
        cause=move.cause,
    )
    return replace(
        run,
        step=move.step,
        seq=seq,
        fence=fence,
        waiting_for=move.waiting_for,
        error_code=move.error_code,
        recoveries=0 if move.outcome in {"ok", "compensated"} else run.recoveries,
        citizen_id=move.citizen_id or run.citizen_id,
        pivoted=run.pivoted or move.pivot,
        log=(*run.log, row),
        pending=_untaken(run, move) if run.pending else run.pending,
    )


def _still_told(at: Position, move: Transition, moved: Moved) -> bool:
    """Tell whether what was read of consents before a move still stood when it was written."""
    if move.outcome != "ok" or move.citizen_id is not None:
        return False
    if any(isinstance(effect, ConsentRecorded) for effect in move.effects):
        return False
    return all(told.changes == moved.consents for told in at.told.values())


def _untaken(run: Run, move: Transition) -> tuple[StoredSignal, ...]:
    """Return the signals that the move did not consume."""
    taken = {effect.id for effect in move.effects if isinstance(effect, SignalConsumed)}
    return tuple(signal for signal in run.pending if signal.id not in taken)
