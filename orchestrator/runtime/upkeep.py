"""A small chore of the timers: what is rare happens at its pace."""

from collections.abc import Callable

import structlog

from schemas import clock

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
