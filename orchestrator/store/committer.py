"""The committer: one greenlet per process writes what many greenlets have to write, together.

It takes everything that waits (at most 64 rows), groups it by batch, runs one statement and one
commit per batch and hands each row its own outcome. At idle a batch is one row and waits for
nothing; after a shared commit it lets the rows that are about to come in gather. What fails as a whole
is replayed row by row, so one bad row harms nobody else. A lost connection is
no bad row: every waiter learns that the outcome is unknown and the next batch reconnects.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, Protocol

import gevent
import psycopg
from gevent.event import AsyncResult, Event

from orchestrator.store.connections import is_stale
from schemas import clock
from schemas.errors import ParvisError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.store.connections import Connection, Database

MOST_ROWS = 64
GATHERING_SECONDS = 0.0005
_REST_SECONDS = 0.005


class CommitUnknownError(StoreUnavailableError):
    """The connection was lost while committing: the row may or may not be there."""


class Batch(Protocol):
    """One kind of write: many rows in one statement, outcomes in the same order."""

    def write(self, connection: Connection, rows: Sequence[Any]) -> Sequence[Any]:
        """Write the rows in one statement and return one outcome per row."""


class Committer:
    """Shared commits for one process. Everything it is given is committed when ``put`` returns.

    A second one, with a connection of its own, shares reads in the same way.

    ``on_death`` is called when the greenlet dies of a bug, after every waiter was told: a process
    must not go on without it, its supervisor starts another.
    """

    def __init__(self, database: Database, on_death: Callable[[], None] = lambda: None) -> None:
        self.on_death = on_death
        self._taken: list[tuple[Batch, Any, AsyncResult[Any]]] = []
        self._database = database
        self._waiting: deque[tuple[Batch, Any, AsyncResult[Any]]] = deque()
        self._stirred = Event()
        self._connection: Connection | None = None
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def put(self, batch: Batch, row: Any) -> Any:
        """Hand one row over and wait for its outcome; raises what its statement raised.

        No timeout may span this wait: the row may be committed although the waiter left.
        """
        return self.tell(batch, row).get()

    def tell(self, batch: Batch, row: Any) -> AsyncResult[Any]:
        """Hand one row over and go on; nothing but what is returned tells what becomes of it."""
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._loop)
            self._greenlet.link(self._died)
        outcome: AsyncResult[Any] = AsyncResult()
        self._waiting.append((batch, row, outcome))
        self._stirred.set()
        return outcome

    def rest(self, seconds: float) -> bool:
        """Wait until nothing is being written or waits to be, ``seconds`` at most; True when it is so."""
        end = clock.monotonic() + seconds
        while (self._waiting or self._taken) and clock.monotonic() < end:
            gevent.sleep(_REST_SECONDS)
        return not (self._waiting or self._taken)

    def _loop(self) -> None:
        taken: list[tuple[Batch, Any, AsyncResult[Any]]] = []
        while True:
            if len(taken) > 1:  # busy: who is about to ask shares this commit
                gevent.sleep(GATHERING_SECONDS)
            while not self._waiting:
                self._stirred.clear()
                self._stirred.wait()
            count = min(len(self._waiting), MOST_ROWS)
            self._taken = taken = [self._waiting.popleft() for _ in range(count)]
            groups: dict[int, list[tuple[Batch, Any, AsyncResult[Any]]]] = defaultdict(list)
            for entry in taken:
                groups[id(entry[0])].append(entry)
            for group in groups.values():
                self._commit(group)
            self._taken = []

    def _commit(self, group: list[tuple[Batch, Any, AsyncResult[Any]]]) -> None:
        batch = group[0][0]
        try:
            self._connection = self._live() or self._opened()
            outcomes = batch.write(self._connection, [row for _, row, _ in group])
        except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
            if isinstance(error, psycopg.errors.DeadlockDetected) and len(group) > 1:
                self._one_by_one(group)
            else:
                self._disconnect(group, CommitUnknownError(), error)
        except StoreUnavailableError as error:
            self._disconnect(group, error, error)
        except psycopg.Error as error:
            self._blame(group, error)
        except Exception as error:  # noqa: BLE001 - a row that no statement can take harms itself only
            self._close()
            self._blame(group, error)
        else:
            for (_, _, outcome), value in zip(group, outcomes, strict=True):
                outcome.set(value)

    def _opened(self) -> Connection:
        """Open a connection that plans each statement once, by the keys of its rows.

        A batch's size changes no plan of ours, and none of its statements reads a table whole.
        """
        return self._database.connect(
            plan_cache_mode="force_generic_plan", enable_seqscan="off", enable_hashjoin="off"
        )

    def _live(self) -> Connection | None:
        """Return the connection, unless the server ended it while it was idle."""
        if self._connection is not None and is_stale(self._connection):
            self._connection.close()
            return None
        return self._connection

    def _blame(
        self, group: list[tuple[Batch, Any, AsyncResult[Any]]], error: BaseException
    ) -> None:
        """Find the row that an error comes from, and tell whoever waits for it."""
        if len(group) > 1:
            self._one_by_one(group)
        else:
            group[0][2].set_exception(error)

    def _one_by_one(self, group: list[tuple[Batch, Any, AsyncResult[Any]]]) -> None:
        for entry in group:
            self._commit([entry])

    def _disconnect(
        self,
        group: list[tuple[Batch, Any, AsyncResult[Any]]],
        told: ParvisError,
        cause: BaseException,
    ) -> None:
        self._close()
        told.__cause__ = cause
        for _, _, outcome in group:
            outcome.set_exception(told)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _died(self, _greenlet: object) -> None:
        """Fail every waiter when the loop dies of a bug; the process must not go on without it."""
        self._greenlet = None
        while self._waiting:
            self._taken.append(self._waiting.popleft())
        for _, _, outcome in self._taken:
            if not outcome.ready():
                outcome.set_exception(CommitUnknownError("The committer died."))
        self.on_death()
