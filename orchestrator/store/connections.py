"""Connections to PostgreSQL: opened after the fork, few, cooperative, never trusted after a fault.

Only errors of a statement leave a connection alive; after anything else it is closed, because the
driver's own ``closed`` and ``broken`` do not tell. Whatever keeps us from the database leaves as
StoreUnavailableError.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, LiteralString
from weakref import WeakSet

import psycopg
from gevent.monkey import get_original
from gevent.queue import LifoQueue
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from schemas import clock
from schemas.errors import StoreUnavailableError

Parameters = Sequence[Any] | Mapping[str, Any] | None
Connection = psycopg.Connection[DictRow]
_poll = get_original("select", "poll")  # never waits: the cooperative one is not needed
# a machine that vanished is noticed by both sides in some 15 s: by us, to go to the one promoted in its
# place; by the server, to let go of the locks of a process that is no more
_WE_NOTICE: Final[Mapping[str, Any]] = {
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
_SERVER_NOTICES: Final = (
    "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=15000"
)
_STATEMENT_FAULTS = (
    psycopg.errors.IntegrityError,
    psycopg.errors.DataError,
    psycopg.errors.ProgrammingError,
)
_PASSING_FAULTS = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


class Database:
    """A small pool on one PostgreSQL; a process that forks opens its own."""

    fault = psycopg.Error

    def __init__(self, url: str, *, size: int = 4, statement_timeout_ms: int = 5000) -> None:
        self.url = url
        self._timeout = statement_timeout_ms
        self._pid = os.getpid()
        self._opened: WeakSet[Connection] = WeakSet()
        self._idle: LifoQueue[Connection | None] = LifoQueue(maxsize=size)
        for _ in range(size):
            self._idle.put(None)

    def connect(self, **settings: str) -> Connection:
        """Open a connection of its own: autocommit, prepared, under the process's clock.

        ``settings`` are the server's, for this connection only.
        """
        options = f"-c statement_timeout={self._timeout} -c timezone=UTC {_SERVER_NOTICES}"
        options += "".join(f" -c {name}={value}" for name, value in settings.items())
        if clock.offset():
            options += f" -c parvis.clock_offset={clock.offset().total_seconds()}s"
        try:
            connection = psycopg.connect(
                self.url,
                autocommit=True,
                row_factory=dict_row,
                options=options,
                connect_timeout=5,
                prepare_threshold=1,
                **_WE_NOTICE,
            )
        except psycopg.Error as error:
            raise StoreUnavailableError from error
        self._opened.add(connection)
        return connection

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Borrow a connection; waits for a free one."""
        if os.getpid() != self._pid:
            raise RuntimeError("A Database is used in the process that made it.")
        connection = self._idle.get()
        try:
            if connection is not None and is_stale(connection):
                _close(connection)
                connection = None
            connection = connection or self.connect()
            yield connection
        except _STATEMENT_FAULTS:
            raise
        except _PASSING_FAULTS as error:  # nothing was written; the next try goes through
            raise StoreUnavailableError from error
        except psycopg.Error as error:
            _close(connection)
            connection = None
            raise StoreUnavailableError from error
        except BaseException:
            _close(connection)
            connection = None
            raise
        finally:
            self._idle.put(connection)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Borrow a connection with a transaction round the block; never hold one across a call."""
        with self.connection() as connection, connection.transaction():
            yield connection

    def all(self, sql: LiteralString, parameters: Parameters = None) -> list[DictRow]:
        """Run one statement and return its rows."""
        with self.connection() as connection:
            return connection.execute(sql, parameters).fetchall()

    def one(self, sql: LiteralString, parameters: Parameters = None) -> DictRow | None:
        """Run one statement and return its first row, if any."""
        with self.connection() as connection:
            return connection.execute(sql, parameters).fetchone()

    def run(self, sql: LiteralString, parameters: Parameters = None) -> int:
        """Run one statement that returns no rows; returns how many it touched."""
        with self.connection() as connection:
            return connection.execute(sql, parameters).rowcount

    def close(self) -> None:
        """Close every connection this process opened here, lent ones included.

        One whose answer a greenlet waits for is left to the end of the process: the event loop ends
        a process whose descriptors are closed under it.
        """
        for connection in list(self._opened):
            if connection.pgconn.transaction_status != TransactionStatus.ACTIVE:
                connection.close()
        for _ in range(self._idle.qsize()):
            self._idle.get()
            self._idle.put(None)


def is_stale(connection: Connection) -> bool:
    """Tell whether an idle connection was ended by the server: it then has something to say.

    A server that restarted leaves every idle connection so; using one would fail a request that the
    server can well serve.
    """
    if connection.closed:
        return True
    asked = _poll()
    asked.register(connection.fileno(), select.POLLIN)
    return bool(asked.poll(0))


def _close(connection: Connection | None) -> None:
    if connection is not None:
        connection.close()
