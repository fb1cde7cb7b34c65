"""One deadline for a whole exchange, whatever it is waiting for.

In a gevent-patched process a plain ``gevent.Timeout`` ends any wait, resolution and handshake included.
Elsewhere (tests, the command line) every receive is given what is left. Nothing here patches anything.
"""

from types import TracebackType
from typing import Self

import gevent
from gevent import monkey

from schemas import clock


class Deadline:
    """Some seconds from now: what may wait asks what is ``left``, or is a block that it ends.

    A block is for what takes no limit of its own; it ends with ``TimeoutError``.
    """

    __slots__ = ("_ends_at", "_timeout")

    def __init__(self, seconds: float) -> None:
        self._ends_at = clock.monotonic() + seconds
        self._timeout: gevent.Timeout | None = None

    def left(self) -> float:
        """Return the seconds left.

        Raises:
            TimeoutError: none.
        """
        left = self._ends_at - clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def __enter__(self) -> Self:
        if monkey.is_module_patched("socket"):
            # No exception class: one would be swallowed by an ``except Exception`` on the way.
            self._timeout = gevent.Timeout.start_new(self.left())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timeout is not None:
            self._timeout.close()
            if error is self._timeout:
                raise TimeoutError from None
