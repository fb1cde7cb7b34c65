"""What people do to runs: try again, go on, skip, put away, begin again, take up from a step.

Every act is one fenced statement with a row of the log that names who did it; an act that does not
fit the run's state is refused and changes nothing.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NoReturn, Protocol
from uuid import UUID

from orchestrator.engine.journey import Journey, Step
from orchestrator.engine.runs import ENDED, UNDO
from orchestrator.services.ports.operations import (
    DISCARD,
    FORK,
    RESTART,
    RESUME,
    RETRY,
    SKIP,
    Act,
    Item,
    LogLine,
    NewRun,
    RunActs,
    RunHead,
)
from orchestrator.services.run_standing import Journeys, Standing
from schemas import ids
from schemas.errors import ReasonMissingError, RunStateError, RunUnknownError

LONGEST_REASON: Final = 300
_PERSONAL: Final = re.compile(r"\S@\S|(?:\d[ .-]?){8}")
_STATES: Final = {
    "ready": "elle est en route",
    "waiting_timer": "elle attend une heure ou un système (« parvis runs resume » la fait repartir)",
    "waiting_signal": "elle attend un signal",
    "waiting_human": "elle attend une décision (« parvis tasks decide »)",
    "compensating": "son annulation est en cours",
    "stuck": "elle est en rebut (« parvis runs retry », « skip » ou « discard »)",
    "done": "elle est terminée",
    "failed": "elle est abandonnée",
    "compensated": "elle est annulée, ses effets sont repris",
    "cancelled": "elle est annulée",
}


class Version(Enum):
    """Which definition a run that begins again follows."""

    TODAY = "today"
    RECORDED = "recorded"


class Keys(Enum):
    """Whether partners take the calls of a fork for those of the first run."""

    NEW = "new"
    SAME = "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """What an act did: the run's new status, and the new run when one began.

    ``is_reason_kept`` is False when a reason was given and the run's data key, which would have
    sealed it, is gone.
    """

    run_id: UUID
    act: str
    status: str
    new_run_id: UUID | None = None
    is_reason_kept: bool = True


class Cancels(Protocol):
    """Asks a run to stop."""

    def cancel(self, run_id: UUID, *, actor: str, reason: str | None) -> str | None:
        """Ask a run to stop and return its status afterwards; None when it is over or unknown.

        Raises RunStateError when it did something that cannot be taken back.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOperations:
    """The acts of people on runs; ``versions`` gives every definition this code knows."""

    rows: RunActs
    cancels: Cancels
    versions: Callable[[], Journeys]

    def retry(self, run_id: UUID, *, actor: str, item: Item | None = None) -> Acted:
        """Try the step of a run put aside again, its failures counted from nought.

        Raises:
            RunUnknownError: there is no such run.
            RunStateError: the run is not put aside, or its version is unknown here.
        """
        at = self._stuck(run_id, item)
        self._known(at)
        to = "compensating" if at.is_undoing else "ready"
        return self._act(at, RETRY, to=to, actor=actor, item=item)

    def resume(self, run_id: UUID, *, actor: str) -> Acted:
        """Let a run that waits to be tried again go at once.

        Raises:
            RunUnknownError: there is no such run.
            RunStateError: the run does not wait for a time that may be brought forward.
        """
        at = self._standing(run_id)
        head = at.head
        if head.status == "compensating" and head.wake_at is not None:
            return self._act(at, RESUME, to="compensating", actor=actor)
        waits = head.waiting_for is None or head.waiting_for.startswith("system:")
        if head.status != "waiting_timer" or not waits:
            _refuse(head, "Seule une exécution qui attend une nouvelle tentative repart ainsi")
        return self._act(at, RESUME, to="ready", actor=actor)

    def skip(self, run_id: UUID, *, actor: str, reason: str) -> Acted:
        """Go on without the step a run is put aside at; a failing undo counts as done by hand.

        Raises:
            ReasonMissingError: nobody says why.
            RunUnknownError: there is no such run.
            RunStateError: the run is not put aside, or later steps need this one.
        """
        said = checked_reason(reason)
        at = self._stuck(run_id)
        self._known(at)
        if at.is_undoing:
            if not at.current.endswith(UNDO):
                _refuse(at.head, "Aucune annulation n'a échoué : il n'y a rien à sauter")
            return self._act(at, SKIP, to="compensating", actor=actor, reason=said)
        needed_by = at.needed_by(at.current)
        if needed_by:
            _refuse(at.head, f"L'étape « {needed_by} » a besoin de « {at.current} »")
        return self._act(at, SKIP, to="done" if at.is_last else "ready", actor=actor, reason=said)

    def discard(self, run_id: UUID, *, actor: str, reason: str, item: Item | None = None) -> Acted:
        """Put a run away: take back what it did, or just end it when there is nothing to take back.

        Raises:
            ReasonMissingError: nobody says why.
            RunUnknownError: there is no such run.
            RunStateError: the run is not put aside, or a step of it cannot be taken back.
        """
        said = checked_reason(reason)
        at = self._stuck(run_id, item)
        if at.journey is None and any(row.outcome == "ok" for row in at.head.log):
            self._known(at)
        pivot = at.pivot
        if pivot:
            why = f"« {pivot} » ne s'annule pas : seul avancer est possible"
            _refuse(at.head, f"{why} (« parvis runs retry » ou « skip »)")
        did = at.effects() or any(row.outcome == "ok" for row in at.head.log)
        to = "compensating" if did or at.is_undoing else "failed"
        return self._act(at, DISCARD, to=to, actor=actor, reason=said, item=item)

    def cancel(self, run_id: UUID, *, actor: str, reason: str | None = None) -> Acted:
        """Ask a run to stop at its next step and to take back what it did.

        Raises:
            RunUnknownError: there is no such run.
            RunStateError: the run is over, or past a step that cannot be taken back.
        """
        said = checked_reason(reason) if reason else None
        at = self._standing(run_id)
        if at.head.status in ENDED:
            _refuse(at.head, "Il n'y a plus rien à arrêter")
        status = self.cancels.cancel(run_id, actor=actor, reason=said)
        if status is None:
            _refuse(at.head, "Elle vient de finir : il n'y a plus rien à arrêter")
        kept = said is None or at.head.keeps_reasons
        return Acted(run_id=run_id, act="cancel", status=status, is_reason_kept=kept)

    def restart(self, run_id: UUID, *, actor: str, version: Version = Version.TODAY) -> Acted:
        """Begin again on the same message, from the first step.

        A run put aside begins again when nothing it did stands in another system; the new one bears
        its idempotency keys, so that nobody is written to twice. A run that is over gets new keys.

        Raises:
            RunUnknownError: there is no such run.
            RunStateError: the run is under way, did something outside, or is the child of another.
            RunKeyHeldError: another run with the same key is under way.
            RunErasedError: what it had received cannot be read any more.
        """
        at = self._standing(run_id)
        _refuse_restart(at)
        head = at.head
        followed = self._followed(at, version)
        is_stuck = head.status == "stuck"
        closes = self._closing(at, actor) if is_stuck else None
        wanted = NewRun(
            id=ids.uuid7(),
            head=head,
            version=followed.version,
            step=0,
            copied=(),
            cause=RESTART,
            actor=actor,
            name=f"{followed.steps[0].name}:{RESTART}",
            effect_of=head.effect_of if is_stuck else None,
            closes=closes,
        )
        return self._begin(wanted, "failed" if is_stuck else head.status)

    def fork(self, run_id: UUID, *, start: str, actor: str, keys: Keys = Keys.NEW) -> Acted:
        """Begin a new run that takes up from a step (its name or number) what a run that is over did.

        Raises:
            RunUnknownError: there is no such run.
            RunStateError: the run is not over, the step was not reached or what comes before it was
                taken back, or the same keys are asked for what was taken back.
            RunKeyHeldError: another run with the same key is under way.
            RunErasedError: what it had received cannot be read any more.
        """
        at = self._standing(run_id)
        head = at.head
        _refuse_child(head)
        if head.status not in ENDED:
            _refuse(head, "On ne repart d'une étape que d'une exécution finie")
        steps = self._known(at).steps
        number = _number(steps, start, head)
        copied = _copied(at, number)
        if keys is Keys.SAME and at.was_undone:
            _refuse(head, "Ses effets ont été repris : les mêmes clés ne feraient rien")
        wanted = NewRun(
            id=ids.uuid7(),
            head=head,
            version=head.version,
            step=number - 1,
            copied=copied,
            cause=FORK,
            actor=actor,
            name=f"{steps[number - 1].name}:{FORK}",
            effect_of=head.effect_of if keys is Keys.SAME else None,
            pivoted=at.passes_pivot(number - 1),
        )
        return self._begin(wanted, head.status)

    def _standing(self, run_id: UUID) -> Standing:
        head = self.rows.head(run_id)
        if head is None:
            fault = f"Aucune exécution ne porte l'identifiant {run_id}."
            raise RunUnknownError(fault)
        return Standing(head=head, journey=self.versions().get((head.journey, head.version)))

    def _stuck(self, run_id: UUID, item: Item | None = None) -> Standing:
        at = self._standing(run_id)
        if item is not None and at.head.fence != item.fence:
            raise RunStateError("Elle a changé depuis que la sélection fut figée.")
        if at.head.status != "stuck":
            _refuse(at.head, "Elle n'est pas en rebut")
        return at

    def _known(self, at: Standing) -> Journey:
        if at.journey is None:
            what = f"{at.head.journey} version {at.head.version}"
            _refuse(at.head, f"Ce programme ne connaît pas le parcours {what}")
        return at.journey

    def _followed(self, at: Standing, version: Version) -> Journey:
        if version is Version.RECORDED:
            return self._known(at)
        known = [found for (name, _), found in self.versions().items() if name == at.head.journey]
        return max(known, key=lambda found: found.version) if known else self._known(at)

    def _closing(self, at: Standing, actor: str) -> Act:
        return Act(
            head=at.head,
            to="failed",
            step=at.head.step,
            name=f"{at.current}:{RESTART}",
            outcome="deferred",
            cause=RESTART,
            actor=actor,
            error_code="restarted",
        )

    def _act(  # noqa: PLR0913 - what a row of the log tells
        self,
        at: Standing,
        act: str,
        *,
        to: str,
        actor: str,
        reason: str | None = None,
        item: Item | None = None,
    ) -> Acted:
        is_skip = act == SKIP
        written = self.rows.act(
            Act(
                head=at.head,
                to=to,
                step=at.head.step + (is_skip and not at.is_undoing),
                name=at.current if is_skip else f"{at.current}:{act}",
                outcome="skipped" if is_skip else "deferred",
                cause=act,
                actor=actor,
                reason=reason,
                error_code=_code(at, to),
                item=item,
            )
        )
        if not written:
            raise RunStateError("Elle vient de bouger : regardez-la de nouveau.")
        kept = reason is None or at.head.keeps_reasons
        return Acted(run_id=at.head.id, act=act, status=to, is_reason_kept=kept)

    def _begin(self, wanted: NewRun, status: str) -> Acted:
        if not self.rows.begin(wanted):
            raise RunStateError("Elle vient de bouger : regardez-la de nouveau.")
        return Acted(run_id=wanted.head.id, act=wanted.cause, status=status, new_run_id=wanted.id)


