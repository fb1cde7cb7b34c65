"""Advisory locks, and their numbers, which no two uses may share."""

from typing import Final

from orchestrator.store.connections import Connection, Database, is_stale

MIGRATIONS: Final = 7_270_930
CONFIGURATION: Final = 7_270_931
TIMERS: Final = 7_270_932
WAKER: Final = 7_270_933
RELAY: Final = 7_270_934
JOURNAL: Final = 7_270_935


def takes(connection: Connection, number: int) -> bool:
    """Try to take a lock for as long as a connection lives; False while another one holds it."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s) AS got", (number,)).fetchone()
    return bool(row and row["got"])


class AdvisoryLock:
    """Held while its connection lives; ``acquire`` is cheap once held."""

    def __init__(self, database: Database, number: int) -> None:
        self._database = database
        self._number = number
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        """Take the lock, or keep it; False while another process holds it.

        A lock whose connection the server ended is gone, and is taken again.
        """
        if self._connection is not None and not is_stale(self._connection):
            return True
        self.release()
        connection = self._database.connect()
        try:
            if takes(connection, self._number):
                self._connection = connection
                return True
        finally:
            if self._connection is not connection:
                connection.close()
        return False

    def release(self) -> None:
        """Let the lock go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
