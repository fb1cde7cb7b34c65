"""Executes a run inline from where its row stands until it waits, ends, or belongs to somebody else."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import gevent
import structlog

from orchestrator.engine.effects import ExchangeMade, NotificationSent
from orchestrator.engine.faults import FaultPoint, no_faults
from orchestrator.engine.journey import Done, End, Journey, Skipped, Step, StepContext
from orchestrator.engine.retry import RetryPolicy
from orchestrator.engine.runs import ENDED, LoggedStep, Park, Run, Transition
from orchestrator.engine.verdict import described, verdict
from orchestrator.engine.world import World
from orchestrator.runtime.steps import StepRunner, Try, Waiting, made
from orchestrator.store.committer import CommitUnknownError
from orchestrator.store.vault import DataKey
from schemas import clock
from schemas.errors import StoreUnavailableError
from schemas.receipts import Exchange

log = structlog.get_logger()


class Runs(Protocol):
    """The store of runs, as the executor needs it."""

    def read(self, run_id: UUID) -> tuple[Run, DataKey | None] | None:
        """Return a run with its data key, or None."""

    def transit(
        self, move: Transition, *, seq: int, key: DataKey | None, worker: str
    ) -> tuple[int, str] | None:
        """Write one transition; None when others moved the run."""

    def park(self, parked: Park) -> bool:
        """Let a run wait for a signal; False when one came meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Position:
    """A run in hand: its row as we last saw or left it, its key, its journey."""

    run: Run
    key: DataKey | None
    journey: Journey
    may_repeat: bool


class Meter(Protocol):
    """Figures for the people who watch the hub."""

    def attempted(self, profile: str, outcome: str) -> None:
        """Count one attempt of a step at a system."""

    def notified(self, channel: str, status: str) -> None:
        """Count one message to a person."""

    def ended(self, journey: str, outcome: str, *, seconds: float) -> None:
        """Count one run that ended, and how long it took."""


