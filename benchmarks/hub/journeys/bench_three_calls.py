"""The journeys of the measures: who it is and which office, then three calls there.

The floors and the peers make three calls and choose nothing. A journey of the product names its
service by a step of its own, as every journey of the city does, so this one has a step more than
they: it is counted, logged and paid for like the others.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from benchmarks.hub.city import OFFICES, SYSTEMS, person_of
from orchestrator.engine.effects import Effect
from orchestrator.engine.journey import (
    PIVOT,
    Call,
    Choose,
    Done,
    Journey,
    LocalFunction,
    StepContext,
)
from schemas.receipts import Receipt

PURPOSE: Final = "library.preregistration"
OFFICE: Final = "office"


def by_sender_and_subject(source: str, subject: str) -> str:
    """One run at a time for one sender's reference."""
    return f"{source} {subject}"


def told(context: StepContext) -> Mapping[str, Any]:
    """Return what the system is told: as much as the floor tells."""
    return {"run": str(context.run_id), **context.start.data["citizen"]}


def nothing(_context: StepContext, _receipt: Receipt) -> tuple[Effect, ...]:
    """The answer is kept in the log and changes nothing else."""
    return ()


def one_of(offices: tuple[str, ...]) -> LocalFunction:
    """Return a choice that spreads runs evenly over offices, and says whose run it is."""

    def chosen(context: StepContext) -> Done:
        number = UUID(context.start.subject).int
        output = {"service_id": offices[number % len(offices)]}
        return Done(output=output, citizen_id=person_of(number // len(offices)))

    return chosen


def _three_calls(name: str, offices: tuple[str, ...]) -> Journey:
    return Journey(
        name=name,
        version=1,
        starts_on=(f"{name}.asked.v1",),
        key=by_sender_and_subject,
        steps=(
            Choose(OFFICE, one_of(offices)),
            Call(OFFICE, "card", PURPOSE, "cancel_card", data=told, then=nothing),
            Call(OFFICE, "account", PURPOSE, "cancel_account", data=told, then=nothing),
            Call(OFFICE, "welcome", PURPOSE, PIVOT, data=told, then=nothing),
        ),
    )


THREE_CALLS = _three_calls("bench.three_calls", OFFICES)
SYSTEM_1, SYSTEM_2, SYSTEM_3, SYSTEM_4, SYSTEM_5 = (
    _three_calls(f"bench.{system}", (system,)) for system in SYSTEMS
)
