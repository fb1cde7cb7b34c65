"""Intake: inbox, message, data key, run and wake in one statement, shared by many requests.

No row back means a duplicate; a run of the same key under way makes the message a signal of that
run instead. The claims (source, event id) are kept without payload and longer than any sender
retries.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg

from orchestrator.engine.faults import FaultPoint, no_faults
from orchestrator.engine.runs import LEASE
from orchestrator.services.ports.intake import Arrival
from orchestrator.store.committer import Committer, CommitUnknownError
from orchestrator.store.connections import Connection, Database
from orchestrator.store.notifier import Notifier
from orchestrator.store.unheard import LATE
from orchestrator.store.vault import DataKey, Vault
from schemas import ids
from schemas.errors import EventIdReusedError, StoreUnavailableError
from schemas.messages import Accepted

_COLUMNS: Final = (
    ("source", "text"),
    ("event_id", "text"),
    ("body_sha", "bytea"),
    ("message_id", "uuid"),
    ("run_id", "uuid"),
    ("type", "text"),
    ("subject", "text"),
    ("headers", "text"),
    ("body", "bytea"),
    ("key_id", "uuid"),
    ("wrapped", "bytea"),
    ("journey", "text"),
    ("version", "int"),
    ("key", "text"),
    ("data", "bytea"),
    ("citizen_id", "uuid"),
)
_ARRAYS: Final = ", ".join(f"%({name})b::{kind}[]" for name, kind in _COLUMNS)
_NAMES: Final = ", ".join(name for name, _ in _COLUMNS)
_LEASE: Final = f"interval '{int(LEASE.total_seconds())} s'"
_START: Final = f"""
WITH t AS (SELECT * FROM unnest({_ARRAYS}) AS t({_NAMES})),
     i AS (INSERT INTO inbox(source, event_id, body_sha, message_id, run_id)
           SELECT source, event_id, body_sha, message_id, run_id FROM t ORDER BY source, event_id
           ON CONFLICT DO NOTHING RETURNING message_id),
     k AS (INSERT INTO data_key(id, wrapped)
           SELECT t.key_id, t.wrapped FROM t JOIN i USING (message_id)),
     m AS (INSERT INTO message(id, source, event_id, type, subject, headers, body, data_key_id)
           SELECT t.message_id, t.source, t.event_id, t.type, t.subject, t.headers::jsonb, t.body,
                  t.key_id FROM t JOIN i USING (message_id)),
     r AS (INSERT INTO run(id, journey, version, key, message_id, data_key_id, data, citizen_id,
                           lease_until)
           SELECT t.run_id, t.journey, t.version, t.key, t.message_id, t.key_id, t.data,
                  t.citizen_id, parvis_now() + {_LEASE}
             FROM t JOIN i USING (message_id) WHERE t.journey IS NOT NULL RETURNING id),
     o AS (INSERT INTO outbox(topic, key) SELECT 'wake', id FROM r)
SELECT message_id FROM i"""
_JOIN: Final = f"""
WITH w AS (SELECT id, {LATE} AS is_late,
                  status IN ('waiting_signal', 'waiting_human') AND waiting_for = %(type)s AS wakes
             FROM run WHERE journey = %(journey)s AND key = %(key)s AND ended_at IS NULL FOR UPDATE),
     i AS (INSERT INTO inbox(source, event_id, body_sha, message_id, run_id)
           SELECT %(source)s, %(event_id)s, %(body_sha)s, %(message_id)s, id FROM w
           ON CONFLICT DO NOTHING RETURNING message_id, run_id),
     k AS (INSERT INTO data_key(id, wrapped) SELECT %(key_id)s, %(wrapped)s FROM i),
     m AS (INSERT INTO message(id, source, event_id, type, subject, headers, body, data_key_id)
           SELECT message_id, %(source)s, %(event_id)s, %(type)s, %(subject)s, %(headers)s::jsonb,
                  %(body)s, %(key_id)s FROM i),
     s AS (INSERT INTO signal(id, run_id, name, dedup, is_late)
           SELECT message_id, run_id, %(type)s, message_id::text, w.is_late
             FROM i JOIN w ON w.id = i.run_id RETURNING run_id),
     u AS (UPDATE run r SET signals = signals + 1, fence = fence + w.wakes::int,
             status = CASE WHEN w.wakes THEN 'ready' ELSE r.status END,
             wake_at = CASE WHEN w.wakes THEN NULL ELSE wake_at END,
             lease_until = CASE WHEN w.wakes THEN parvis_now() + {_LEASE} ELSE lease_until END
           FROM w JOIN s ON s.run_id = w.id WHERE r.id = w.id RETURNING r.id, w.wakes),
     o AS (INSERT INTO outbox(topic, key) SELECT 'wake', id FROM u WHERE wakes)
