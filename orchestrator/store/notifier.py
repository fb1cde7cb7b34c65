"""Tells the waker that wakes were committed: the first one at once, then at most one per 5 ms.

NOTIFY never rides in the insert (it holds an instance-wide lock at commit). A lost notice costs a
second: the waker polls as well.
"""

from typing import Final

import gevent
from gevent.event import Event

from orchestrator.store.connections import Connection, Database
from schemas.errors import StoreUnavailableError

CHANNEL: Final = "parvis_wake"
_PAUSE_SECONDS: Final = 0.005


class Notifier:
    """One greenlet with a connection of its own; ``poke`` returns at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked = Event()
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def poke(self) -> None:
        """Ask for a notice; cheap, callable from any greenlet of the process."""
        if self._greenlet is None or self._greenlet.dead:
            self._greenlet = gevent.spawn(self._loop)
        self._asked.set()

    def _loop(self) -> None:
        connection: Connection | None = None
        while True:
            self._asked.wait()
            self._asked.clear()
            connection = self._notify(connection)
            gevent.sleep(_PAUSE_SECONDS)

    def _notify(self, connection: Connection | None) -> Connection | None:
        try:
            connection = connection or self._database.connect()
            connection.execute("SELECT pg_notify(%s, '')", (CHANNEL,))
        except (StoreUnavailableError, OSError, self._database.fault):
            if connection is not None:
                connection.close()
            return None
        return connection
