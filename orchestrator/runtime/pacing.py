"""The rate a system takes: so many calls a second from all workers of all processes together.

A call waits a moment for its turn, or gives its greenlet back until its place in the queue has come:
then it is no try. A system without a limit costs one look-up and no statement. Calls that wait in one
process take their turns in one statement; no turn is taken ahead of a call that needs it.
"""

import random
from collections.abc import Callable
from typing import Final

import gevent
from gevent.lock import BoundedSemaphore

from orchestrator.engine.verdict import NET
from orchestrator.services.ports.pacing import Paces
from schemas import clock
from schemas.errors import PartnerBusyError

SOON_SECONDS: Final = 0.25
LONGEST_PLACE_SECONDS: Final = NET.total_seconds()


class Pacer:
    """Lets calls pass at the rate their system takes; one per process."""

    def __init__(self, *, paces: Paces, limit: Callable[[str], int | None]) -> None:
        self._paces = paces
        self._limit = limit
        self._lines: dict[str, _Line] = {}

    def wait_turn(self, profile: str, operation: str) -> None:
        """Return when the system may be called.

        Raises:
            PartnerBusyError: its turn does not come soon; ``retry_after`` says when to come again.
            StoreUnavailableError: the database went away; nothing was sent.
        """
        rate = self._limit(profile)
        if rate is None:
            return
        line = self._lines.get(profile)
        if line is None:
            line = self._lines[profile] = _Line(profile, self._paces)
        turn = line.turn(rate)
        if turn.is_given:
            gevent.sleep(max(0.0, turn.at - clock.monotonic()))
            return
        detail = "The system takes no more calls a second: the call waits for its turn."
        raise PartnerBusyError(profile, operation, detail, retry_after=_place(turn.at))


class _Turn:
    """What one call is told: when it may go, or when it may ask again."""

    __slots__ = ("at", "is_given", "is_told")

    def __init__(self) -> None:
        self.at = 0.0
        self.is_given = self.is_told = False

    def tell(self, at: float, *, is_given: bool) -> None:
        self.at, self.is_given, self.is_told = at, is_given, True


class _Line:
    """The calls of this process that wait for one system."""

    def __init__(self, profile: str, paces: Paces) -> None:
        self._profile = profile
        self._paces = paces
        self._asking = BoundedSemaphore()
        self._waiting: list[_Turn] = []

    def turn(self, rate: int) -> _Turn:
        """Take a turn together with all who came meanwhile; a failed statement fails one call only."""
        mine = _Turn()
        self._waiting.append(mine)
        with self._asking:
            if not mine.is_told:
                asked, self._waiting = self._waiting, []
                try:
                    self._tell(asked, rate)
                except BaseException:
                    self._waiting = [*(turn for turn in asked if turn is not mine), *self._waiting]
                    raise
        return mine

    def _tell(self, asked: list[_Turn], rate: int) -> None:
        taken = self._paces.take(self._profile, rate=rate, wanted=len(asked), soon=SOON_SECONDS)
        now = clock.monotonic()
        for number, turn in enumerate(asked):
            if number < taken.given:
                turn.tell(now + taken.first_in + number / rate, is_given=True)
            else:
                place = taken.place_in + (number - taken.given) / rate
                turn.tell(now + place, is_given=False)


def _place(at: float) -> float:
    """Return the seconds until a place; far ones are spread, so that they do not all come at once."""
    seconds = max(at - clock.monotonic(), SOON_SECONDS)
    if seconds <= LONGEST_PLACE_SECONDS:
        return seconds
    return LONGEST_PLACE_SECONDS * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load