def checked_reason(text: str) -> str:
    """Return a reason fit for the log; raises ReasonMissingError (French)."""
    said = " ".join(text.split())
    if len(said) < 3:
        raise ReasonMissingError("Dites en quelques mots pourquoi.")
    if len(said) > LONGEST_REASON:
        fault = f"Le motif tient en {LONGEST_REASON} caractères."
        raise ReasonMissingError(fault)
    if _PERSONAL.search(said):
        raise ReasonMissingError("Le motif ne contient ni adresse ni numéro d'une personne.")
    return said


def _refuse_restart(at: Standing) -> None:
    head = at.head
    _refuse_child(head)
    if head.status in ENDED:
        return
    if head.status != "stuck":
        _refuse(head, "Elle n'est pas finie")
    if at.is_undoing:
        _refuse(head, "Son annulation n'est pas finie : elle d'abord")
    effects = at.effects()
    if effects or head.pivoted:
        why = f"« {effects[-1].name if effects else at.current} » a peut-être déjà agi dehors"
        _refuse(head, f"{why} : relancez-la, ou écartez-la d'abord")


def _copied(at: Standing, number: int) -> Sequence[LogLine]:
    """Return the rows of the steps before one, none of which was taken back."""
    copied = at.rows_before(number - 1)
    if copied is None:
        _refuse(at.head, f"L'étape {number} n'a pas été atteinte")
    gone = next((row.name for row in copied if at.is_undone(row.name)), None)
    if gone:
        _refuse(at.head, f"« {gone} » a été repris : repartez de cette étape ou d'avant")
    return copied


def _number(steps: Sequence[Step], start: str, head: RunHead) -> int:
    names = [step.name for step in steps]
    if start in names:
        return names.index(start) + 1
    if not (start.isascii() and start.isdigit() and 1 <= int(start) <= len(names)):
        _refuse(head, f"Ce parcours n'a pas d'étape « {start[:60]} » (de 1 à {len(names)})")
    return int(start)


def _code(at: Standing, to: str) -> str | None:
    """Return the code that stays: why a run goes back, or was given up.

    What put it aside on its way back is no reason of its end.
    """
    code = at.head.error_code
    if to == "compensating" and (code == "undo_failed" or (code == "recoveries" and at.is_undoing)):
        return at.head.ends_as or at.ended_as
    return code if to in {"failed", "compensating"} else None


def _refuse_child(head: RunHead) -> None:
    if head.parent_id is not None:
        _refuse(head, f"Elle appartient à l'exécution {head.parent_id} : agissez sur celle-ci")


def _refuse(head: RunHead, why: str) -> NoReturn:
    state = _STATES.get(head.status, head.status)
    fault = f"{why} : {state}. Rien n'a changé."
    raise RunStateError(fault)
