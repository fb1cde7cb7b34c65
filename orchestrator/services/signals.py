"""Signals to runs: kept when they come early, refused when the run would never hear them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from orchestrator.engine.definitions import awaited_by
from orchestrator.engine.journey import Journey
from orchestrator.services.ports.signals import SignalRows
from schemas.errors import RunStateError, RunUnknownError


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Gives runs what they wait for; who may do so is the caller's to check."""

    rows: SignalRows
    journeys: Callable[[str, int], Journey | None]

    def give(
        self, run_id: UUID, name: str, *, dedup: str, payload: Mapping[str, Any] | None = None
    ) -> None:
        """Signal a run; the same ``dedup`` again changes nothing.

        Raises:
            RunUnknownError: there is no such run.
            RunStateError: the run is over, or no step of its journey waits for this.
        """
        found = self.rows.signalled(run_id)
        if found is None:
            raise RunUnknownError
        if found.is_over:
            raise RunStateError("Cette exécution est terminée : elle n'attend plus rien.")
        journey = self.journeys(found.journey, found.version)
        if journey is not None and name not in awaited_by(journey):
            fault = f"Aucune étape du parcours « {journey.name} » n'attend « {name} »."
            raise RunStateError(fault)
        self.rows.signal(run_id, name, dedup=dedup, payload=payload)
