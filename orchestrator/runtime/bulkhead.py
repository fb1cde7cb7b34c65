"""The bulkhead: how many greenlets of a process may wait for one system at the same time.

A system that hangs keeps its callers; without a bound it would soon keep all of them, and with them
everybody else's runs. The bound follows how many systems are in use, so that a city with one system
does not leave greenlets idle, and shrinks for a system that asks to be spared. A run that finds no
room gets a moment at which there should be some, and gives its greenlet back until then.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Final

from gevent.event import Event

from schemas import clock
from schemas.errors import PartnerBusyError

PATIENCE_SECONDS: Final = 0.25
IN_USE_SECONDS: Final = 30.0
LEAST_SHARE: Final = 2
SHORTEST_WAIT_SECONDS: Final = 2.0
LONGEST_WAIT_SECONDS: Final = 30.0
TOGETHER_SECONDS: Final = 0.25
_SMOOTHING: Final = 0.1


def share_of(greenlets: int, *, systems: int) -> int:
    """Return how many greenlets one of so many systems may hold: twice its fair part, never all."""
    wanted = 2 * greenlets // (max(systems, 1) + 1)
    return max(LEAST_SHARE, min(wanted, greenlets - greenlets // 8 - 1))


class Bulkhead:
    """The shares of one process; no I/O, no statement."""

    def __init__(self, greenlets: int, *, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._greenlets = greenlets
        self._monotonic = monotonic
        self._lanes: dict[str, _Lane] = {}
        self._share = share_of(greenlets, systems=1)
        self._counted_at = float("-inf")

    def room(self, profile: str, operation: str) -> "Room":
        """Take one place of a system's share, and hold it during the block.

        Raises:
            PartnerBusyError: there is none soon; ``retry_after`` says when there should be.
        """
        now = self._monotonic()
        lane = self._lane(profile, now)
        return Room(lane, lane.enter(operation, now))

    def spare(self, profile: str) -> None:
        """Hold half as many places from now on; every answered call gives a little back."""
        self._lane(profile, self._monotonic()).spare()

    def _lane(self, profile: str, now: float) -> "_Lane":
        lane = self._lanes.get(profile)
        if lane is None:
            lane = self._lanes[profile] = _Lane(profile, now, self._monotonic)
            self._counted_at = float("-inf")
        elif now - lane.used_at >= IN_USE_SECONDS:  # counted at once, before a neighbour takes all
            self._counted_at = float("-inf")
        lane.used_at = now
        if now - self._counted_at > 1.0:
            self._counted_at = now
            systems = sum(now - other.used_at < IN_USE_SECONDS for other in self._lanes.values())
            self._share = share_of(self._greenlets, systems=systems)
        lane.share = self._share
        return lane


class Room:
    """One place that is held, until the end of the block."""

    __slots__ = ("_entered_at", "_lane")

    def __init__(self, lane: "_Lane", entered_at: float) -> None:
        self._lane = lane
        self._entered_at = entered_at

    def __enter__(self) -> None:
        """Begin the block; the place is held already."""

    def __exit__(self, *_error: object) -> None:
        """Give the place back, whatever came of the block."""
        self._lane.leave(self._entered_at)


class _Lane:
    """One system's places."""

    __slots__ = (
        "_calls",
        "_left_at",
        "_monotonic",
        "_next_slot",
        "_profile",
        "_seconds",
        "_spared",
        "_waiting",
        "share",
        "used_at",
    )

    def __init__(self, profile: str, now: float, monotonic: Callable[[], float]) -> None:
        self._profile = profile
        self._monotonic = monotonic
        self._left_at = now
        self._waiting: deque[Event] = deque()
        self._calls = 0
        self._seconds = 0.1  # a call's usual length
        self._next_slot = 0.0
        self._spared: float | None = None  # the lower bound of a system that asked to be spared
        self.share = 1
        self.used_at = now

    @property
    def most(self) -> int:
        """How many calls there may be at once."""
        return self.share if self._spared is None else max(1, min(self.share, int(self._spared)))

    def enter(self, operation: str, now: float) -> float:
        """Return the moment at which there was a place."""
        if self._calls == 0:
            self._left_at = now  # nobody was there to leave
        if self._calls < self.most and not self._waiting:
            self._calls += 1
            return now
        if not self._is_moving(now) or not self._waited():
            raise self._busy(operation, now)
        return self._monotonic()

    def _is_moving(self, now: float) -> bool:
        """Tell whether it is worth waiting: calls end, and the line before us is short."""
        is_hanging = now - self._left_at > max(PATIENCE_SECONDS, 2 * self._seconds)
        wait = (len(self._waiting) + 1) * self._seconds / self.most
        return not is_hanging and wait < PATIENCE_SECONDS

    def leave(self, entered_at: float) -> None:
        now = self._monotonic()
        self._seconds += _SMOOTHING * (now - entered_at - self._seconds)
        self._left_at = now
        if self._spared is not None:
            self._spared += 1 / max(1.0, self._spared)
            if self._spared >= self.share:
                self._spared = None
        self._freed()

    def _freed(self) -> None:
        self._calls -= 1
        while self._waiting and self._calls < self.most:
            self._calls += 1
            self._waiting.popleft().set()

    def spare(self) -> None:
        self._spared = max(1.0, min(self.most, self._calls + 1) / 2)

    def _waited(self) -> bool:
        """Wait a moment for a place; the one who leaves hands its place over."""
        turn = Event()
        self._waiting.append(turn)
        try:
            turn.wait(PATIENCE_SECONDS)
        except BaseException:  # killed while it waited: a place already handed over is given on
            self._withdrawn(turn)
            raise
        return turn.is_set() or self._withdrawn(turn)

    def _withdrawn(self, turn: Event) -> bool:
        if turn.is_set():
            self._freed()
        else:
            self._waiting.remove(turn)
        return False

    def _busy(self, operation: str, now: float) -> PartnerBusyError:
        """Give runs their moments at the pace at which places come free, those of a quarter of a second together.

        As long as a system has hung already it is not asked again: who comes too soon costs a statement.
        """
        length = max(self._seconds, now - self._left_at)  # nobody leaves a system that hangs
        soonest = now + max(SHORTEST_WAIT_SECONDS, length)
        slot = max(soonest, self._next_slot + length / self.most)
        self._next_slot = min(slot, now + LONGEST_WAIT_SECONDS)
        wait = TOGETHER_SECONDS * math.ceil(self._next_slot / TOGETHER_SECONDS) - now
        detail = "The system holds its whole share of this worker."
        return PartnerBusyError(self._profile, operation, detail, retry_after=wait)
