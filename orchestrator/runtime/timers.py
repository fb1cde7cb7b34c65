"""Timers and the sweeper: runs whose time has come, and runs whose worker vanished.

One active at a time by advisory lock; a standby process takes over when the active one ends.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

import structlog
from gevent.event import Event

from orchestrator.store.waker import pause, ready_to_retry
from schemas import clock

log = structlog.get_logger()
_SWEEP_SECONDS: Final = 5.0
_MOST_SLEEP: Final = 1.0
_LEAST_SLEEP: Final = 0.02


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
    """Wakes due runs; ``chores`` are called about once a second with the time."""

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
        self._stopping = Event()
        self._swept_at = 0.0
        self._chores_at = 0.0

    def run(self) -> None:
        """Work until ``stop``; survives a database that goes away."""
        while not self._stopping.is_set():
            try:
                if self._lock.acquire():
                    self._serve()
                else:
                    self._stopping.wait(_MOST_SLEEP)
            except Exception as error:
                if not ready_to_retry(error):
                    raise
                self._lock.release()
                pause()

    def stop(self) -> None:
        """End after the page in hand."""
        self._stopping.set()

    def _serve(self) -> None:
        while not self._stopping.is_set() and self._lock.acquire():
            woken = self._runs.wake_due()
            if clock.monotonic() - self._swept_at >= _SWEEP_SECONDS:
                self._swept_at = clock.monotonic()
                woken += self._runs.sweep_late()
            if woken:
                self._poke()
            self._do_chores()
            self._stopping.wait(0 if woken >= 100 else self._sleep())

    def _do_chores(self) -> None:
        if clock.monotonic() - self._chores_at >= _MOST_SLEEP:
            self._chores_at = clock.monotonic()
            for chore in self._chores:
                chore()

    def _sleep(self) -> float:
        due = self._runs.next_due()
        if due is None:
            return _MOST_SLEEP
        return min(_MOST_SLEEP, max(_LEAST_SLEEP, (due - clock.utcnow()).total_seconds()))
