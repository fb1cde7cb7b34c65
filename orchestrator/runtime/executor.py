"""Executes a run inline from where its row stands until it waits, ends, or belongs to somebody else."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import gevent
import structlog

from orchestrator import journeys as definitions
from orchestrator.engine.compensation import end_of, is_pivot, to_undo
from orchestrator.engine.effects import Effect, SignalConsumed, TaskOpened
from orchestrator.engine.faults import FaultPoint, no_faults
from orchestrator.engine.journey import (
    AskPerson,
    Done,
    End,
    ForEach,
    Journey,
    Require,
    Skipped,
    StartJourney,
    Step,
    Wait,
)
from orchestrator.engine.retry import Patience
from orchestrator.engine.runs import IN_DOUBT, Park, Transition
from orchestrator.engine.verdict import Verdict, described, verdict
from orchestrator.engine.world import World
from orchestrator.runtime.children import Children, Started, ended_signals
from orchestrator.runtime.endings import TellEnd, told_to_nobody
from orchestrator.runtime.moving import Changes, Meter, Mover, Position, Runs
from orchestrator.runtime.steps import Heard, Result, StepRunner, Try, Waiting, decision_signal
from orchestrator.runtime.undo import Undoing, goes_back
from orchestrator.store.committer import CommitUnknownError
from schemas import clock, ids
from schemas.receipts import Exchange

log = structlog.get_logger()
AFTER_FAILURE: Final = "retry discard"
"""What a person may decide about a step that used up its tries, when its policy asks one."""


class Executor:
    """Moves runs; one per worker process, used by many greenlets at once."""

    def __init__(
        self,
        *,
        runs: Runs,
        steps: StepRunner,
        world: World,
        journeys: Callable[[str, int], Journey | None],
        policy: Callable[[], Patience],
        worker: str,
        meter: Meter,
        fault: FaultPoint = no_faults,
        newest: Callable[[str], Journey | None] = definitions.newest,
        ends_told: TellEnd = told_to_nobody,
    ) -> None:
        self._mover = Mover(
            runs=runs,
            world=world,
            journeys=journeys,
            worker=worker,
            meter=meter,
            fault=fault,
            ends_told=ends_told,
        )
        self._undoing = Undoing(mover=self._mover, runs=runs, steps=steps, policy=policy)
        self._children = Children(runs=runs, newest=newest, journeys=journeys)
        self._runs = runs
        self._steps = steps
        self._policy = policy

    def execute(
        self, run_id: UUID, *, redelivered: bool, until: Callable[[], bool] = lambda: False
    ) -> bool:
        """Take a run as far as it goes; False when it was left on its way, for another worker.

        Args:
            run_id: The run a wake names.
            redelivered: Whether another worker may have been at it before.
            until: Asked between two steps whether to leave the run to others.

        Raises:
            StoreUnavailableError: the database went away; the wake must be given again.
            RunHeldError: another process has it in hand; to be tried again in a moment.
        """
        try:
            return self._executed(run_id, redelivered=redelivered, until=until)
        finally:
            self._runs.leave(run_id)

    def _executed(self, run_id: UUID, *, redelivered: bool, until: Callable[[], bool]) -> bool:
        structlog.contextvars.bind_contextvars(run_id=str(run_id))
        position = self._mover.position(run_id, redelivered=redelivered)
        while position is not None:
            if until():
                return False
            back = goes_back(position)
            position = self._undoing.advance(position) if back else self._advance(position)
        return True

    def _advance(self, at: Position) -> Position | None:
        """Try the next step once; returns where the run stands, or None when it left our hands."""
        step = at.journey.steps[at.run.step]
        if at.run.waiting_for == decision_signal(step.name) and not isinstance(step, AskPerson):
            return self._decided(at, step)
        context, exchanges = self._mover.context(at.run), list[Exchange]()
        result: Result | Started | Exception
        if isinstance(step, ForEach | StartJourney):
            result = self._mover.tried(lambda: self._children.look(at, step, context))
        else:
            may_repeat = at.may_repeat or at.run.in_doubt(step.name)
            may_repeat = (
                may_repeat or at.run.effect_of is not None
            )  # the first run may have done it
            attempt = Try(run=at.run, context=context, may_repeat=may_repeat, told=at.told)
            result = self._mover.tried(lambda: self._steps.run(step, attempt, exchanges))
        if isinstance(result, Exception):
            return self._failed(at, step, result, exchanges, context.now)
        match result:
            case Waiting():
                return self._wait(at, result)
            case Started.WAITING:
                return None
            case Started.MOVED:
                return self._mover.position(at.run.id, redelivered=at.may_repeat)
        changes = _changes(at, step, result)
        move = self._mover.transition(at.run, step.name, exchanges, context.now, **changes)
        return self._mover.write(
            at, self._end(at, step, result, move) if isinstance(result, End) else move
        )

    def _end(self, at: Position, step: Step, end: End, move: Transition) -> Transition:
        """Return the transition of an end before the last step: at once, or the way back first."""
        waits = isinstance(step, Wait | Require | AskPerson)
        answered = any(isinstance(effect, SignalConsumed) for effect in end.effects)
        move = replace(
            move,
            outcome="timeout" if waits and not answered else "ok",
            cause=end.outcome,
            error_code=end.outcome,
            effects=move.effects + end.effects,
        )
        if (waits if end.undo is None else end.undo) and _takes_back(at, in_doubt=False):
            return replace(move, to="compensating")
        ending = at.journey.on_end(self._mover.context(at.run), end.outcome)
        return replace(move, to="done", step=at.run.step + 1, effects=move.effects + ending)

    def _failed(
        self,
        at: Position,
        step: Step,
        error: Exception,
        exchanges: list[Exchange],
        started_at: datetime,
    ) -> Position | None:
        decided = verdict(
            error,
            failures=at.run.failures(step.name),
            policy=self._policy(),
            now=clock.utcnow(),
            jitter=random.uniform(0.9, 1.1),  # noqa: S311 - spreads load, guards nothing
        )
        if decided.outcome != "deferred":  # that a system is down is said once, by its breaker
            log.warning("step.failed", step=step.name, error=type(error).__name__, next=decided.to)
        in_doubt = at.may_repeat or decided.outcome == "unknown"
        move = self._mover.transition(at.run, step.name, exchanges, started_at)
        move = replace(
            move,
            to=decided.to,
            outcome=decided.outcome,
            cause=IN_DOUBT if at.may_repeat else None,
            error=described(error),
            wake_at=decided.wake_at,
            waiting_for=decided.waiting_for,
            error_code=decided.error_code,
            effects=move.effects + ended_signals(at.run),
            pivot=in_doubt and is_pivot(step),
        )
        after = self._mover.write(at, self._for_good(at, step, decided, move))
        if after is not None and decided.delay is not None:
            gevent.sleep(decided.delay)
        return after

    def _for_good(self, at: Position, step: Step, decided: Verdict, move: Transition) -> Transition:
        """Complete the move of a step that is not tried again by itself: a person, or the way back."""
        if decided.to == "waiting_human":
            task = TaskOpened(
                id=ids.uuid7(),
                step=step.name,
                kind="step_failed",
                question="step_failed",
                decisions=AFTER_FAILURE,
            )
            waiting_for = decision_signal(step.name)
            return replace(move, waiting_for=waiting_for, effects=(*move.effects, task))
        if decided.to == "stuck" and at.journey.on_failure == "undo" and not move.pivot:
            in_doubt = at.may_repeat or decided.outcome == "unknown"
            return self._given_up(at, move, in_doubt=in_doubt)
        return move

    def _given_up(self, at: Position, move: Transition, *, in_doubt: bool) -> Transition:
        """Return the move of a run that nobody tries on: the way back, or its end at once."""
        if at.run.pivoted:
            return move
        if _takes_back(at, in_doubt=in_doubt):
            return replace(move, to="compensating")
        _, outcome = end_of(at.run, undone=False)
        ending: tuple[Effect, ...] = at.journey.on_end(self._mover.context(at.run), outcome)
        return replace(move, to="failed", effects=move.effects + ending)

    def _decided(self, at: Position, step: Step) -> Position | None:
        """Do what a person decided about a step that used up its tries."""
        signal = at.run.signal(decision_signal(step.name))
        taken = (SignalConsumed(id=signal.id),) if signal else ()
        move = self._mover.transition(at.run, step.name, [], clock.utcnow())
        move = replace(move, outcome="deferred", cause="retry", effects=taken)
        if signal is not None and signal.decision == "discard":
            back = replace(move, to="stuck", cause="discard", error_code="retries_exhausted")
            in_doubt = at.may_repeat or at.run.in_doubt(step.name)
            move = self._given_up(at, back, in_doubt=in_doubt)
        return self._mover.write(at, move)

    def _wait(self, at: Position, waiting: Waiting) -> Position | None:
        seconds = waiting.timeout_seconds
        parked = Park(
            run_id=at.run.id,
            fence=at.run.fence,
            signals=at.run.signals,
            to=waiting.to,
            waiting_for=waiting.signal,
            wake_at=None if seconds is None else clock.utcnow() + timedelta(seconds=seconds),
            task=waiting.task,
        )
        try:
            if self._runs.park(parked):
                return None
        except CommitUnknownError:
            pass
        return self._mover.position(at.run.id, redelivered=at.may_repeat)


def _changes(at: Position, step: Step, result: Done | End | Skipped | Heard) -> Changes:
    """Return what a step's result changes; an end is decided apart."""
    done = at.run.step + 1
    to = "done" if done == len(at.journey.steps) else "ready"
    match result:
        case Done():
            return {
                "to": to,
                "step": done,
                "output": result.output,
                "effects": result.effects,
                "citizen_id": result.citizen_id,
                "pivot": result.pivot or is_pivot(step),
            }
        case Skipped():
            return {"to": to, "step": done, "outcome": "skipped", "cause": result.reason}
        case Heard():
            return {"outcome": "deferred", "cause": "heard", "effects": result.effects}
        case End():
            return {}


def _takes_back(at: Position, *, in_doubt: bool) -> bool:
    """Tell whether there is something to take back before the run ends."""
    if at.run.pivoted:
        return False
    return at.run.open_children > 0 or any(to_undo(at.journey, at.run, in_doubt=in_doubt))
