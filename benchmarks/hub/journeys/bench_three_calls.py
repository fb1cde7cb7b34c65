"""The journeys of the measures: three calls each, in one city or at one of five systems."""

from collections.abc import Mapping
from typing import Any

from orchestrator.engine.effects import Effect
from orchestrator.engine.journey import PIVOT, Call, Journey, StepContext
from schemas.receipts import Receipt

PURPOSE = "library.preregistration"
SYSTEMS = 5


def by_sender_and_subject(source: str, subject: str) -> str:
    """One run at a time for one sender's reference."""
    return f"{source} {subject}"


def told(context: StepContext) -> Mapping[str, Any]:
    """Return what the system is told: as much as the floor tells."""
    return {"run": str(context.run_id), **context.start.data["citizen"]}


def nothing(_context: StepContext, _receipt: Receipt) -> tuple[Effect, ...]:
    """The answer is kept in the log and changes nothing else."""
    return ()


def _three_calls(name: str, offices: tuple[str, str, str]) -> Journey:
    first, second, third = offices
    return Journey(
        name=name,
        version=1,
        starts_on=(f"{name}.asked.v1",),
        key=by_sender_and_subject,
        steps=(
            Call(first, "card", PURPOSE, "cancel_card", data=told, then=nothing),
            Call(second, "account", PURPOSE, "cancel_account", data=told, then=nothing),
            Call(third, "welcome", PURPOSE, PIVOT, data=told, then=nothing),
        ),
    )


THREE_CALLS = _three_calls("bench.three_calls", ("card_office", "account_office", "messenger"))
SYSTEM_1, SYSTEM_2, SYSTEM_3, SYSTEM_4, SYSTEM_5 = (
    _three_calls(f"bench.system_{number}", (f"system_{number}",) * 3)
    for number in range(1, SYSTEMS + 1)
)
