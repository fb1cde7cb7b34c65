"""Advisory locks: one active process of a kind, held by a connection and gone with it."""

from typing import Final

from orchestrator.store.connections import Connection, Database

TIMERS: Final = 7_270_932


class AdvisoryLock:
    """Held while its connection lives; ``acquire`` is cheap once held."""

    def __init__(self, database: Database, number: int) -> None:
        self._database = database
        self._number = number
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        """Take the lock, or keep it; False while another process holds it."""
        if self._connection is not None:
            return True
        connection = self._database.connect()
        row = connection.execute("SELECT pg_try_advisory_lock(%s) AS got", (self._number,)).fetchone()
        if row and row["got"]:
            self._connection = connection
            return True
        connection.close()
        return False

    def release(self) -> None:
        """Let the lock go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
