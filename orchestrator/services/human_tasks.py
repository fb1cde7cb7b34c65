"""Decisions of people: which runs ask for one, and giving it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from orchestrator.services.ports.human_tasks import TaskRow, TaskRows
from schemas.errors import ConflictError, NotFoundError, RequestError

MOST: Final = 200


class Decides(Protocol):
    """Hears a decision."""

    def decide(self, task_id: UUID, decision: str, *, actor: str) -> bool:
        """Answer an open task and wake its run; False when it is closed or offers no such answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanTasks:
    """Use cases of tasks."""

    rows: TaskRows
    runs: Decides

    def waiting(self, *, most: int = MOST) -> Sequence[TaskRow]:
        """Return the tasks nobody has answered yet, the oldest first."""
        return self.rows.open_tasks(most=most)

    def decide(self, task_id: UUID, decision: str, *, actor: str) -> TaskRow:
        """Answer a task; whoever answers first is heard.

        Raises:
            NotFoundError: there is no such task.
            ConflictError: it was answered already, or nobody need answer it any more.
            RequestError: the answer is none of those it offers.
        """
        task = self._task(task_id)
        if task.closed_at is None and not task.decisions:
            fault = (
                f"Aucune réponse n'est attendue : agissez sur l'exécution {task.run_id} "
                "(« parvis runs retry », « skip » ou « discard »)."
            )
            raise RequestError(fault)
        if task.closed_at is None and decision not in task.decisions:
            fault = f"Les réponses possibles : {', '.join(task.decisions)}. Rien n'a changé."
            raise RequestError(fault)
        if not self.runs.decide(task_id, decision, actor=actor):
            closed = self._task(task_id)
            said = f"« {closed.decision} » par {closed.decided_by}" if closed.decision else "close"
            fault = f"Cette tâche est déjà tranchée : {said}."
            raise ConflictError(fault)
        return self._task(task_id)

    def _task(self, task_id: UUID) -> TaskRow:
        task = self.rows.task(task_id)
        if task is None:
            fault = f"Aucune tâche ne porte l'identifiant {task_id}."
            raise NotFoundError(fault)
        return task
