"""The circuit breaker of one system, as pure rules: when it opens, when it is tried, how it fills up.

A breaker protects both sides: runs wait instead of using up their tries, and a system that comes
back is not run over. It is never switched off for good: whatever opened it, it goes on being tried.
A refusal of one message says that the system answers, so it never counts as a failure; nor does one
message that fails again and again open the breaker for everybody else.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

IN_A_ROW: Final = 5
LEAST_CALLS: Final = 10
FAILING_SHARE: Final = 0.5
WINDOW_SECONDS: Final = 60
RAMP_MOST: Final = 50
"""Runs woken per second, at most, for a system whose configuration names no ``max_rps``."""


class State(StrEnum):
    """Whether calls pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Cause(StrEnum):
    """Why a breaker opened; it decides how the system is tried again."""

    OUTAGE = "outage"
    ACCESS = "access"
    HAND = "hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often an open breaker is tried, in seconds.

    ``access`` is long: repeated bad logins lock accounts. ``trial`` is how long one real call may
    take in a half-open breaker before another may be tried; ``patience`` how long one is awaited.
    """

    first: float = 5.0
    most: float = 30.0
    access: float = 900.0
    trial: float = 30.0
    patience: float = 10.0

    def until_next_probe(self, probes: int, cause: Cause) -> float:
        """Return the seconds between a probe (the first has number 0) and the next."""
        if cause is Cause.ACCESS:
            return self.access
        return min(self.most, self.first * 2.0 ** min(probes, 30))


STEADY: Final = Pace()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a process knows of a system's breaker.

    ``trial_until`` is set while one real call tries a half-open breaker; ``slow_until`` when the
    system asked us all to slow down.
    """

    state: State = State.CLOSED
    cause: Cause | None = None
    trial_until: datetime | None = None
    slow_until: datetime | None = None

    def is_slowed(self, now: datetime) -> bool:
        """Tell whether the system asked for a pause that is not over."""
        return self.slow_until is not None and now < self.slow_until

    def is_being_tried(self, now: datetime) -> bool:
        """Tell whether somebody's call already tries the half-open breaker."""
        return self.trial_until is not None and now < self.trial_until


CLOSED: Final = Standing()


class Tally:
    """The calls of one system in this process; two integers and a short queue, no I/O.

    ``key`` names the message a call is for: failures count when they are of two messages at least.
    """

    __slots__ = ("_calls", "_failed", "_in_a_row", "_seconds", "_who", "_who_in_a_row")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, as after the breaker changed its state."""
        self._seconds: deque[list[int]] = deque()  # [second, calls, failures]
        self._calls = self._failed = self._in_a_row = 0
        self._who: set[str] = set()  # two at most: whether there is a second one is all that counts
        self._who_in_a_row: set[str] = set()

    def succeeded(self, now: float) -> None:
        """Count a call that was answered; ``now`` in seconds of a clock that never jumps."""
        if self._in_a_row:
            self._in_a_row = 0
            self._who_in_a_row.clear()
        self._count(now, failures=0)
        if self._who and self._failed == 0:
            self._who.clear()

    def failed(self, now: float, key: str) -> bool:
        """Count a failed call; returns whether the breaker must open."""
        self._in_a_row += 1
        self._count(now, failures=1)
        for who in (self._who, self._who_in_a_row):
            if len(who) < 2:
                who.add(key)
        is_dead = self._in_a_row >= IN_A_ROW and len(self._who_in_a_row) > 1
        is_failing = self._calls >= LEAST_CALLS and self._failed >= FAILING_SHARE * self._calls
        return is_dead or (is_failing and len(self._who) > 1)

    def _count(self, now: float, *, failures: int) -> None:
        second, seconds = int(now), self._seconds
        if not seconds or seconds[-1][0] != second:
            seconds.append([second, 0, 0])
            while seconds[0][0] <= second - WINDOW_SECONDS:
                _, calls, failed = seconds.popleft()
                self._calls -= calls
                self._failed -= failed
        seconds[-1][1] += 1
        seconds[-1][2] += failures
        self._calls += 1
        self._failed += failures


def next_wave(last: int, *, most: int) -> int:
    """Return how many waiting runs to wake after waking ``last``: 1, 2, 4 … up to ``most``."""
    return min(most, max(1, 2 * last))
