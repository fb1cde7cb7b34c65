"""The journeys of the measures: a person asks one office for three things, as the floors do."""

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.hub.city import CHOICES
from orchestrator.engine.effects import Effect
from orchestrator.engine.journey import PIVOT, START, Call, Journey, StepContext
from schemas.receipts import Receipt

PURPOSE: Final = "library.preregistration"


def by_sender_and_subject(source: str, subject: str) -> str:
    """One run at a time for one sender's reference."""
    return f"{source} {subject}"


def told(context: StepContext) -> Mapping[str, Any]:
    """Return what the system is told: as much as the floor tells."""
    return {"run": str(context.run_id), **context.start.data["citizen"]}


def nothing(_context: StepContext, _receipt: Receipt) -> tuple[Effect, ...]:
    """The answer is kept in the log and changes nothing else."""
    return ()


def _three_calls(name: str) -> Journey:
    return Journey(
        name=name,
        version=1,
        starts_on=(f"{name}.asked.v1",),
        key=by_sender_and_subject,
        steps=(
            Call(START, "card", PURPOSE, "cancel_card", data=told, then=nothing),
            Call(START, "account", PURPOSE, "cancel_account", data=told, then=nothing),
            Call(START, "welcome", PURPOSE, PIVOT, data=told, then=nothing),
        ),
    )


THREE_CALLS, SYSTEM_1, SYSTEM_2, SYSTEM_3, SYSTEM_4, SYSTEM_5 = map(_three_calls, CHOICES)
