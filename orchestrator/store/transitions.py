"""The batched statements of runs in hand: transitions with their effects, ends of children, parks.

A cancel that was asked for is read by the transition itself: the step that was under way is logged
in any case, and the run goes back from there unless it passed a pivot. Who ends a child tells its
parent in the same statement: the last one wakes it.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from psycopg.rows import DictRow

from orchestrator.engine.runs import CHILDREN_DONE, CHILDREN_ENDED, LEASE, Park, Transition
from orchestrator.store import effects
from orchestrator.store.arrays import columns_of
from orchestrator.store.connections import Connection
from orchestrator.store.vault import DataKey

if TYPE_CHECKING:
    from orchestrator.engine.effects import Effect

_LEASE: Final = f"interval '{int(LEASE.total_seconds())} s'"
_COLUMNS: Final = (
    ("id", "uuid"),
    ("fence", "bigint"),
    ("step", "int"),
    ("goes_to", "text"),
    ("outcome", "text"),
    ("name", "text"),
    ("attempt", "int"),
    ("cause", "text"),
    ("output", "bytea"),
    ("error", "text"),
    ("started_at", "timestamptz"),
    ("ended_at", "timestamptz"),
    ("wake_at", "timestamptz"),
    ("waiting_for", "text"),
    ("error_code", "text"),
    ("citizen_id", "uuid"),
    ("worker", "text"),
    ("pivot", "bool"),
)
_STOPS: Final = (
    "(run.cancel_asked AND run.status = 'ready' AND NOT (run.pivoted OR t.pivot OR t.ends))"
)
PARENT_TOLD: Final = f""",
     e AS (SELECT parent_id, count(*)::int AS n, bool_or(status <> 'done') AS is_bad FROM r
            WHERE ended_at IS NOT NULL AND parent_id IS NOT NULL GROUP BY parent_id),
     p AS (SELECT q.id, e.n, q.open_children <= e.n AS last,
                  q.status IN ('waiting_signal', 'compensating')
                  AND (coalesce(q.waiting_for, '') = '{CHILDREN_DONE}' AND (q.open_children <= e.n OR e.is_bad)
                    OR coalesce(q.waiting_for, '') = '{CHILDREN_ENDED}' AND q.open_children <= e.n) AS wakes
             FROM run q JOIN e ON q.id = e.parent_id ORDER BY q.id FOR UPDATE OF q),
     g AS (INSERT INTO signal(id, run_id, name, dedup)
           SELECT gen_random_uuid(), id, '{CHILDREN_ENDED}', gen_random_uuid()::text FROM p WHERE last),
     u AS (UPDATE run q SET open_children = greatest(q.open_children - p.n, 0),
             signals = q.signals + p.last::int, fence = q.fence + p.wakes::int,
             status = CASE WHEN p.wakes AND q.status = 'waiting_signal' THEN 'ready' ELSE q.status END,
             lease_until = CASE WHEN p.wakes THEN parvis_now() + {_LEASE} ELSE q.lease_until END
            FROM p WHERE q.id = p.id RETURNING q.id, p.wakes),
     w AS (INSERT INTO outbox(topic, key) SELECT 'wake', id FROM u WHERE wakes)"""
"""Follows a CTE ``r`` of moved runs (parent_id, ended_at, status): tells the parents of ended ones."""
_PARK: Final = """
WITH t AS (SELECT * FROM unnest(%(id)b::uuid[], %(fence)b::bigint[], %(signals)b::int[],
             %(goes_to)b::text[], %(waiting_for)b::text[], %(wake_at)b::timestamptz[])
             AS t(id, fence, signals, goes_to, waiting_for, wake_at))
UPDATE run SET status = t.goes_to, waiting_for = t.waiting_for, wake_at = t.wake_at,
       fence = run.fence + 1, updated_at = parvis_now()
  FROM t WHERE run.id = t.id AND run.fence = t.fence AND run.signals = t.signals
   AND (run.pivoted OR NOT run.cancel_asked)
RETURNING run.id, run.fence"""


@lru_cache(maxsize=256)
def transition_sql(kinds: tuple[type, ...], further_sql: str = "") -> str:
    """Return the batched transition for the kinds of effects that occur in the batch.

    On one line and below 4,096 characters: the driver reads a longer statement anew each time.
    """
    arrays = ", ".join(f"%({name})b::{kind}[]" for name, kind in _COLUMNS)
    names = ", ".join(name for name, _ in _COLUMNS)
    further = "".join(effects.statement_part(kind) for kind in kinds)
    sql = f"""
