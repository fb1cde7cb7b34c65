"""Versions of journeys as runs bear them: who is on which, their logs, and the move to another."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from orchestrator.engine.runs import IN_DOUBT, LEASE
from orchestrator.services.ports.versions import LogRow, RunAt, RunLog, UnderWay, VersionMove
from orchestrator.store.connections import Database
from orchestrator.store.notifier import Notifier

_LEASE: Final = f"interval '{int(LEASE.total_seconds())} s'"
_COLUMNS: Final = "id, journey, version, status, step, seq, fence, open_children"
_UNDER_WAY: Final = """
SELECT journey, version, status, count(*) AS total FROM run WHERE ended_at IS NULL
 GROUP BY journey, version, status ORDER BY journey, version, status"""
_AT: Final = f"""
SELECT {_COLUMNS}, error_code,
       ARRAY(SELECT name FROM step WHERE run_id = run.id
              AND (outcome = 'unknown' OR cause = '{IN_DOUBT}' OR error ->> 'class' = 'RunError')) AS doubts
  FROM run
 WHERE ended_at IS NULL AND journey = %s AND version = %s AND (%s::uuid IS NULL OR id > %s)
 ORDER BY id LIMIT %s"""
# a run in a worker's hands is never moved: the step that just succeeded would not be logged
_MOVE: Final = f"""
WITH u AS (UPDATE run SET version = %(version)s, step = %(step)s, seq = seq + 1, fence = fence + 1,
             updated_at = parvis_now(), lease_until = parvis_now() + {_LEASE},
             status = CASE WHEN %(stays)s THEN status ELSE 'ready' END,
             waiting_for = CASE WHEN %(stays)s THEN waiting_for END,
             wake_at = CASE WHEN %(stays)s THEN wake_at END
            WHERE id = %(id)s AND fence = %(fence)s AND status = %(status)s AND ended_at IS NULL
              AND status IN ('waiting_timer', 'waiting_signal', 'waiting_human', 'stuck')
           RETURNING id, seq, status),
     s AS (INSERT INTO step(run_id, seq, name, outcome, cause, actor, started_at, ended_at)
           SELECT id, seq, 'journey', 'deferred', %(cause)s, %(actor)s, parvis_now(), parvis_now()
             FROM u),
     o AS (INSERT INTO outbox(topic, key) SELECT 'wake', id FROM u WHERE status = 'ready')
SELECT status FROM u"""
_RUNS: Final = f"""
SELECT {_COLUMNS}, ended_at FROM run
 WHERE (ended_at IS NULL OR ended_at >= %(since)s) AND (%(journey)s::text IS NULL OR journey = %(journey)s)
   AND (%(after)s::uuid IS NULL OR id > %(after)s)
 ORDER BY id LIMIT %(most)s"""
_ROWS: Final = """
SELECT run_id, seq, name, outcome, actor, cause FROM step WHERE run_id = ANY(%s)
 ORDER BY run_id, seq, attempt"""


class VersionTable:
    """Implements ``ports.versions.VersionRows``."""

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier

    def under_way(self) -> Sequence[UnderWay]:
        """Count the runs under way by version and status."""
        return [UnderWay(**row) for row in self._database.all(_UNDER_WAY)]

    def runs_at(
        self, journey: str, version: int, *, after: UUID | None, most: int
    ) -> Sequence[RunAt]:
        """Return a page of the runs under way at a version, oldest first."""
        rows = self._database.all(_AT, (journey, version, after, after, most))
        return [RunAt(**row) for row in rows]

    def move(self, move: VersionMove) -> bool:
        """Move a run; False when others moved it meanwhile."""
        moved = self._database.one(
            _MOVE,
            {
                "id": move.run.id,
                "fence": move.run.fence,
                "status": move.run.status,
                "version": move.version,
                "step": move.step,
                "stays": move.keeps_waiting or move.run.status == "stuck",
                "cause": move.cause,
                "actor": move.actor,
            },
        )
        if moved is not None and moved["status"] == "ready":
            self._notifier.poke()
        return moved is not None

    def logs(
        self,
        *,
        journey: str | None,
        ended_since: datetime | None,
        after: UUID | None,
        most: int,
    ) -> Sequence[RunLog]:
        """Return a page of logs: of runs under way, and of those ended since a moment if given."""
        values = {"journey": journey, "since": ended_since, "after": after, "most": most}
        runs = self._database.all(_RUNS, values)
        rows: dict[UUID, list[LogRow]] = defaultdict(list)
        for row in self._database.all(_ROWS, ([run["id"] for run in runs],)):
            rows[row.pop("run_id")].append(LogRow(**row))
        return [
            RunLog(ended_at=run.pop("ended_at"), run=RunAt(**run), rows=rows[run["id"]])
            for run in runs
        ]
