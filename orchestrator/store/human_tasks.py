"""Tasks of people as lists show them; a run's own statements open and close them."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from orchestrator.services.ports.human_tasks import TaskRow
from orchestrator.store.connections import Database

_COLUMNS: Final = """
SELECT t.id, t.run_id, coalesce(r.journey, '') AS journey, t.step, t.kind, t.question, t.decisions,
       t.opened_at, t.due_at, t.overdue_at, t.closed_at, t.decision, t.decided_by
  FROM human_task t LEFT JOIN run r ON r.id = t.run_id"""
_OPEN: Final = f"{_COLUMNS} WHERE t.closed_at IS NULL ORDER BY t.opened_at, t.id LIMIT %s"
_ONE: Final = f"{_COLUMNS} WHERE t.id = %s"


class HumanTaskRows:
    """Implements ``ports.human_tasks.TaskRows``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_tasks(self, *, most: int) -> Sequence[TaskRow]:
        """Return the open tasks, the oldest first."""
        return [TaskRow(**row) for row in self._database.all(_OPEN, (most,))]

    def task(self, task_id: UUID) -> TaskRow | None:
        """Return one task, open or not, or None."""
        row = self._database.one(_ONE, (task_id,))
        return TaskRow(**row) if row else None
