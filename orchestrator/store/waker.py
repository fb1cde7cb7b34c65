"""The embedded waker: wakes come from the outbox itself, by LISTEN and a poll every second.

One worker at a time reads them (advisory lock); a wake is deleted only after its run parked or
ended, so what a killed worker held is read again at once by the next one, without waiting for
leases. Events for other systems have no bus to go to without a broker: they are let go of.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import gevent

from orchestrator.services.ports.waking import Wake, WakesAwayError
from orchestrator.store.connections import Connection, Database
from orchestrator.store.locks import WAKER, takes
from orchestrator.store.notices import listen, wait_for_notice
from orchestrator.store.outbox import newest
from schemas import clock
from schemas.errors import StoreUnavailableError

__all__ = ["EmbeddedWaker", "pause", "ready_to_retry"]

_READ: Final = """
SELECT id, key FROM outbox WHERE topic = 'wake' AND NOT (id = ANY(%s)) ORDER BY id LIMIT %s"""
_DELETE: Final = "DELETE FROM outbox WHERE id = ANY(%s)"
_LET_GO: Final = "DELETE FROM outbox WHERE topic <> 'wake'"
_LET_GO_SECONDS: Final = 10.0
_SETTLED_MOST: Final = 64
POLL_SECONDS: Final = 1.0


class EmbeddedWaker:
    """Reads wakes for the one active worker (implements ``ports.waking.Waker``)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._held: set[int] = set()
        self._given_back: set[int] = set()
        self._settled: list[int] = []
        self._doubtful = 0  # up to this row somebody before us may have had the run in hand
        self._is_draining = False
        self._let_go_at = float("-inf")

    def acquire(self) -> bool:
        """Become the active reader; False while another worker is."""
        with _away():
            connection = self._connected()
            got = takes(connection, WAKER)
            if got:
                listen(connection)
                self._doubtful, self._is_draining = newest(connection), False
            return got

    def take(self, most: int) -> list[Wake]:
        """Return wakes nobody of ours holds yet, oldest first."""
        with _away():
            connection = self._connected()
            rows = []
            if most > 0 and not self._is_draining:
                rows = connection.execute(_READ, (list(self._held), most)).fetchall()
            if len(self._settled) >= _SETTLED_MOST:
                self._delete_settled(connection)
            self._let_go(connection)
        again = self._given_back
        self._held.update(row["id"] for row in rows)
        self._given_back = again - self._held
        return [
            Wake(
                id=row["id"],
                run_id=row["key"],
                redelivered=row["id"] <= self._doubtful or row["id"] in again,
            )
            for row in rows
        ]

    def settle(self, wakes: Iterable[int]) -> None:
        """Say that these wakes' runs parked or ended; they are deleted when there is time for it."""
        self._settled.extend(wake for wake in wakes if wake in self._held)

    def give_back(self, wakes: Iterable[int]) -> None:
        """Say that these wakes could not be served; they will be read again, as wakes known already.

        A system may have been called before the run's line could not be written.
        """
        returned = self._held.intersection(wakes)
        self._held -= returned
        self._given_back |= returned

    def wait(self, seconds: float = POLL_SECONDS) -> None:
        """Wait for a notice, ``seconds`` at most."""
        with _away():
            connection = self._connected()
            self._delete_settled(connection)  # while the runs just handed out go on
            wait_for_notice(connection, seconds)

    def drain(self) -> None:
        """Take no more; the rows stay for the next reader."""
        self._is_draining = True

    def close(self) -> None:
        """Let go of the lock; what was not settled is read again by the next reader."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.closed:
            with suppress(OSError, Database.fault):  # the next reader finds these runs served
                self._delete_settled(connection)
            connection.close()
        self._held.clear()
        self._settled.clear()

    def _delete_settled(self, connection: Connection) -> None:
        settled, self._settled = self._settled, []
        if not settled:
            return
        try:
            connection.execute(_DELETE, (settled,))
        except BaseException:
            self._settled = settled + self._settled
            raise
        self._held.difference_update(settled)

    def _let_go(self, connection: Connection) -> None:
        if clock.monotonic() - self._let_go_at >= _LET_GO_SECONDS:
            connection.execute(_LET_GO)
            self._let_go_at = clock.monotonic()

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._held.clear()
            self._settled.clear()
            self._connection = self._database.connect()
        return self._connection


@contextmanager
def _away() -> Iterator[None]:
    """Say in the port's word that the database is away."""
    try:
        yield
    except (StoreUnavailableError, Database.fault, OSError) as error:
        raise WakesAwayError from error


def ready_to_retry(error: BaseException) -> bool:
    """Tell whether an error means only that the database is away for now."""
    return isinstance(error, StoreUnavailableError | Database.fault | OSError)


def pause() -> None:
    """Wait a moment before trying the database again."""
    gevent.sleep(0.5)
