"""Small chores of the timers: runs of a mended system resume, next month's partitions are there."""

from typing import Final, Protocol

import structlog

from orchestrator.store import partitions
from orchestrator.store.connections import Database
from schemas import clock

log = structlog.get_logger()
_DAY_SECONDS: Final = 86_400.0
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


class MakePartitions:
    """Once at start and once a day."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next_at = float("-inf")

    def __call__(self) -> None:
        """Make what is missing."""
        if clock.monotonic() < self._next_at:
            return
        self._next_at = clock.monotonic() + _DAY_SECONDS
        made = partitions.make_ahead(self._database)
        if made:
            log.info("partitions.made", count=len(made))
