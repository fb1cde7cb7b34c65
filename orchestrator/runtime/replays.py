"""The chore that moves replays: once a second, apart from the timers, never twice at once."""

from typing import Protocol

import gevent
import structlog

from schemas.errors import ParvisError

log = structlog.get_logger()


class Advancing(Protocol):
    """Something that moves on a little each time it is asked."""

    def advance(self) -> int:
        """Do what may be done within this second; returns how much that was."""


class MoveReplays:
    """A chore of the timers; a page that takes longer than its second delays nobody."""

    def __init__(self, replays: Advancing) -> None:
        self._replays = replays
        self._moving: gevent.Greenlet[[], None] | None = None

    def __call__(self) -> None:
        """Start the next page, unless the last one is still under way."""
        if self._moving is None or self._moving.dead:
            self._moving = gevent.spawn(self._move)

    def _move(self) -> None:
        try:
            count = self._replays.advance()
        except ParvisError as error:
            log.warning("replay.interrupted", error=type(error).__name__)
        else:
            if count:
                log.info("replay.moved", runs=count)
