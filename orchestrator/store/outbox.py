"""The outbox as the relay sees it, and what is kept of wakes the broker gave up on.

Rows are always read from the oldest one that is there, never "after the last one seen": ids are given
before commits. One relay is active at a time (advisory lock), so rows need no lock of their own and no
transaction stays open while the broker is spoken to; two that overlap for a moment publish twice, which
readers expect.
"""

import json
from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID, uuid5

from orchestrator.services.ports.publishing import DeadWake, OutboxRow, Sent
from orchestrator.store.connections import Connection, Database
from orchestrator.store.locks import RELAY, takes
from orchestrator.store.notices import listen, wait_for_notice
from schemas.errors import StoreUnavailableError

_READ: Final = """
SELECT id, event_id, topic, key, payload, created_at, refusals FROM outbox
 WHERE NOT (topic = ANY(%s)) ORDER BY id LIMIT %s"""
_LAST: Final = "SELECT coalesce(max(id), 0) AS id FROM outbox"
_SETTLE: Final = """
WITH gone AS (DELETE FROM outbox WHERE id = ANY(%(confirmed)s)),
     kept AS (UPDATE outbox SET refusals = refusals + 1 WHERE id = ANY(%(refused)s)
              RETURNING refusals)
SELECT coalesce(max(refusals), 0) AS most FROM kept"""
_DELETE: Final = "DELETE FROM outbox WHERE id = ANY(%s)"
_DEAD: Final = """
WITH r AS (SELECT message_id, status FROM run WHERE id = %(run_id)s::uuid),
     known AS (SELECT EXISTS (SELECT FROM r) AS is_run)
INSERT INTO dead_letter(id, source, message_id, reason, detail, closed_at, closed_by)
SELECT %(id)s::uuid, 'broker', (SELECT message_id FROM r), %(reason)s::text, %(detail)s::jsonb,
       CASE WHEN is_run THEN parvis_now() END, CASE WHEN is_run THEN 'sweeper' END FROM known
ON CONFLICT (id) DO NOTHING RETURNING closed_at IS NULL AS is_open"""
_NAMES: Final = UUID("6f0b6d7e-5d1f-4f5a-9a56-0c7f3c1b9a10")  # ours, for ids made of names


class Outbox:
    """The rows to publish, for the one active relay (implements ``ports.publishing.OutboxStore``)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._doubtful = 0  # up to this row somebody before us may have published

    def acquire(self) -> bool:
        """Become the active relay, or stay it; False while another one is."""
        if self._connection is not None and not self._connection.closed:
            return True
        connection = self._database.connect()
        try:
            if takes(connection, RELAY):
                listen(connection)
                self._doubtful = newest(connection)
                self._connection = connection
                return True
        except (OSError, Database.fault) as error:
            connection.close()
            raise StoreUnavailableError from error
        connection.close()
        return False

    def read(self, most: int, *, resting: Collection[str]) -> Sequence[OutboxRow]:
        """Return the oldest rows whose topic does not rest."""
        try:
            found = self._active().execute(_READ, (list(resting), most)).fetchall()
        except (OSError, Database.fault) as error:
            raise StoreUnavailableError from error
        return [OutboxRow(**row, again=row["id"] <= self._doubtful) for row in found]

    def settle(self, sent: Sent) -> int:
        """Delete what was confirmed, count what was refused; returns the highest count."""
        try:
            if not sent.refused:
                self._active().execute(_DELETE, (list(sent.confirmed),))
                return 0
            values = {"confirmed": list(sent.confirmed), "refused": list(sent.refused)}
            row = self._active().execute(_SETTLE, values).fetchone()
        except (OSError, Database.fault) as error:
            raise StoreUnavailableError from error
        return int(row["most"]) if row else 0

    def wait(self, seconds: float) -> None:
        """Wait for a notice, ``seconds`` at most."""
        try:
            wait_for_notice(self._active(), seconds)
        except (OSError, Database.fault) as error:
            raise StoreUnavailableError from error

    def close(self) -> None:
        """Let go of the lock."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _active(self) -> Connection:
        if self._connection is None or self._connection.closed:
            raise StoreUnavailableError("The relay's connection ended.")
        return self._connection


def newest(connection: Connection) -> int:
    """Return the number of the newest row, 0 when there is none."""
    row = connection.execute(_LAST).fetchone()
    return int(row["id"]) if row else 0


class DeadWakeRows:
    """Dead wakes in the table of dead letters (implements ``ports.publishing.DeadWakeStore``)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, dead: DeadWake) -> bool:
        """Write one once; True when nothing will see to it and a person should look.

        A run we know needs nobody: parked or ended, it was served; otherwise the sweeper wakes it, and
        makes it stuck when that does not help.
        """
        values = {
            "id": uuid5(_NAMES, dead.message_id),
            "run_id": dead.run_id,
            "reason": dead.reason,
            "detail": json.dumps(dict(dead.detail)),
        }
        row = self._database.one(_DEAD, values)
        return bool(row and row["is_open"])
