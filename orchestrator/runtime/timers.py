"""Timers and the sweeper: runs whose time has come, and runs whose worker vanished.

One active at a time by advisory lock; a standby process takes over when the active one ends.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

import gevent
import structlog
from gevent.event import Event

from orchestrator.store.connections import Database
from schemas import clock
from schemas.errors import StoreUnavailableError

log = structlog.get_logger()
_SWEEP_SECONDS: Final = 5.0
_MOST_SLEEP: Final = 1.0
_LEAST_SLEEP: Final = 0.02
_AWAY_SECONDS: Final = 0.5
_PAGE: Final = 100


class TimedRuns(Protocol):
    """What the timers ask of the store."""

    def wake_due(self) -> int:
        """Wake the runs whose time has come."""

    def sweep_late(self) -> int:
        """Take over the runs nobody holds."""

    def next_due(self) -> datetime | None:
        """Return the next moment a run must be woken."""


class Lock(Protocol):
    """Makes one process the active one."""

    def acquire(self) -> bool:
        """Take the lock, or keep it."""

    def release(self) -> None:
        """Let it go."""


class Timers:
    """Wakes due runs; ``chores`` are called about once a second, beside it, one after the other."""

    def __init__(
        self,
        *,
        runs: TimedRuns,
        lock: Lock,
        poke: Callable[[], None],
        chores: tuple[Callable[[], None], ...] = (),
    ) -> None:
        self._runs = runs
        self._lock = lock
        self._poke = poke
        self._chores = chores
        self._working: gevent.Greenlet[[], None] | None = None
        self._failing: dict[Callable[[], None], type] = {}
        self._stopping = Event()
        self._swept_at = float("-inf")
        self._chores_at = float("-inf")
        self._is_away = False

    def run(self) -> None:
        """Work until ``stop``; survives a database that goes away."""
        while not self._stopping.is_set():
            try:
                if self._lock.acquire():
                    log.info("timers.active")
                    self._serve()
                else:
                    self._stopping.wait(_MOST_SLEEP)
            except Exception as error:
                if not _is_away(error):
                    raise
                self._step_back(error)
        self._lock.release()

    def stop(self) -> None:
        """End after the page in hand; the lock goes at once to whoever stands by."""
        self._stopping.set()

    def _serve(self) -> None:
        while not self._stopping.is_set() and self._lock.acquire():
            woken = self._runs.wake_due()
            if clock.monotonic() - self._swept_at >= _SWEEP_SECONDS:
                self._swept_at = clock.monotonic()
                woken += self._runs.sweep_late()
            self._is_away = False
            if woken:
                self._poke()
            self._start_chores()
            self._stopping.wait(0 if woken >= _PAGE else self._sleep())

    def _step_back(self, error: Exception) -> None:
        if not self._is_away:
            log.warning("timers.database_away", error=type(error).__name__)
        self._is_away = True
        self._lock.release()
        self._stopping.wait(_AWAY_SECONDS)

    def _start_chores(self) -> None:
        """Let the chores go on beside the timers: a slow one must not make a timer late."""
        is_time = clock.monotonic() - self._chores_at >= _MOST_SLEEP
        if is_time and (self._working is None or self._working.dead):
            self._chores_at = clock.monotonic()
            self._working = gevent.spawn(self._do_chores)

    def _do_chores(self) -> None:
        for chore in self._chores:
            if self._stopping.is_set():
                return
            try:
                chore()
            except Exception as error:  # noqa: BLE001 - one chore's bug must not stop the others
                self._said(chore, error)
            else:
                self._said(chore, None)

    def _said(self, chore: Callable[[], None], error: Exception | None) -> None:
        """Say once that a chore fails, and once that it works again."""
        name, kind = type(chore).__name__, type(error)
        if self._failing.get(chore, type(None)) is kind:
            return
        self._failing[chore] = kind
        if error is None:
            log.info("chore.works_again", where=name)
        else:
            log.error("chore.failed", where=name, exc_info=error)

    def _sleep(self) -> float:
        due = self._runs.next_due()
        if due is None:
            return _MOST_SLEEP
        return min(_MOST_SLEEP, max(_LEAST_SLEEP, (due - clock.utcnow()).total_seconds()))


def _is_away(error: Exception) -> bool:
    """Tell whether an error means only that the database is away for now."""
    return isinstance(error, (StoreUnavailableError, Database.fault, OSError))
