"""Messages that joined a run too late to be heard: it was put aside, or going back. They are not lost.

While the run is put aside the message is a signal of it, and a retry may still hear it. When the run
ends otherwise than well, the oldest such message begins a run of its own and the others join that one;
when it ends well they were messages like any other of a run under way. All of it is one statement per
message, so that two processes, or a kill, take none up twice.
"""

import json
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from orchestrator.engine.journey import Journey
from orchestrator.engine.runs import LEASE
from orchestrator.store.connections import Database
from orchestrator.store.vault import ErasedError, Vault
from schemas import ids

LATE: Final = "(status IN ('stuck', 'compensating') OR (cancel_asked AND NOT pivoted))"
"""A run that hears nothing for now: what joins it is looked at again when it has ended."""
_LEASE: Final = f"interval '{int(LEASE.total_seconds())} s'"
_FIND: Final = """
SELECT s.id, r.journey, r.key, r.status, m.source, m.event_id, m.type, m.body, m.data_key_id, k.wrapped
  FROM signal s JOIN run r ON r.id = s.run_id JOIN message m ON m.id = s.id
  LEFT JOIN data_key k ON k.id = m.data_key_id
 WHERE s.is_late AND s.consumed_by_seq IS NULL AND r.ended_at IS NOT NULL ORDER BY s.id LIMIT 100"""
_TAKEN: Final = """
WITH s AS (UPDATE signal SET is_late = false WHERE id = %(message)s AND is_late RETURNING id)"""
_BEGIN: Final = f"""{_TAKEN},
     r AS (INSERT INTO run(id, journey, version, key, message_id, data_key_id, data, lease_until)
           SELECT %(run)s, %(journey)s, %(version)s, %(key)s, s.id, %(key_id)s, %(data)s,
                  parvis_now() + {_LEASE} FROM s RETURNING id),
     i AS (UPDATE inbox x SET run_id = r.id FROM r
            WHERE x.source = %(source)s AND x.event_id = %(event_id)s),
     o AS (INSERT INTO outbox(topic, key) SELECT 'wake', id FROM r)
SELECT id FROM r"""
_JOIN: Final = f"""
WITH w AS (SELECT id, {LATE} AS is_late,
                  status IN ('waiting_signal', 'waiting_human') AND waiting_for = %(type)s AS wakes
             FROM run WHERE journey = %(journey)s AND key = %(key)s AND ended_at IS NULL FOR UPDATE),
     s AS (UPDATE signal g SET run_id = w.id, is_late = w.is_late FROM w
            WHERE g.id = %(message)s AND g.is_late RETURNING g.run_id),
     i AS (UPDATE inbox x SET run_id = s.run_id FROM s
            WHERE x.source = %(source)s AND x.event_id = %(event_id)s),
     u AS (UPDATE run r SET signals = signals + 1, fence = fence + w.wakes::int,
             status = CASE WHEN w.wakes THEN 'ready' ELSE r.status END,
             wake_at = CASE WHEN w.wakes THEN NULL ELSE wake_at END,
             lease_until = CASE WHEN w.wakes THEN parvis_now() + {_LEASE} ELSE lease_until END
           FROM w JOIN s ON s.run_id = w.id WHERE r.id = w.id RETURNING r.id, w.wakes),
     o AS (INSERT INTO outbox(topic, key) SELECT 'wake', id FROM u WHERE wakes)
SELECT run_id FROM s"""
_WAITING: Final = """
SELECT count(*) AS n FROM signal WHERE run_id = %s AND is_late AND consumed_by_seq IS NULL"""


class Unheard:
    """Takes up the messages that runs which are over never heard."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        newest: Callable[[str], Journey | None],
        poke: Callable[[], None],
    ) -> None:
        self._database = database
        self._vault = vault
        self._newest = newest
        self._poke = poke

    def take_up(self) -> int:
        """Let what was not heard begin runs of its own; returns how many messages were taken up."""
        count = sum(self._taken(row) for row in self._database.all(_FIND))
        if count:
            self._poke()
        return count

    def waiting(self, run_id: UUID) -> int:
        """Return how many messages came while a run was put aside, and wait with it."""
        row = self._database.one(_WAITING, (run_id,))
        return int(row["n"]) if row else 0

    def _taken(self, row: DictRow) -> bool:
        values = {
            "message": row["id"],
            "run": ids.uuid7(),
            "key_id": row["data_key_id"],
            **{name: row[name] for name in ("journey", "key", "source", "event_id", "type")},
        }
        journey, data = self._newest(row["journey"]), self._data(row)
        begins = row["status"] != "done" and data is not None and journey is not None
        if not begins or journey is None or row["type"] not in journey.starts_on:
            self._database.run(f"{_TAKEN} SELECT id FROM s", values)
            return False
        sealed = self._vault.open_key(row["data_key_id"], row["wrapped"]).seal_json(
            values["run"], data
        )
        try:
            begun = self._database.one(
                _BEGIN, values | {"version": journey.version, "data": sealed}
            )
        except psycopg.errors.UniqueViolation:  # one of that key is under way: it joins that one
            begun = self._database.one(_JOIN, values)
        return begun is not None

    def _data(self, row: DictRow) -> dict[str, Any] | None:
        """Return what a message told; None when it was erased meanwhile."""
        if row["wrapped"] is None or row["body"] is None:
            return None
        try:
            key = self._vault.open_key(row["data_key_id"], row["wrapped"])
            event = json.loads(key.open(row["id"], row["body"]))
        except ErasedError:
            return None
        data = event.get("data")
        return data if isinstance(data, dict) else None
