"""Says where a process's loop stood still: one wait that does not cooperate holds up every run.

A thread of the system looks at the loop's beat. When it is late, the thread notes where the program
stands; the loop, once it turns again, logs that place and for how long. gevent's own monitor would do
as much by tracing every switch, which the engine makes by the hundred thousand.
"""

import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

import gevent
import structlog
from gevent.monkey import get_original

BEAT_SECONDS: Final = 0.05
BLOCKED_SECONDS: Final = 0.2
_start_thread: Final[Callable[..., Any]] = get_original("_thread", "start_new_thread")
_thread_id: Final[Callable[[], int]] = get_original("_thread", "get_ident")
_sleep: Final[Callable[[float], None]] = get_original("time", "sleep")
_log = structlog.get_logger()


class LoopWatch:
    """Watches the loop of the thread that makes it; there is no end but the process's."""

    def __init__(self) -> None:
        self._watched = _thread_id()
        self._beat = time.monotonic()
        self._place: str | None = None

    def start(self) -> None:
        """Begin with the loop's first turn; call it after the fork."""
        gevent.spawn(self._turn)

    def _turn(self) -> None:
        self._beat = time.monotonic()
        _start_thread(self._look_on, ())
        while True:
            gevent.sleep(BEAT_SECONDS)
            now = time.monotonic()
            blocked = now - self._beat - BEAT_SECONDS
            place, self._place, self._beat = self._place, None, now
            if place is not None and blocked > BLOCKED_SECONDS:
                _log.warning("loop.blocked", where=place, milliseconds=round(blocked * 1000))

    def _look_on(self) -> None:
        """Note where the loop stands; a machine that held this thread up as well proves nothing."""
        while True:
            asleep = time.monotonic()
            _sleep(BEAT_SECONDS)
            now = time.monotonic()
            was_held_up = now - asleep > 2 * BEAT_SECONDS
            if self._place is None and not was_held_up and now - self._beat > BLOCKED_SECONDS:
                self._place = place_of(sys._current_frames().get(self._watched))  # noqa: SLF001


def place_of(frame: FrameType | None) -> str:
    """Return ``module.function:line``, innermost first, of at most three frames; no values."""
    places: list[str] = []
    while frame is not None and len(places) < 3:
        module = frame.f_globals.get("__name__", "?")
        places.append(f"{module}.{frame.f_code.co_name}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(places) or "?"
