"""Steps that start runs of another journey: started together, awaited, and what became of them."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

from orchestrator.engine.compensation import leaves_something
from orchestrator.engine.effects import SignalConsumed
from orchestrator.engine.journey import Done, ForEach, Journey, StartJourney, StepContext
from orchestrator.engine.runs import (
    CHILDREN_DONE,
    CHILDREN_ENDED,
    ENDED,
    Child,
    ChildEnd,
    Run,
    Spawn,
)
from orchestrator.runtime.moving import Position, Runs
from orchestrator.runtime.steps import Waiting
from orchestrator.runtime.undo import cancel_open
from schemas import ids
from schemas.errors import ConfigurationError, RunError

ONLY: Final = "only"


class Started(Enum):
    """What became of the wish to start children."""

    WAITING = "waiting"
    MOVED = "moved"


class Children:
    """Runs the steps that start other runs."""

    def __init__(
        self,
        *,
        runs: Runs,
        newest: Callable[[str], Journey | None],
        journeys: Callable[[str, int], Journey | None],
    ) -> None:
        self._runs = runs
        self._newest = newest
        self._journeys = journeys

    def look(
        self, at: Position, step: ForEach | StartJourney, context: StepContext
    ) -> Done | Waiting | Started:
        """Start the children, wait for them, or tell what became of them.

        Raises:
            RunError: a child ended badly where all had to end well.
        """
        run = at.run
        if run.signal(CHILDREN_ENDED) is not None:
            return self._told(at, step)
        if run.open_children:
            return self._awaited(at, step)
        wanted = self._wanted(at, step, context)
        return self._start(at, step, wanted) if wanted else self._told(at, step)

    def _wanted(
        self, at: Position, step: ForEach | StartJourney, context: StepContext
    ) -> Mapping[str, Mapping[str, Any]]:
        """Return the items to start: on a second try, only those that did not end well."""
        items = step.items(context) if isinstance(step, ForEach) else {ONLY: step.data(context)}
        if not at.run.attempts(step.name):
            return items
        known = self._runs.children(at.run.id, step.name, key=at.key)
        well = {child.item for child in known if child.status == "done"}
        return {item: data for item, data in items.items() if item not in well}

    def _start(
        self,
        at: Position,
        step: ForEach | StartJourney,
        items: Mapping[str, Mapping[str, Any]],
    ) -> Started:
        journey = self._newest(step.journey)
        if journey is None:
            fault = f"Le parcours « {step.journey} » n'existe pas."
            raise ConfigurationError(fault)
        wanted = Spawn(
            run_id=at.run.id,
            fence=at.run.fence,
            step=step.name,
            journey=journey.name,
            version=journey.version,
            waiting_for=CHILDREN_DONE if _is_strict(step) else CHILDREN_ENDED,
            children=tuple(
                Child(id=ids.uuid7(), item=item, data=data) for item, data in items.items()
            ),
        )
        return Started.WAITING if self._runs.spawn(wanted, key=at.key) else Started.MOVED

    def _awaited(self, at: Position, step: ForEach | StartJourney) -> Waiting:
        """Wait on; where all must end well, the first bad end stops those still under way."""
        if not _is_strict(step):
            return Waiting(signal=CHILDREN_ENDED, timeout_seconds=None)
        known = self._runs.children(at.run.id, step.name, key=at.key)
        if not any(_is_bad(child) for child in known):
            return Waiting(signal=CHILDREN_DONE, timeout_seconds=None)
        cancel_open(self._runs, at, step.name)
        return Waiting(signal=CHILDREN_ENDED, timeout_seconds=None)

    def _told(self, at: Position, step: ForEach | StartJourney) -> Done:
        ends = self._runs.children(at.run.id, step.name, key=at.key)
        bad = [child for child in ends if child.status != "done"]
        if bad and _is_strict(step):
            fault = f"Children that did not end well: {len(bad)} of {len(ends)}."
            raise RunError(fault)
        told = {child.item: _result(child) for child in ends}
        output = told[ONLY] if isinstance(step, StartJourney) else {"children": told}
        stands = any(
            leaves_something(child, self._journeys(step.journey, child.version)) for child in ends
        )
        return Done(output=output, effects=ended_signals(at.run), pivot=stands)


def ended_signals(run: Run) -> tuple[SignalConsumed, ...]:
    """Return the ends of children that were told and not taken yet."""
    return tuple(
        SignalConsumed(id=signal.id) for signal in run.pending if signal.name == CHILDREN_ENDED
    )


def _is_strict(step: ForEach | StartJourney) -> bool:
    return isinstance(step, StartJourney) or step.all_or_nothing


def _is_bad(child: ChildEnd) -> bool:
    return child.status in ENDED and child.status != "done"


def _result(child: ChildEnd) -> dict[str, Any]:
    return {
        "run_id": str(child.id),
        "status": child.status,
        "outcome": child.error_code,
        "output": child.output,
    }


__all__ = ["Children", "Started", "ended_signals"]
