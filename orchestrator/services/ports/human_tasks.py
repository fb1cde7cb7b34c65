"""What decisions of people need of the store: the tasks that are open, and deciding one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A decision somebody is asked for; ``question`` is the key of the sentence people read."""

    id: UUID
    run_id: UUID
    journey: str
    step: str
    kind: str
    question: str
    decisions: Sequence[str]
    opened_at: datetime
    due_at: datetime | None
    overdue_at: datetime | None
    closed_at: datetime | None
    decision: str | None
    decided_by: str | None


class TaskRows(Protocol):
    """Reads tasks."""

    def open_tasks(self, *, most: int) -> Sequence[TaskRow]:
        """Return the open tasks, the oldest first."""

    def task(self, task_id: UUID) -> TaskRow | None:
        """Return one task, open or not, or None."""