class Executor:
    """Moves runs; one per worker process, used by many greenlets at once."""

    def __init__(
        self,
        *,
        runs: Runs,
        steps: StepRunner,
        world: World,
        journeys: Callable[[str, int], Journey | None],
        policy: Callable[[], RetryPolicy],
        worker: str,
        meter: Meter,
        fault: FaultPoint = no_faults,
    ) -> None:
        self._meter = meter
        self._runs = runs
        self._steps = steps
        self._world = world
        self._journeys = journeys
        self._policy = policy
        self._worker = worker
        self._fault = fault

    def execute(self, run_id: UUID, *, redelivered: bool) -> None:
        """Take a run as far as it goes.

        Args:
            run_id: The run a wake names.
            redelivered: Whether another worker may have been at it before.

        Raises:
            StoreUnavailableError: the database went away; the wake must be given again.
        """
        structlog.contextvars.bind_contextvars(run_id=str(run_id))
        position = self._position(run_id, redelivered=redelivered)
        while position is not None:
            position = self._advance(position)

    def _position(self, run_id: UUID, *, redelivered: bool) -> _Position | None:
        found = self._runs.read(run_id)
        if found is None or found[0].status != "ready":
            return None
        run, key = found
        journey = self._journeys(run.journey, run.version)
        if journey is None:
            self._put_aside(run, key, "version_unknown")
            return None
        repeat = redelivered or run.recoveries > 0
        return _Position(run=run, key=key, journey=journey, may_repeat=repeat)

    def _advance(self, at: _Position) -> _Position | None:
        """Try the next step once; returns where the run stands, or None when it left our hands."""
        step = at.journey.steps[at.run.step]
        context, exchanges = self._context(at.run), list[Exchange]()
        started_at = context.now
        attempt = Try(run=at.run, context=context, may_repeat=at.may_repeat or _in_doubt(at, step))
        try:
            self._fault("worker.before_call")
            result = self._steps.run(step, attempt, exchanges)
            self._fault("worker.after_call")
        except StoreUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - the worker's loop is where any bug of a step ends
            return self._failed(at, step, error, exchanges, started_at)
        if isinstance(result, Waiting):
            return self._wait(at, result)
        move = self._move(at, step, result, exchanges, started_at)
        return self._moved(at, move)

    def _context(self, run: Run) -> StepContext:
        return StepContext(
            run_id=run.id,
            data_key_id=run.data_key_id,
            citizen_id=run.citizen_id,
            start=run.start,
            outputs=run.outputs(),
            now=clock.utcnow(),
            world=self._world,
        )

    def _move(
        self,
        at: _Position,
        step: Step,
        result: Done | End | Skipped,
        exchanges: list[Exchange],
        started_at: datetime,
    ) -> Transition:
        """Return the transition that a step's result makes."""
        move = self._transition(at.run, step, exchanges, started_at)
        last = at.run.step + 1 == len(at.journey.steps)
        to, done = "done" if last else "ready", at.run.step + 1
        match result:
            case Done():
                effects = move.effects + result.effects
                return replace(
                    move,
                    to=to,
                    step=done,
                    output=result.output,
                    effects=effects,
                    citizen_id=result.citizen_id,
                )
            case Skipped():
                return replace(move, to=to, step=done, outcome="skipped", cause=result.reason)
            case End():
                ending = at.journey.on_end(self._context(at.run), result.outcome)
                outcome = "timeout" if at.run.waiting_for else "ok"
                return replace(
                    move,
                    to="done",
                    step=done,
                    outcome=outcome,
                    cause=result.outcome,
                    error_code=result.outcome,
                    effects=move.effects + result.effects + ending,
                )

    def _transition(
        self, run: Run, step: Step, exchanges: list[Exchange], started_at: datetime
    ) -> Transition:
        return Transition(
            run_id=run.id,
            fence=run.fence,
            step=run.step,
            to="ready",
            name=step.name,
            attempt=run.attempts(step.name) + 1,
            outcome="ok",
            started_at=started_at,
            ended_at=clock.utcnow(),
            effects=made(step.name, exchanges),
        )

    def _failed(
        self,
        at: _Position,
        step: Step,
        error: Exception,
        exchanges: list[Exchange],
        started_at: datetime,
    ) -> _Position | None:
        decided = verdict(
            error,
            failures=at.run.failures(step.name),
            policy=self._policy(),
            now=clock.utcnow(),
            jitter=random.uniform(0.9, 1.1),  # noqa: S311 - spreads load, guards nothing
        )
        log.warning("step.failed", step=step.name, error=type(error).__name__, next=decided.to)
        move = replace(
            self._transition(at.run, step, exchanges, started_at),
            to=decided.to,
            outcome=decided.outcome,
            error=described(error),
            wake_at=decided.wake_at,
            waiting_for=decided.waiting_for,
            error_code=decided.error_code,
        )
        after = self._moved(at, move)
        if after is not None and decided.delay is not None:
            gevent.sleep(decided.delay)
        return after

    def _wait(self, at: _Position, waiting: Waiting) -> _Position | None:
        parked = Park(
            run_id=at.run.id,
            fence=at.run.fence,
            signals=at.run.signals,
            to="waiting_signal",
            waiting_for=waiting.signal,
            wake_at=clock.utcnow() + timedelta(seconds=waiting.timeout_seconds),
        )
        try:
            if self._runs.park(parked):
                return None
        except CommitUnknownError:
            pass
        return self._position(at.run.id, redelivered=at.may_repeat)

    def _moved(self, at: _Position, move: Transition) -> _Position | None:
        """Write a transition; returns the new position while the run is still in our hands."""
        seq = at.run.seq + 1
        try:
            moved = self._runs.transit(move, seq=seq, key=at.key, worker=self._worker)
        except CommitUnknownError:
            return self._after_doubt(at, move, seq)
        self._fault("worker.after_commit")
        if moved is not None:
            self._measure(at.run, move)
        if moved is None or moved[1] != "ready":
            return None
        return replace(at, run=_after(at.run, move, seq, moved[0]), may_repeat=False)

    def _measure(self, run: Run, move: Transition) -> None:
        for effect in move.effects:
            if isinstance(effect, ExchangeMade):
                self._meter.attempted(effect.exchange.profile, move.outcome)
            elif isinstance(effect, NotificationSent):
                self._meter.notified(effect.channel, "sent")
        if move.to in ENDED:
            seconds = (move.ended_at - run.created_at).total_seconds()
            self._meter.ended(run.journey, move.error_code or move.to, seconds=seconds)

    def _after_doubt(self, at: _Position, move: Transition, seq: int) -> _Position | None:
        """The connection broke while committing: the row tells whether it was written."""
        found = self._runs.read(at.run.id)
        if found is None or found[0].status != "ready":
            return None
        written = any(row.seq == seq and row.name == move.name for row in found[0].log)
        if found[0].fence == at.run.fence + 1 and written:
            return replace(at, run=found[0], may_repeat=False)
        if found[0].fence == at.run.fence:
            return replace(at, run=found[0], may_repeat=True)
        return None

    def _put_aside(self, run: Run, key: DataKey | None, code: str) -> None:
        now = clock.utcnow()
        move = Transition(
            run_id=run.id,
            fence=run.fence,
            step=run.step,
            to="stuck",
            name="journey",
            attempt=1,
            outcome="error",
            started_at=now,
            ended_at=now,
            error_code=code,
        )
        self._runs.transit(move, seq=run.seq + 1, key=key, worker=self._worker)


def _in_doubt(at: _Position, step: Step) -> bool:
    """Tell whether the last try of this step left without our knowing its outcome."""
    tries = [row for row in at.run.log if row.name == step.name]
    return bool(tries) and tries[-1].outcome == "unknown"


def _after(run: Run, move: Transition, seq: int, fence: int) -> Run:
    """Return the run as our own transition left it, without reading it again."""
    row = LoggedStep(
        seq=seq, attempt=move.attempt, name=move.name, outcome=move.outcome, output=move.output
    )
    return replace(
        run,
        step=move.step,
        seq=seq,
        fence=fence,
        waiting_for=move.waiting_for,
        recoveries=0 if move.outcome == "ok" else run.recoveries,
        citizen_id=move.citizen_id or run.citizen_id,
        log=(*run.log, row),
    )
