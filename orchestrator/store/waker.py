"""The embedded waker: wakes come from the outbox itself, by LISTEN and a poll every second.

One worker at a time reads them (advisory lock); a wake is deleted only after its run parked or
ended, so what a killed worker held is read again at once by the next one, without waiting for
leases.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import gevent
from gevent.socket import wait_read

from orchestrator.store.connections import Connection, Database
from orchestrator.store.locks import WAKER
from orchestrator.store.notifier import CHANNEL
from schemas.errors import StoreUnavailableError

_READ: Final = """
SELECT id, key FROM outbox WHERE topic = 'wake' AND NOT (id = ANY(%s)) ORDER BY id LIMIT %s"""
_DELETE: Final = "DELETE FROM outbox WHERE id = ANY(%s)"
POLL_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """A run that must be looked at; ``redelivered`` when another worker may have been at it."""

    id: int
    run_id: UUID
    redelivered: bool


class EmbeddedWaker:
    """Reads wakes for the one active worker."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._held: set[int] = set()
        self._settled: list[int] = []
        self._is_first_look = True

    def acquire(self) -> bool:
        """Become the active reader; False while another worker is."""
        connection = self._connected()
        row = connection.execute("SELECT pg_try_advisory_lock(%s) AS got", (WAKER,)).fetchone()
        got = bool(row and row["got"])
        if got:
            connection.execute(f"LISTEN {CHANNEL}")
            self._is_first_look = True
        return got

    def take(self, most: int) -> list[Wake]:
        """Return wakes nobody of ours holds yet, oldest first; delete what was settled."""
        connection = self._connected()
        settled, self._settled = self._settled, []
        if settled:
            try:
                connection.execute(_DELETE, (settled,))
            except BaseException:
                self._settled = settled + self._settled
                raise
            self._held.difference_update(settled)
        if most <= 0:
            return []
        rows = connection.execute(_READ, (list(self._held), most)).fetchall()
        redelivered, self._is_first_look = self._is_first_look, self._is_first_look and bool(rows)
        self._held.update(row["id"] for row in rows)
        return [Wake(id=row["id"], run_id=row["key"], redelivered=redelivered) for row in rows]

    def settle(self, wakes: Iterable[int]) -> None:
        """Say that these wakes' runs parked or ended; they are deleted with the next ``take``."""
        self._settled.extend(wakes)

    def give_back(self, wakes: Iterable[int]) -> None:
        """Say that these wakes could not be served; they will be read again."""
        self._held.difference_update(wakes)

    def wait(self, seconds: float = POLL_SECONDS) -> None:
        """Wait for a notice, ``seconds`` at most."""
        connection = self._connected()
        if _heard(connection):
            return
        try:
            wait_read(connection.fileno(), timeout=seconds, timeout_exc=TimeoutError)
        except TimeoutError:
            return
        _heard(connection)

    def close(self) -> None:
        """Let go of the lock; whatever was held is read again by the next reader."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._held.clear()
        self._settled.clear()

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._held.clear()
            self._connection = self._database.connect()
        return self._connection


def _heard(connection: Connection) -> bool:
    """Take the notices that already came, those read along with a statement's answer included."""
    return bool(sum(1 for _ in connection.notifies(timeout=0)))


def ready_to_retry(error: BaseException) -> bool:
    """Tell whether an error of the waker means only that the database is away for now."""
    return isinstance(error, StoreUnavailableError | Database.fault | OSError)


def pause() -> None:
    """Wait a moment before trying the database again."""
    gevent.sleep(0.5)
