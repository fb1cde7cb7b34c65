"""Takes back what a run did, the latest first: each undo is a logged step with its own retries.

What cannot be undone for now waits with the run, which stays ``compensating``; what cannot be undone
at all puts the run aside with a task for a person: nothing is left half done in silence.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import gevent
import structlog

from orchestrator.engine.compensation import Undoable, end_of, is_pivot, to_undo
from orchestrator.engine.effects import Effect, TaskOpened, TasksClosed
from orchestrator.engine.journey import ForEach, Skipped, StartJourney
from orchestrator.engine.retry import Patience
from orchestrator.engine.runs import ENDED, IN_DOUBT, UNDO, Transition
from orchestrator.engine.verdict import described, verdict
from orchestrator.runtime.moving import Mover, Position, Runs
from orchestrator.runtime.steps import StepRunner, Try
from schemas import clock, ids
from schemas.errors import CompensationFailedError, RunStateError
from schemas.receipts import Exchange

log = structlog.get_logger()


def goes_back(at: Position) -> bool:
    """Tell whether a run takes back what it did.

    One that was asked to stop does, unless it passed a pivot, or may have passed it unknown to us:
    then the pivot's own answer is found first.
    """
    run = at.run
    if not run.cancel_asked or run.status == "compensating":
        return run.status == "compensating"
    step = at.journey.steps[run.step] if run.step < len(at.journey.steps) else None
    in_doubt = step is not None and is_pivot(step) and (at.may_repeat or run.in_doubt(step.name))
    return not run.pivoted and not in_doubt


class Undoing:
    """Moves runs that go back; one per worker process, used by many greenlets at once."""

    def __init__(
        self, *, mover: Mover, runs: Runs, steps: StepRunner, policy: Callable[[], Patience]
    ) -> None:
        self._mover = mover
        self._runs = runs
        self._steps = steps
        self._policy = policy

    def advance(self, at: Position) -> Position | None:
        """Take back one step; returns where the run stands, or None when it left our hands."""
        if at.run.open_children:
            return self._children_first(at)
        ahead = list(to_undo(at.journey, at.run, in_doubt=at.may_repeat))
        if ahead:
            return self._undo(at, ahead[0], is_last=len(ahead) == 1)
        move = self._mover.transition(at.run, "journey:undo", [], clock.utcnow())
        move = replace(move, outcome="compensated", cause="nothing_to_undo")
        return self._mover.write(at, self._ended(at, move, undone=False))

    def _children_first(self, at: Position) -> Position | None:
        """Ask the open children to stop and wait for their ends: they come before what we did."""
        step = at.journey.steps[at.run.step]
        if isinstance(step, ForEach | StartJourney):
            cancel_open(self._runs, at, step.name)
        if self._runs.wait_for_children(at.run):
            return None
        return self._mover.position(at.run.id, redelivered=at.may_repeat)

    def _undo(self, at: Position, step: Undoable, *, is_last: bool) -> Position | None:
        context, exchanges = self._mover.context(at.run), list[Exchange]()
        name = step.name + UNDO
        may_repeat = at.may_repeat or at.run.in_doubt(name)
        attempt = Try(run=at.run, context=context, may_repeat=may_repeat)
        result = self._mover.tried(
            lambda: self._steps.undo(step, attempt, exchanges, before=_before(at, step))
        )
        if isinstance(result, Exception):
            return self._failed(at, name, result, exchanges, context.now)
        move = self._mover.transition(at.run, name, exchanges, context.now)
        move = replace(move, to="compensating", error_code=at.run.error_code)
        if isinstance(result, Skipped):
            move = replace(move, outcome="skipped", cause=result.reason)
        else:
            effects = move.effects + result.effects
            move = replace(move, outcome="compensated", effects=effects)
        is_undone = move.outcome == "compensated"
        return self._mover.write(at, self._ended(at, move, undone=is_undone) if is_last else move)

    def _ended(self, at: Position, move: Transition, *, undone: bool) -> Transition:
        """Return the move that ends the run, with what its end changes in the hub."""
        status, outcome = end_of(at.run, undone=undone)
        made: tuple[Effect, ...] = at.journey.on_end(self._mover.context(at.run), outcome)
        return replace(
            move,
            to=status,
            error_code=at.run.error_code,
            effects=(*move.effects, *made, TasksClosed(reason="undone")),
        )

    def _failed(
        self,
        at: Position,
        name: str,
        error: Exception,
        exchanges: list[Exchange],
        started_at: datetime,
    ) -> Position | None:
        decided = verdict(
            error,
            failures=at.run.failures(name),
            policy=self._policy(),
            now=clock.utcnow(),
            jitter=random.uniform(0.9, 1.1),  # noqa: S311 - spreads load, guards nothing
        )
        is_over = isinstance(error, CompensationFailedError)
        is_over = is_over or decided.to in {"stuck", "waiting_human"}
        if is_over or decided.outcome != "deferred":
            log.warning("undo.failed", step=name, error=type(error).__name__, is_over=is_over)
        move = replace(
            self._mover.transition(at.run, name, exchanges, started_at),
            to="compensating",
            outcome="error" if is_over and decided.outcome == "deferred" else decided.outcome,
            cause=IN_DOUBT if at.may_repeat else None,
            error=described(error),
            wake_at=None if is_over else decided.wake_at,
            waiting_for=None if is_over else decided.waiting_for,
            error_code=at.run.error_code,
        )
        if is_over:
            move = replace(move, to="stuck", error_code="undo_failed", effects=_asks(move, name))
        after = self._mover.write(at, move)
        if after is not None and decided.delay is not None:
            gevent.sleep(decided.delay)
        return after


def cancel_open(runs: Runs, at: Position, step: str) -> None:
    """Ask the children of a step that are under way to stop; one past its pivot goes on."""
    for child in runs.children(at.run.id, step, key=at.key):
        if child.status not in ENDED:
            with suppress(RunStateError):
                runs.cancel(child.id, actor=f"run:{at.run.id}")


def _before(at: Position, step: Undoable) -> frozenset[str]:
    """Return the names of a step and of those before it: its undo sees what it saw, and its own."""
    names = [known.name for known in at.journey.steps]
    return frozenset(names[: names.index(step.name) + 1])


def _asks(move: Transition, name: str) -> tuple[Effect, ...]:
    task = TaskOpened(
        id=ids.uuid7(), step=name, kind="undo_failed", question="undo_failed", decisions=""
    )
    return (*move.effects, task)
