"""Small chores of the timers: what is rare happens at its pace, what waits for others apart."""

from collections.abc import Callable

import gevent
import structlog

from schemas import clock
from schemas.errors import ParvisError

log = structlog.get_logger()


class Rarely:
    """Does something at start and then at a slow pace."""

    def __init__(self, what: str, act: Callable[[], int], *, every_seconds: float) -> None:
        self._what = what
        self._act = act
        self._every = every_seconds
        self._next_at = float("-inf")

    def __call__(self) -> None:
        """Do it when its time has come."""
        if clock.monotonic() < self._next_at:
            return
        self._next_at = clock.monotonic() + self._every
        count = self._act()
        if count:
            log.info(self._what, count=count)


class Apart:
    """Does something in a greenlet of its own, once at a time: who waits for others holds no chore up."""

    def __init__(self, what: str, act: Callable[[], int]) -> None:
        self._what = what
        self._act = act
        self._working: gevent.Greenlet[[], None] | None = None

    def __call__(self) -> None:
        """Begin, unless it is still under way."""
        if self._working is None or self._working.dead:
            self._working = gevent.spawn(self._do)

    def _do(self) -> None:
        try:
            count = self._act()
        except ParvisError as error:
            log.warning("chore.put_off", what=self._what, error=type(error).__name__)
            return
        if count:
            log.info(self._what, count=count)
