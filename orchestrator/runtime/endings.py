"""What other systems of the city are told of a run that ended, on the bus: ids and names, no person."""

from collections.abc import Callable
from typing import Protocol

from orchestrator.engine.effects import Effect, RunEnded
from orchestrator.engine.runs import Run, Transition

TellEnd = Callable[[Run, Transition], tuple[Effect, ...]]


class Territories(Protocol):
    """Knows the city's map."""

    def territory_of(self, commune: str) -> str | None:
        """Return the territory of a commune."""


class EndsTold:
    """Adds the event of its end to the move that ends a run."""

    def __init__(self, territories: Territories) -> None:
        self._territories = territories

    def __call__(self, run: Run, move: Transition) -> tuple[Effect, ...]:
        """Return the event, as an effect of the move."""
        chosen = (out.get("service_id") for out in run.outputs().values())
        commune = run.start.data.get("commune")
        ended = RunEnded(
            journey=run.journey,
            outcome=move.error_code or move.to,
            service=next((str(service) for service in chosen if service), None),
            territory=self._territories.territory_of(str(commune)) if commune else None,
        )
        return (ended,)


def told_to_nobody(_run: Run, _move: Transition) -> tuple[Effect, ...]:
    """Tell nobody: without a broker there is no bus."""
    return ()