SELECT message_id FROM i"""
_SEEN: Final = "SELECT body_sha, message_id FROM inbox WHERE source = %s AND event_id = %s"
_STATE: Final = """
SELECT CASE WHEN r.id IS NULL OR r.ended_at IS NOT NULL THEN 'done' ELSE 'received' END AS state
  FROM inbox i LEFT JOIN run r ON r.id = i.run_id WHERE i.source = %s AND i.event_id = %s"""
_COUNT: Final = """
INSERT INTO intake_counter(partner, day, what, total) VALUES (%s, (parvis_now())::date, %s, 1)
ON CONFLICT (partner, day, what) DO UPDATE SET total = intake_counter.total + 1"""
_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """An arrival with its ids and its sealed payloads."""

    arrival: Arrival
    message_id: UUID
    run_id: UUID | None
    key: DataKey

    def values(self) -> dict[str, Any]:
        """Return the row's columns."""
        message, starts = self.arrival.message, self.arrival.starts
        data = None
        if starts and self.run_id:
            data = self.key.seal_json(self.run_id, dict(starts.data))
        return {
            "source": message.source,
            "event_id": message.id,
            "body_sha": self.arrival.body_digest,
            "message_id": self.message_id,
            "run_id": self.run_id,
            "type": message.type,
            "subject": message.subject,
            "headers": json.dumps(dict(self.arrival.headers)),
            "body": self.key.seal(self.message_id, self.arrival.body),
            "key_id": self.key.id,
            "wrapped": self.key.wrapped,
            "journey": starts.journey if starts else None,
            "version": starts.version if starts else None,
            "key": starts.key if starts else None,
            "data": data,
            "citizen_id": starts.citizen_id if starts else None,
        }


class _Starts:
    """The batch of arrivals; an outcome is True for a new message, False for a known one."""

    def write(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> Sequence[bool]:
        """Take the arrivals in; a run of the same key under way fails the statement."""
        values = {name: [row[name] for row in rows] for name, _ in _COLUMNS}
        new = {row["message_id"] for row in connection.execute(_START, values)}
        return [row["message_id"] in new for row in rows]


class PostgresInbox:
    """The inbox of one process (implements ``ports.intake.InboxStore``)."""

    def __init__(
        self,
        database: Database,
        committer: Committer,
        vault: Vault,
        notifier: Notifier,
        fault: FaultPoint = no_faults,
    ) -> None:
        self._database = database
        self._committer = committer
        self._vault = vault
        self._notifier = notifier
        self._fault = fault
        self._starts = _Starts()

    def accept(self, arrival: Arrival) -> Accepted:
        """Store the message and start or feed its run; see the port for the errors."""
        row = _Row(
            arrival=arrival,
            message_id=ids.uuid7(),
            run_id=ids.uuid7() if arrival.starts else None,
            key=self._vault.new_key(),
        )
        for _ in range(_ROUNDS):
            if self._take(row.values()):
                self._fault("intake.after_commit")
                self._notifier.poke()
                return Accepted(
                    status="accepted", event_id=arrival.message.id, message_id=row.message_id
                )
            known = self._known(arrival)
            if known is not None:
                return known
        raise StoreUnavailableError("The run of this key kept ending and starting.")

    def state(self, source: str, event_id: str) -> str | None:
        """Return what the sender may know of its event."""
        row = self._database.one(_STATE, (source, event_id))
        return row["state"] if row else None

    def count(self, partner: str, what: str) -> None:
        """Add one to the partner's counter of the day."""
        self._database.run(_COUNT, (partner, what))

    def _take(self, values: dict[str, Any]) -> bool:
        """Start a run, or join the one under way; False when neither wrote anything."""
        try:
            return bool(self._committer.put(self._starts, values))
        except psycopg.errors.UniqueViolation:
            return self._database.one(_JOIN, values) is not None
        except CommitUnknownError as error:
            raise StoreUnavailableError from error

    def _known(self, arrival: Arrival) -> Accepted | None:
        row = self._database.one(_SEEN, (arrival.message.source, arrival.message.id))
        if row is None:
            return None
        if row["body_sha"] != arrival.body_digest:
            raise EventIdReusedError
        return Accepted(
            status="duplicate", event_id=arrival.message.id, message_id=row["message_id"]
        )
