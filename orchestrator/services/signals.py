"""Signals to runs: kept when they come early, refused when the run would never hear them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias
from uuid import UUID

from orchestrator.engine.definitions import awaited_by
from orchestrator.engine.journey import Journey
from orchestrator.services.ports.signals import (
    HandSignal,
    HandSignals,
    Heard,
    Signalled,
    SignalRows,
)
from orchestrator.services.run_operations import checked_reason
from schemas.errors import RunStateError, RunUnknownError

Known: TypeAlias = Callable[[str, int], Journey | None]
_OVER: Final = "Cette exécution est terminée : elle n'attend plus rien."
_FIT_KEY: Final = re.compile(r"[A-Za-z0-9._:-]{1,80}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Gives runs what they wait for; who may do so is the caller's to check."""

    rows: SignalRows
    journeys: Known

    def give(
        self, run_id: UUID, name: str, *, dedup: str, payload: Mapping[str, Any] | None = None
    ) -> None:
        """Signal a run; the same ``dedup`` again changes nothing.

        Raises:
            RunUnknownError: there is no such run.
            RunStateError: the run is over, or no step of its journey waits for this.
        """
        found = _under_way(self.rows, run_id)
        journey = self.journeys(found.journey, found.version)
        if journey is not None:
            _refuse_unheard(journey, name)
        self.rows.signal(run_id, name, dedup=dedup, payload=payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalsByHand:
    """Gives runs, in a person's name, what they wait for and nobody else told them."""

    rows: SignalRows
    hands: HandSignals
    journeys: Known

    def give(self, run_id: UUID, given: HandSignal) -> Heard:
        """Signal a run with a row that tells who and why; the same key again changes nothing.

        A person may only give what this code knows to be awaited: a version it does not know is
        refused here, whereas the signal of a program is kept for who knows it.

        Raises:
            ReasonMissingError: nobody says why.
            RunUnknownError: there is no such run.
            RunStateError: the run is over, its version is unknown here, no step of it waits for
                this, or the key cannot be one or was given for another signal.
            RunErasedError: the signal brings something and the run's data key is gone.
        """
        said = checked_reason(given.reason)
        if _FIT_KEY.fullmatch(given.dedup) is None:
            raise RunStateError("Une clé tient en 80 lettres, chiffres, points et tirets.")
        found = _under_way(self.rows, run_id)
        journey = self.journeys(found.journey, found.version)
        if journey is None:
            what = f"{found.journey} version {found.version}"
            fault = f"Ce programme ne connaît pas le parcours {what} : rien n'a changé."
            raise RunStateError(fault)
        _refuse_unheard(journey, given.name)
        heard = self.hands.give(run_id, replace(given, reason=said))
        if heard is None:
            raise RunStateError(_OVER)
        if heard.name != given.name:
            fault = f"Cette clé a déjà servi à donner « {heard.name} » : rien n'a changé."
            raise RunStateError(fault)
        return heard


def _under_way(rows: SignalRows, run_id: UUID) -> Signalled:
    found = rows.signalled(run_id)
    if found is None:
        raise RunUnknownError
    if found.is_over:
        raise RunStateError(_OVER)
    return found


def _refuse_unheard(journey: Journey, name: str) -> None:
    if name not in awaited_by(journey):
        fault = f"Aucune étape du parcours « {journey.name} » n'attend « {name} »."
        raise RunStateError(fault)
