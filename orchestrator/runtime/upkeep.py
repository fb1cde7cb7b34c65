"""Small chores of the timers: runs of a mended system resume, what is rare happens at its pace."""

from collections.abc import Callable
from typing import Final, Protocol

import structlog

from schemas import clock

log = structlog.get_logger()
_MOST: Final = 1000


class Revised(Protocol):
    """Something of which there is one revision at a time."""

    @property
    def revision(self) -> int:
        """Its number."""


class OfferInForce(Protocol):
    """The configuration in force."""

    def current(self) -> Revised:
        """Return the one in force."""


class Paused(Protocol):
    """The systems that are paused."""

    def opened(self) -> frozenset[str]:
        """Return the systems that are paused."""

    def close(self, profile: str) -> None:
        """Say that a system answers again."""


class WaitingRuns(Protocol):
    """Runs that wait for a system."""

    def wake_waiting_for(self, system: str, *, most: int) -> int:
        """Wake the oldest runs that wait for a system."""


class ResumeMended:
    """When the configuration moves (a secret, an address), paused systems are tried again at once."""

    def __init__(self, *, offer: OfferInForce, breakers: Paused, runs: WaitingRuns) -> None:
        self._offer = offer
        self._breakers = breakers
        self._runs = runs
        self._seen: int | None = None

    def __call__(self) -> None:
        """Look whether there is a new revision."""
        revision = self._offer.current().revision
        seen, self._seen = self._seen, revision
        if seen is None or seen == revision:
            return
        for profile in self._breakers.opened():
            self._breakers.close(profile)
            woken = self._runs.wake_waiting_for(f"system:{profile}", most=_MOST)
            log.info("system.resumed", profile=profile, runs=woken)


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
