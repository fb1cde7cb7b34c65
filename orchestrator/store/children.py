"""Runs of runs: a step's children are started, and read again when they have ended.

The children and the wait of their parent are one statement, so that neither is without the other.
The statement that ends a child and tells its parent is in ``transitions``.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from orchestrator.engine.runs import CHILDREN_ENDED, LEASE, ChildEnd, Run, Spawn, child_key
from orchestrator.store.connections import Database
from orchestrator.store.transitions import step_row_id
from orchestrator.store.vault import DataKey, opened_or_none

_LEASE: Final = f"interval '{int(LEASE.total_seconds())} s'"
_SPAWN: Final = f"""
WITH p AS (UPDATE run SET status = 'waiting_signal', waiting_for = %(waiting_for)s, wake_at = NULL,
             fence = fence + 1, open_children = %(count)s, updated_at = parvis_now()
            WHERE id = %(id)s AND fence = %(fence)s AND open_children = 0
              AND (pivoted OR NOT cancel_asked)
           RETURNING id, message_id, citizen_id, data_key_id),
     c AS (INSERT INTO run(id, journey, version, key, message_id, citizen_id, data_key_id, data,
                           parent_id, lease_until)
           SELECT t.id, %(journey)s, %(version)s, t.key, p.message_id, p.citizen_id, p.data_key_id,
                  t.data, p.id, parvis_now() + {_LEASE}
             FROM p, unnest(%(ids)s::uuid[], %(keys)s::text[], %(data)s::bytea[]) AS t(id, key, data)
           RETURNING id),
     o AS (INSERT INTO outbox(topic, key) SELECT 'wake', id FROM c)
SELECT id FROM p"""
_OF: Final = """
SELECT c.id, c.key, c.status, c.error_code, c.version, c.pivoted, s.seq, s.attempt, s.output,
       ARRAY(SELECT name FROM step WHERE run_id = c.id AND outcome = 'ok') AS steps
  FROM (SELECT DISTINCT ON (key) id, key, status, error_code, version, pivoted FROM run
         WHERE parent_id = %(parent)s AND starts_with(key, %(prefix)s) ORDER BY key, id DESC) c
  LEFT JOIN LATERAL (SELECT seq, attempt, output FROM step
                      WHERE run_id = c.id AND outcome = 'ok' AND output IS NOT NULL
                      ORDER BY seq DESC, attempt DESC LIMIT 1) s ON true
 ORDER BY c.id"""
_AWAIT: Final = """
UPDATE run SET status = 'compensating', waiting_for = %(ended)s, wake_at = NULL, lease_until = NULL,
       fence = fence + 1, updated_at = parvis_now()
 WHERE id = %(id)s AND fence = %(fence)s AND open_children > 0 RETURNING id"""


def spawn(database: Database, wanted: Spawn, key: DataKey | None) -> bool:
    """Start the children of a step and let their parent wait; False when others moved it."""
    sealed = [
        key.seal_json(child.id, dict(child.data)) if key else None for child in wanted.children
    ]
    values = {
        "id": wanted.run_id,
        "fence": wanted.fence,
        "waiting_for": wanted.waiting_for,
        "count": len(wanted.children),
        "journey": wanted.journey,
        "version": wanted.version,
        "ids": [child.id for child in wanted.children],
        "keys": [child_key(wanted.run_id, wanted.step, child.item) for child in wanted.children],
        "data": sealed,
    }
    return database.one(_SPAWN, values) is not None


def of(database: Database, parent_id: UUID, step: str, key: DataKey | None) -> Sequence[ChildEnd]:
    """Return the latest child of each item of a step, with the output of its last step."""
    prefix = child_key(parent_id, step)
    rows = database.all(_OF, {"parent": parent_id, "prefix": prefix})
    return [
        ChildEnd(
            id=row["id"],
            item=row["key"].removeprefix(prefix),
            status=row["status"],
            error_code=row["error_code"],
            output=opened_or_none(
                key, step_row_id(row["id"], row["seq"], row["attempt"]), row["output"]
            )
            if row["seq"]
            else None,
            version=row["version"],
            pivoted=row["pivoted"],
            steps=frozenset(row["steps"]),
        )
        for row in rows
    ]


def await_ends(database: Database, run: Run) -> bool:
    """Let a run that goes back wait for its children; False when none is open, or others moved it."""
    values = {"id": run.id, "fence": run.fence, "ended": CHILDREN_ENDED}
    return database.one(_AWAIT, values) is not None
