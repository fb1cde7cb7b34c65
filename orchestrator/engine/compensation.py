"""What is taken back when a run goes back: the steps it did, the latest first, down to a pivot."""

from collections.abc import Iterator

from orchestrator.engine.journey import PIVOT, Call, IssueCode, Journey, Step
from orchestrator.engine.runs import FAULTS, UNDO, ChildEnd, Run

Undoable = Call | IssueCode


def is_pivot(step: Step) -> bool:
    """Tell whether a step cannot be taken back by its own declaration."""
    return isinstance(step, Call) and step.undo == PIVOT


def leaves_something(child: ChildEnd, journey: Journey | None) -> bool:
    """Tell whether a child that ended well did something that its parent could not take back.

    A run that is over takes nothing back, so what its calls did stands. One whose definition is not
    known here is taken to have done something.
    """
    if child.status != "done":
        return False
    if child.pivoted or journey is None:
        return True
    return any(isinstance(step, Undoable) and step.name in child.steps for step in journey.steps)


def to_undo(journey: Journey, run: Run, *, in_doubt: bool) -> Iterator[Undoable]:
    """Return the steps still to be taken back, the latest first.

    The step in hand is among them when it may have been done without having been logged
    (``in_doubt``, or the log says so): its undo accepts that there is nothing to undo.
    """
    done = {row.name for row in run.log if row.outcome == "ok"}
    settled = {row.name for row in run.log if row.outcome in {"compensated", "skipped"}}
    for index in range(min(run.step, len(journey.steps) - 1), -1, -1):
        step = journey.steps[index]
        if step.name in done:
            if is_pivot(step):
                return
        elif index != run.step or not _may_be_done(step, run, in_doubt=in_doubt):
            continue
        if isinstance(step, Call | IssueCode) and step.name + UNDO not in settled:
            yield step


def _may_be_done(step: Step, run: Run, *, in_doubt: bool) -> bool:
    if not isinstance(step, Call) or is_pivot(step):
        return False
    begun = any(row.name == step.name + UNDO for row in run.log)
    return in_doubt or begun or run.in_doubt(step.name)


def end_of(run: Run, *, undone: bool) -> tuple[str, str]:
    """Return how a run ends that went back: its status, and the outcome its journey is told."""
    undone = undone or any(row.outcome == "compensated" for row in run.log)
    if run.cancel_asked:
        return "cancelled", "cancelled"
    if run.error_code is not None and run.error_code not in FAULTS:
        return "compensated", run.error_code
    status = "compensated" if undone else "failed"
    return status, status
