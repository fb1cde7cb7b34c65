"""The database as a campaign's processes see it: real PostgreSQL, over lines that can be cut.

Every statement runs on a real connection. Connections outlive the processes of a seed (a new one
costs more than a whole run), so what a process holds is a line: cutting it is what the server's
loss looks like from there, and the connection behind goes on to the next one.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Literal

import psycopg
from psycopg.rows import dict_row

from orchestrator.store.connections import Database
from schemas import clock
from schemas.errors import StoreUnavailableError

Fate = Literal["before", "after", "deadlock"] | None
GONE = "the connection was cut by the campaign"


class Cables:
    """Real connections, lent and taken back; all of them under the campaign's clock."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._idle: list[psycopg.Connection] = []
        self._all: set[psycopg.Connection] = set()

    def take(self) -> psycopg.Connection:
        if self._idle:
            return self._idle.pop()
        made = psycopg.connect(
            self.url,
            autocommit=True,
            row_factory=dict_row,
            options="-c statement_timeout=5000 -c timezone=UTC",
            prepare_threshold=1,
        )
        self._all.add(made)
        self._set(made)
        return made

    def give_back(self, raw: psycopg.Connection, *, was_session: bool) -> None:
        """Take a connection back; one that was in a transaction is ended as the server would."""
        if raw.closed or raw.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            self._all.discard(raw)
            raw.close()
            return
        if was_session:
            raw.execute("UNLISTEN *")
            raw.execute("SELECT pg_advisory_unlock_all()")
        self._idle.append(raw)

    def turn(self, by: timedelta) -> None:
        """Turn the clock of this process and of every connection."""
        clock.turn(by)
        for raw in self._all:
            if not raw.closed and raw.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                self._set(raw)

    def close(self) -> None:
        for raw in self._all:
            raw.close()

    @staticmethod
    def _set(raw: psycopg.Connection) -> None:
        offset = f"{clock.offset().total_seconds()}s"
        raw.execute("SELECT set_config('parvis.clock_offset', %s, false)", (offset,))


class Line:
    """One connection as a process holds it; cut, it is like any connection the server ended."""

    def __init__(self, raw: psycopg.Connection, cables: Cables, fate: Callable[[str], Fate]):
        self._raw = raw
        self._cables = cables
        self._fate = fate
        self._is_session = False
        self.closed = False

    @property
    def info(self):
        return self._alive().info

    def execute(self, sql, parameters=None, **how):
        raw = self._alive()
        self._is_session = self._is_session or "advisory_lock" in sql or "LISTEN" in sql
        match self._fate(sql):
            case "before":
                self._cut()
            case "after":
                raw.execute(sql, parameters, **how)
                self._cut()
            case "deadlock":
                raise psycopg.errors.DeadlockDetected("deadlock made by the campaign")
            case _:
                return raw.execute(sql, parameters, **how)
        raise psycopg.OperationalError(GONE)

    def transaction(self):
        return self._alive().transaction()

    def cursor(self, *arguments, **how):
        return self._alive().cursor(*arguments, **how)

    def notifies(self, **how):
        return self._alive().notifies(**how)

    def fileno(self):
        return self._alive().fileno()

    def close(self):
        if not self.closed:
            self.closed = True
            self._cables.give_back(self._raw, was_session=self._is_session)

    _cut = close

    def _alive(self):
        if self.closed:
            raise psycopg.OperationalError(GONE)
        return self._raw


class StagedDatabase(Database):
    """A process's pool on lines; ``fate`` decides what becomes of each statement."""

    def __init__(self, cables: Cables, fate: Callable[[str], Fate]) -> None:
        super().__init__(cables.url)
        self._cables = cables
        self._fate = fate
        self._lines: list[Line] = []
        self.is_away = False

    def connect(self, **_settings):
        if self.is_away:
            raise StoreUnavailableError("PostgreSQL is away by the campaign's will.")
        line = Line(self._cables.take(), self._cables, self._fate)
        self._lines.append(line)
        return line

    def cut(self) -> None:
        """End every connection, as the server's end or this process's death does."""
        for line in self._lines:
            line.close()
        self._lines.clear()

    close = cut
