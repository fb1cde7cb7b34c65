"""Where a run stands in its journey: the step it is at, what it did that an undo would take back.

Read off the log and the definition only; the acts of people are decided on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.engine.journey import PIVOT, Call, ForEach, Journey, StartJourney, Step
from orchestrator.engine.runs import UNDO, leaves_doubt
from orchestrator.services.ports.operations import LogLine, RunHead

DONE: Final = frozenset({"ok", "skipped"})
Journeys = Mapping[tuple[str, int], Journey]
_FAILED: Final = frozenset({"error", "timeout", "unknown"})
_DOUBTFUL_CODES: Final = frozenset({"recoveries", "outcome_unknown"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A run and the definition it follows (None when this code does not know its version)."""

    head: RunHead
    journey: Journey | None

    @property
    def is_undoing(self) -> bool:
        """Whether the run was taking back what it did when it was put aside."""
        head = self.head
        undone = any(row.name.endswith((UNDO, ":discard")) for row in head.log)
        is_cancelled = head.cancel_asked and not head.pivoted
        is_back = head.ends_as is not None or head.error_code == "undo_failed"
        return undone or is_cancelled or is_back

    @property
    def current(self) -> str:
        """The name of what would be tried next: a step, or the undo that failed."""
        last = next((row for row in reversed(self.head.log) if row.outcome in _FAILED), None)
        if self.is_undoing:
            return last.name if last and last.name.endswith(UNDO) else "undo"
        step = self.step
        return step.name if step else last.name if last else "journey"

    @property
    def step(self) -> Step | None:
        """The step a forward move would try next."""
        steps = self.journey.steps if self.journey else ()
        return steps[self.head.step] if self.head.step < len(steps) else None

    @property
    def is_last(self) -> bool:
        """Whether the current step is the journey's last one."""
        return self.journey is not None and self.head.step + 1 >= len(self.journey.steps)

    @property
    def was_undone(self) -> bool:
        """Whether something the run did was taken back."""
        return any(
            row.name.endswith(UNDO) and row.outcome == "compensated" for row in self.head.log
        )

    @property
    def ended_as(self) -> str | None:
        """How the journey itself said that it ends, when the run goes back because of that."""
        forward = [row for row in self.head.log if ":" not in row.name]
        last = forward[-1] if forward else None
        return last.cause if last and last.outcome in {"ok", "timeout"} else None

    def effects(self) -> list[Step]:
        """Return the steps whose effect stands outside, one of unknown outcome included."""
        steps = self.journey.steps if self.journey else ()
        done = [step for step in steps[: self.head.step] if "ok" in self.head.outcomes(step.name)]
        step = self.step
        if step is not None and self._is_in_doubt(step):
            done.append(step)
        return [step for step in done if _leaves_the_hub(step) and not self.is_undone(step.name)]

    def is_undone(self, name: str) -> bool:
        """Tell whether a step's effect was taken back."""
        return "compensated" in self.head.outcomes(f"{name}{UNDO}")

    @property
    def pivot(self) -> str | None:
        """The last step done that cannot be taken back, if there is one."""
        found = [step.name for step in self.effects() if _is_pivot(step)]
        if not found and self.head.pivoted:
            return self.current
        return found[-1] if found else None

    def passes_pivot(self, count: int) -> bool:
        """Tell whether one of the first steps was done and cannot be taken back."""
        steps = self.journey.steps[:count] if self.journey else ()
        return any(_is_pivot(step) and "ok" in self.head.outcomes(step.name) for step in steps)

    def needed_by(self, name: str) -> str | None:
        """Return a later step that names the output of this one, if one does."""
        steps = self.journey.steps if self.journey else ()
        later = [step for step in steps[self.head.step + 1 :] if isinstance(step, Call)]
        return next((step.name for step in later if step.service == name), None)

    def rows_before(self, count: int) -> list[LogLine] | None:
        """Return the rows that made the first steps done, or None when one of them never was."""
        steps = self.journey.steps if self.journey else ()
        found = []
        for step in steps[:count]:
            row = next((row for row in reversed(self.head.log) if _made(row, step)), None)
            if row is None:
                return None
            found.append(row)
        return found

    def _is_in_doubt(self, step: Step) -> bool:
        tries = [row for row in self.head.log if row.name == step.name]
        unlogged = self.head.error_code in _DOUBTFUL_CODES
        doubtful = unlogged or any(leaves_doubt(row.outcome, row.cause) for row in tries)
        # a step that started other runs fails after they ended: those that ended well did something
        started = isinstance(step, ForEach | StartJourney)
        return doubtful or (started and any(row.outcome == "error" for row in tries))


def _made(row: LogLine, step: Step) -> bool:
    """An end of the journey is an ``ok`` with its cause: what follows was never reached."""
    is_end = row.outcome == "ok" and row.cause is not None
    return row.name == step.name and row.outcome in DONE and not is_end


def _leaves_the_hub(step: Step) -> bool:
    return isinstance(step, Call | ForEach | StartJourney)


def _is_pivot(step: Step) -> bool:
    return isinstance(step, Call) and step.undo == PIVOT
