"""What the commands about journeys need of the store: who is on which version, logs, the move."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """How many runs of one version are in one status, those that ended left out."""

    journey: str
    version: int
    status: str
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAt:
    """Where a run under way stands; ``step`` counts the steps it has done.

    ``doubts`` names the steps that may have done something without being done: a call of unknown
    outcome, children of which some ended well.
    """

    id: UUID
    journey: str
    version: int
    status: str
    step: int
    seq: int
    fence: int
    open_children: int
    error_code: str | None = None
    doubts: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionMove:
    """One run goes to another version, in one fenced statement with the row that tells it.

    ``keeps_waiting`` says that what it waits for is the same there; otherwise it looks again.
    """

    run: RunAt
    version: int
    step: int
    keeps_waiting: bool
    cause: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One row of a run's log without what it says of people."""

    seq: int
    name: str
    outcome: str
    actor: str | None
    cause: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLog:
    """A run and its log, oldest row first."""

    run: RunAt
    ended_at: datetime | None
    rows: Sequence[LogRow]


class VersionRows(Protocol):
    """Implemented by the store."""

    def under_way(self) -> Sequence[UnderWay]:
        """Count the runs under way by version and status."""

    def runs_at(
        self, journey: str, version: int, *, after: UUID | None, most: int
    ) -> Sequence[RunAt]:
        """Return a page of the runs under way at a version, oldest first."""

    def move(self, move: VersionMove) -> bool:
        """Move a run; False when others moved it meanwhile."""

    def logs(
        self,
        *,
        journey: str | None,
        ended_since: datetime | None,
        after: UUID | None,
        most: int,
    ) -> Sequence[RunLog]:
        """Return a page of logs: of runs under way, and of those ended since a moment if given."""
