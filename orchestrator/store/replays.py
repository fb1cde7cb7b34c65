"""Replays: a set of runs frozen when it was planned, acted on at a pace, to be stopped at any time.

The statement that acts on a run settles its item too (``store.operations``), so an item is acted on
once, whatever dies in between.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import DictRow

from orchestrator.services.ports.operations import Allowance, FailureKey, ReplayPlan, ReplayState
from orchestrator.store.connections import Database
from orchestrator.store.failed import FAILED, KEYS, SAME, arrays

_PLAN: Final = f"""
WITH chosen AS (
       SELECT c.id, c.fence, row_number() OVER (ORDER BY c.created_at, c.id) AS position
         FROM (SELECT f.id, f.fence, f.created_at FROM ({FAILED}) f JOIN {KEYS} ON {SAME}
                WHERE %(since)s::timestamptz IS NULL OR f.updated_at >= %(since)s
                ORDER BY f.created_at, f.id LIMIT %(most)s + 1) c),
     p AS (INSERT INTO replay(id, act, selection, reason, rate, total, planned_by)
           SELECT %(id)s, %(act)s, %(selection)s::jsonb, %(reason)s, %(rate)s, t.total, %(actor)s
             FROM (SELECT count(*) AS total FROM chosen) t
             WHERE t.total BETWEEN 1 AND %(most)s RETURNING id),
     i AS (INSERT INTO replay_item(replay_id, run_id, fence, position)
           SELECT p.id, c.id, c.fence, c.position FROM p CROSS JOIN chosen c)
SELECT count(*) AS total FROM chosen"""
_START: Final = """
UPDATE replay SET state = 'running', started_by = %(actor)s, stopped_by = NULL, stopped_at = NULL,
       started_at = coalesce(started_at, parvis_now())
 WHERE id = %(id)s AND state IN ('planned', 'stopped')"""
_STOP: Final = """
UPDATE replay SET state = 'stopped', stopped_by = %(actor)s, stopped_at = parvis_now()
 WHERE id = %(id)s AND state = 'running'"""
_STATE: Final = """
SELECT p.id, p.act, p.selection, p.rate, p.state, p.reason, p.total, p.planned_by, p.planned_at,
       p.started_by, p.started_at, p.stopped_by, p.stopped_at, p.ended_at,
       coalesce(t.pending, 0) AS pending, coalesce(t.done, 0) AS done,
       coalesce(t.skipped, '{}'::jsonb) AS skipped
  FROM replay p LEFT JOIN LATERAL (
         SELECT sum(n) FILTER (WHERE state = 'pending')::int AS pending,
                sum(n) FILTER (WHERE state = 'done')::int AS done,
                jsonb_object_agg(coalesce(reason, ''), n) FILTER (WHERE state = 'skipped') AS skipped
           FROM (SELECT state, reason, count(*) AS n FROM replay_item WHERE replay_id = p.id
                  GROUP BY state, reason) c) t ON true"""
_ONE: Final = f"{_STATE} WHERE p.id = %s"
_LATEST: Final = f"{_STATE} ORDER BY p.id DESC LIMIT %s"
# a moment to come is one of a clock that was turned back since
_PACE: Final = """
UPDATE replay SET paced_at = parvis_now()
 WHERE state = 'running'
   AND (paced_at BETWEEN parvis_now() - interval '0.99 s' AND parvis_now()) IS NOT TRUE
RETURNING id, act, rate, reason, started_by"""
_PENDING: Final = """
SELECT run_id, fence FROM replay_item WHERE replay_id = %s AND state = 'pending'
 ORDER BY position LIMIT %s"""
_LEAVE: Final = """
UPDATE replay_item SET state = 'skipped', reason = %(reason)s, acted_at = parvis_now()
 WHERE replay_id = %(id)s AND run_id = %(run)s AND state = 'pending'"""
_END: Final = """
UPDATE replay p SET state = 'done', ended_at = parvis_now()
 WHERE state = 'running' AND NOT EXISTS (
       SELECT FROM replay_item i WHERE i.replay_id = p.id AND i.state = 'pending')"""


class ReplayTable:
    """Implements ``ports.operations.ReplayRows``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def plan(
        self, plan: ReplayPlan, keys: Sequence[FailureKey], *, since: datetime | None, most: int
    ) -> int:
        """Freeze the runs put aside for these failures; returns how many; see the port."""
        values = {
            "id": plan.id,
            "act": plan.act,
            "selection": json.dumps(dict(plan.selection)),
            "reason": plan.reason,
            "rate": plan.rate,
            "actor": plan.actor,
            "since": since,
            "most": most,
        }
        row = self._database.one(_PLAN, values | arrays(keys))
        return int(row["total"]) if row else 0

    def start(self, replay_id: UUID, *, actor: str) -> bool:
        """Let a planned or stopped replay go; False when it is not in such a state."""
        return bool(self._database.run(_START, {"id": replay_id, "actor": actor}))

    def stop(self, replay_id: UUID, *, actor: str) -> bool:
        """Stop a running replay; False when it does not run."""
        return bool(self._database.run(_STOP, {"id": replay_id, "actor": actor}))

    def state(self, replay_id: UUID) -> ReplayState | None:
        """Return a replay, or None."""
        row = self._database.one(_ONE, (replay_id,))
        return _state(row) if row else None

    def latest(self, *, most: int) -> Sequence[ReplayState]:
        """Return the latest replays, newest first."""
        return [_state(row) for row in self._database.all(_LATEST, (most,))]

    def allow(self) -> Sequence[Allowance]:
        """Return what each running replay may do now, once a second each."""
        return [self._allowance(row) for row in self._database.all(_PACE)]

    def leave(self, replay_id: UUID, run_id: UUID, *, reason: str) -> None:
        """Say that a replay left a run alone, and why."""
        self._database.run(_LEAVE, {"id": replay_id, "run": run_id, "reason": reason})

    def end_finished(self) -> int:
        """End the running replays that have nothing left to do; returns how many."""
        return self._database.run(_END)

    def _allowance(self, row: DictRow) -> Allowance:
        pending = self._database.all(_PENDING, (row["id"], row["rate"]))
        return Allowance(
            replay_id=row["id"],
            act=row["act"],
            reason=row["reason"],
            actor=row["started_by"],
            runs=[(item["run_id"], item["fence"]) for item in pending],
        )


def _state(row: DictRow) -> ReplayState:
    return ReplayState(**row)
