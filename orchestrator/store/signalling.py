"""Signals given by people: the signal, the wake and the row that names who gave it, in one statement.

The fence of a run in a worker's hands is left alone, as a cancel leaves it: the counter of signals
tells the worker before it lets the run wait.
"""

from typing import Final
from uuid import UUID

from orchestrator.engine.runs import LEASE
from orchestrator.services.ports.signals import HandSignal, Heard
from orchestrator.store.connections import Database
from orchestrator.store.notifier import Notifier
from orchestrator.store.places import Place, held_place
from orchestrator.store.vault import Vault
from schemas import ids
from schemas.errors import RunErasedError

_LEASE: Final = f"interval '{int(LEASE.total_seconds())} s'"
_GIVE: Final = f"""
WITH g AS (INSERT INTO signal(id, run_id, name, dedup, payload)
           SELECT %(sid)s, id, %(name)s, %(dedup)s, %(payload)s FROM run
            WHERE id = %(id)s AND ended_at IS NULL
           ON CONFLICT (run_id, dedup) DO NOTHING RETURNING run_id, name),
     w AS (SELECT r.id, r.status IN ('waiting_signal', 'waiting_human') AND r.waiting_for = g.name AS wakes
             FROM run r JOIN g ON r.id = g.run_id),
     u AS (UPDATE run r SET signals = signals + 1, fence = fence + w.wakes::int,
             updated_at = parvis_now(),
             status = CASE WHEN w.wakes THEN 'ready' ELSE r.status END,
             wake_at = CASE WHEN w.wakes THEN NULL ELSE wake_at END,
             lease_until = CASE WHEN w.wakes THEN parvis_now() + {_LEASE} ELSE lease_until END
            FROM w WHERE r.id = w.id RETURNING r.id, r.status, w.wakes),
     s AS (INSERT INTO step(run_id, seq, attempt, name, outcome, cause, actor, output, started_at,
                            ended_at)
           SELECT u.id, %(seq)s, %(attempt)s, %(name)s || ':signal', 'deferred', 'signal', %(actor)s,
                  %(reason)s, parvis_now(), parvis_now() FROM u),
     o AS (INSERT INTO outbox(topic, key) SELECT 'wake', id FROM u WHERE wakes)
SELECT r.ended_at IS NOT NULL AS is_over, coalesce(u.status, r.status) AS status,
       u.id IS NOT NULL AS is_new, coalesce(x.name, %(name)s) AS name
  FROM run r LEFT JOIN u ON u.id = r.id LEFT JOIN signal x ON x.run_id = r.id AND x.dedup = %(dedup)s
 WHERE r.id = %(id)s"""
# so that no key of a person's choice is ever taken for that of a message or of a code
_KEY: Final = "hand:{}"


class HandSignalTable:
    """Implements ``ports.signals.HandSignals``."""

    def __init__(self, database: Database, vault: Vault, notifier: Notifier) -> None:
        self._database = database
        self._vault = vault
        self._notifier = notifier

    def give(self, run_id: UUID, given: HandSignal) -> Heard | None:
        """Store a signal once with the row that tells it; see the port for the errors."""
        with self._database.transaction() as connection:
            place = held_place(connection, self._vault, run_id)
            if place is None:
                return None
            values = self._values(run_id, given, place)
            row = connection.execute(_GIVE, values).fetchone()
        self._notifier.poke()
        if row is None or row["is_over"]:
            return None
        return Heard(
            name=row["name"],
            status=row["status"],
            is_new=row["is_new"],
            is_reason_kept=values["reason"] is not None,
        )

    def _values(self, run_id: UUID, given: HandSignal, place: Place) -> dict[str, object]:
        signal_id, payload = ids.uuid7(), None
        if given.payload is not None:
            if place.key is None:
                raise RunErasedError("Ce que vous joignez ne se chiffre plus : rien n'a changé.")
            payload = place.key.seal_json(signal_id, dict(given.payload))
        return {
            "id": run_id,
            "sid": signal_id,
            "name": given.name,
            "dedup": _KEY.format(given.dedup),
            "payload": payload,
            "seq": place.seq,
            "attempt": place.attempt,
            "actor": given.actor,
            "reason": place.sealed(given.reason),
        }


__all__ = ["HandSignalTable"]
