"""Cancels: a flag that the next transition reads, or the way back at once for a run that waits.

The fence of a run in a worker's hands is left alone: the step under way must still be logged, or
nobody would take back what it did. Why somebody asked is sealed with the run's data, as the reasons of
all acts are.
"""

from typing import Final
from uuid import UUID

from orchestrator.engine.runs import LEASE
from orchestrator.store.connections import Database
from orchestrator.store.places import held_place
from orchestrator.store.vault import Vault
from schemas.errors import RunStateError

_LEASE: Final = f"interval '{int(LEASE.total_seconds())} s'"
_CANCEL: Final = f"""
WITH c AS (SELECT id, pivoted, cancel_asked OR status = 'compensating' AS is_stopping,
                  status IN ('waiting_timer', 'waiting_signal', 'waiting_human', 'stuck') AS rests
             FROM run WHERE id = %(id)s AND ended_at IS NULL FOR UPDATE),
     u AS (UPDATE run r SET cancel_asked = true, updated_at = parvis_now(),
             fence = r.fence + c.rests::int,
             status = CASE WHEN c.rests THEN 'compensating' ELSE r.status END,
             wake_at = CASE WHEN c.rests THEN NULL ELSE r.wake_at END,
             waiting_for = CASE WHEN c.rests THEN NULL ELSE r.waiting_for END,
             error_code = CASE WHEN c.rests THEN NULL ELSE r.error_code END,
             recoveries = CASE WHEN c.rests THEN 0 ELSE r.recoveries END,
             lease_until = CASE WHEN c.rests THEN parvis_now() + {_LEASE} ELSE r.lease_until END
            FROM c WHERE r.id = c.id AND NOT c.pivoted AND (c.rests OR NOT c.is_stopping)
           RETURNING r.id, r.seq, r.status, c.rests),
     s AS (INSERT INTO step(run_id, seq, attempt, name, outcome, cause, actor, output, started_at,
                            ended_at)
           SELECT u.id, u.seq, 1 + coalesce((SELECT max(attempt) FROM step
                    WHERE run_id = u.id AND seq = u.seq), 0), 'run:cancel', 'deferred',
                  'cancel', %(actor)s, %(reason)s, parvis_now(), parvis_now() FROM u),
     t AS (UPDATE human_task h SET closed_at = parvis_now(), decision = 'cancel', decided_by = %(actor)s
            FROM u WHERE h.run_id = u.id AND u.rests AND h.closed_at IS NULL),
     o AS (INSERT INTO outbox(topic, key) SELECT 'wake', id FROM u WHERE rests)
SELECT c.pivoted, coalesce(u.status, r.status) AS status
  FROM c JOIN run r ON r.id = c.id LEFT JOIN u ON u.id = c.id"""


def cancel(
    database: Database, vault: Vault, run_id: UUID, *, actor: str, reason: str | None
) -> str | None:
    """Ask a run to stop; returns its status afterwards, or None when it is over or unknown.

    Raises:
        RunStateError: it did something that cannot be taken back.
    """
    with database.transaction() as connection:
        place = held_place(connection, vault, run_id) if reason else None
        sealed = place.sealed(reason) if place else None
        values = {"id": run_id, "actor": actor, "reason": sealed}
        row = connection.execute(_CANCEL, values).fetchone()
    if row is None:
        return None
    if row["pivoted"]:
        raise RunStateError(
            "Elle a déjà fait ce qui ne s'annule pas : elle ne peut plus qu'aller jusqu'au bout."
        )
    status: str = row["status"]
    return status