WITH t AS (SELECT *, goes_to IN ('done', 'failed', 'compensated', 'cancelled') AS ends
             FROM unnest({arrays}) AS t({names})),
     r AS (UPDATE run SET step = t.step, seq = run.seq + 1, fence = run.fence + 1,
             updated_at = parvis_now(),
             lease_until = CASE WHEN {_STOPS} THEN parvis_now()
                                ELSE coalesce(t.wake_at, parvis_now()) END + {_LEASE},
             status = CASE WHEN {_STOPS} THEN 'compensating' ELSE t.goes_to END,
             wake_at = CASE WHEN {_STOPS} THEN NULL ELSE t.wake_at END,
             waiting_for = CASE WHEN {_STOPS} THEN NULL ELSE t.waiting_for END,
             error_code = CASE WHEN {_STOPS} THEN NULL ELSE t.error_code END,
             recoveries = CASE WHEN t.outcome IN ('ok', 'compensated') THEN 0 ELSE recoveries END,
             citizen_id = coalesce(t.citizen_id, run.citizen_id),
             pivoted = run.pivoted OR t.pivot,
             ends_as = CASE WHEN run.status = 'compensating' AND t.goes_to = 'stuck'
                            THEN run.error_code ELSE run.ends_as END,
             ended_at = CASE WHEN t.ends THEN parvis_now() END
            FROM t WHERE run.id = t.id AND run.fence = t.fence
           RETURNING run.id, run.seq, run.fence, run.status, run.parent_id, run.ended_at,
                     run.citizen_id, t.attempt, t.name, t.outcome, t.cause, t.output, t.error,
                     t.started_at, t.ended_at AS tried_until, t.worker),
     s AS (INSERT INTO step(run_id, seq, attempt, name, outcome, cause, actor, output, error,
                            started_at, ended_at, worker)
           SELECT id, seq, attempt, name, outcome, cause, 'worker', output, error::jsonb,
                  started_at, tried_until, worker FROM r)
     {further}{further_sql}
SELECT r.id, r.fence, r.seq, r.status, c.consents FROM r LEFT JOIN citizen c ON c.id = r.citizen_id"""
    return " ".join(sql.split())


def step_row_id(run_id: UUID, seq: int, attempt: int) -> UUID:
    """Return the id under which a step row's output is sealed: its run's, with its place in the log."""
    return UUID(int=run_id.int ^ (seq << 16 | attempt))


class Transitions:
    """The batch of transitions: each row is (Transition, log position, data key, worker)."""

    def __init__(self, further_sql: str = "") -> None:
        self._further_sql = further_sql

    def write(self, connection: Connection, rows: Sequence[Any]) -> Sequence[DictRow | None]:
        """Write the transitions; None marks a row that was fenced off."""
        moves: list[Sequence[Any]] = []
        made: dict[type, list[tuple[UUID, Effect, DataKey | None]]] = defaultdict(list)
        for move, seq, key, worker in sorted(rows, key=lambda row: row[0].run_id.int):
            moves.append(_values(move, seq, key, worker))
            for effect in move.effects:
                made[type(effect)].append((move.run_id, effect, key))
        values = columns_of(_COLUMNS, moves)
        kinds = tuple(kind for kind in effects.KINDS if kind in made)
        for kind in kinds:
            values |= effects.parameters(kind, made[kind])
        sql = transition_sql(kinds, self._further_sql)
        moved = {row["id"]: row for row in connection.execute(sql, values)}
        return [moved.get(row[0].run_id) for row in rows]


def _values(move: Transition, seq: int, key: DataKey | None, worker: str) -> Sequence[Any]:
    output = None
    if move.output is not None and key is not None:
        output = key.seal_json(step_row_id(move.run_id, seq, move.attempt), dict(move.output))
    return (
        move.run_id,
        move.fence,
        move.step,
        move.to,
        move.outcome,
        move.name,
        move.attempt,
        move.cause,
        output,
        json.dumps(dict(move.error)) if move.error else None,
        move.started_at,
        move.ended_at,
        move.wake_at,
        move.waiting_for,
        move.error_code,
        move.citizen_id,
        worker,
        move.pivot,
    )


class Parks:
    """The batch of runs that begin to wait for a signal; an outcome is the new fence or None."""

    def write(self, connection: Connection, rows: Sequence[Park]) -> Sequence[int | None]:
        """Park the rows; None marks one that a signal overtook or that was fenced off."""
        taken = sorted(rows, key=lambda row: row.run_id)
        values = {
            "id": [row.run_id for row in taken],
            "fence": [row.fence for row in taken],
            "signals": [row.signals for row in taken],
            "goes_to": [row.to for row in taken],
            "waiting_for": [row.waiting_for for row in taken],
            "wake_at": [row.wake_at for row in taken],
        }
        parked = {row["id"]: row["fence"] for row in connection.execute(_PARK, values)}
        return [parked.get(row.run_id) for row in rows]
