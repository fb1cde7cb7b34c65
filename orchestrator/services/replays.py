"""Replays: one act on many runs put aside, at a pace, to be stopped, with a report at the end.

Planning counts and freezes the runs; only starting touches them. A run that moved since the plan is
left alone and reported; a second start of what already goes does nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from orchestrator.services.dead_letters import DeadLetters, FailureGroup
from orchestrator.services.ports.operations import (
    DISCARD,
    RETRY,
    Allowance,
    Item,
    ReplayPlan,
    ReplayRows,
    ReplayState,
)
from orchestrator.services.run_operations import RunOperations, checked_reason
from schemas import ids
from schemas.errors import (
    ConflictError,
    NotFoundError,
    NothingSelectedError,
    RequestError,
    RunStateError,
    RunUnknownError,
    StoreUnavailableError,
)

log = structlog.get_logger()
ACTS: Final = (RETRY, DISCARD)
MOST: Final = 50_000
FASTEST: Final = 200
DEFAULT_RATE: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which runs put aside a replay is for; None everywhere means all of them."""

    fingerprint: str | None = None
    journey: str | None = None
    step: str | None = None
    error_code: str | None = None
    since: datetime | None = None

    def holds(self, group: FailureGroup) -> bool:
        """Tell whether a group of runs is meant."""
        return all(
            wanted is None or wanted == found
            for wanted, found in (
                (self.fingerprint, group.fingerprint),
                (self.journey, group.journey),
                (self.step, group.step),
                (self.error_code, group.error_code),
            )
        )

    def written(self) -> dict[str, object]:
        """Return what is kept with the replay."""
        named = {name: getattr(self, name) for name in Selection.__dataclass_fields__}
        kept = {name: value for name, value in named.items() if value is not None}
        return {
            name: value if isinstance(value, str) else value.isoformat()
            for name, value in kept.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Replays:
    """Use cases of replays."""

    rows: ReplayRows
    letters: DeadLetters
    operations: RunOperations

    def plan(
        self,
        selection: Selection,
        *,
        act: str,
        actor: str,
        rate: int = DEFAULT_RATE,
        reason: str | None = None,
    ) -> ReplayState:
        """Freeze the runs of a selection; nothing happens to them before ``start``.

        Raises:
            NothingSelectedError: the selection holds nothing, or too much at once.
            ReasonMissingError: runs are to be put away and nobody says why.
            RequestError: the act or the pace is none of ours.
        """
        if act not in ACTS or not 1 <= rate <= FASTEST:
            fault = f"Un rejeu relance ou écarte, de 1 à {FASTEST} exécutions par seconde."
            raise RequestError(fault)
        said = checked_reason(reason or "") if act == DISCARD else None
        groups = [group for group in self.letters.failures() if selection.holds(group)]
        keys = [key for group in groups for key in group.keys]
        plan = ReplayPlan(
            id=ids.uuid7(),
            act=act,
            selection=selection.written(),
            rate=rate,
            reason=said,
            actor=actor,
        )
        total = self.rows.plan(plan, keys, since=selection.since, most=MOST) if keys else 0
        if not total:
            raise NothingSelectedError("Aucune exécution en rebut ne correspond.")
        if total > MOST:
            fault = f"Plus de {MOST} exécutions : précisez la sélection."
            raise NothingSelectedError(fault)
        return self.state(plan.id)

    def start(self, replay_id: UUID, *, actor: str) -> bool:
        """Let a replay go, or go on; False when it already goes or is over.

        Raises:
            NotFoundError: there is no such replay.
        """
        self.state(replay_id)
        return self.rows.start(replay_id, actor=actor)

    def stop(self, replay_id: UUID, *, actor: str) -> ReplayState:
        """Stop a replay after the run in hand.

        Raises:
            NotFoundError: there is no such replay.
            ConflictError: it does not run.
        """
        found = self.state(replay_id)
        if not self.rows.stop(replay_id, actor=actor):
            fault = f"Ce rejeu n'est pas en marche (état : {found.state}). Rien n'a changé."
            raise ConflictError(fault)
        return self.state(replay_id)

    def state(self, replay_id: UUID) -> ReplayState:
        """Return a replay with its figures; raises NotFoundError."""
        found = self.rows.state(replay_id)
        if found is None:
            fault = f"Aucun rejeu ne porte l'identifiant {replay_id}."
            raise NotFoundError(fault)
        return found

    def latest(self, *, most: int = 20) -> Sequence[ReplayState]:
        """Return the latest replays, newest first."""
        return self.rows.latest(most=most)

    def advance(self) -> int:
        """Act on what the running replays may do within this second; returns on how many runs."""
        allowances = self.rows.allow()
        done = sum(
            self._settle(allowance, run_id, fence)
            for allowance in allowances
            for run_id, fence in allowance.runs
        )
        if allowances:
            self.rows.end_finished()
        return done

    def _settle(self, allowance: Allowance, run_id: UUID, fence: int) -> bool:
        item = Item(replay_id=allowance.replay_id, fence=fence)
        try:
            if allowance.act == RETRY:
                self.operations.retry(run_id, actor=allowance.actor, item=item)
            else:
                reason = allowance.reason or ""
                self.operations.discard(run_id, actor=allowance.actor, reason=reason, item=item)
        except (RunStateError, RunUnknownError) as refused:
            if self.state(allowance.replay_id).state == "running":
                self.rows.leave(allowance.replay_id, run_id, reason=str(refused))
            return False
        except StoreUnavailableError:
            raise
        except Exception as error:
            kind = type(error).__name__
            log.exception("replay.run_failed", run_id=str(run_id))
            reason = f"Le programme a échoué ({kind}) : voyez ses lignes d'erreur."
            self.rows.leave(allowance.replay_id, run_id, reason=reason)
            return False
        return True
