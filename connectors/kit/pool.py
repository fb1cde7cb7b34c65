"""Kept connections of one profile: the last one used first, each polled before it is used again."""

import select
import socket
from typing import Final

from gevent import monkey

KEPT_AT_MOST: Final = 256


class Pool:
    """A stack of idle sockets; what the peer closed, or spoke on unasked, is never handed out.

    List operations are atomic under threads and greenlets alike. How many connections are open at
    once is bounded by the greenlets that call, not here.
    """

    def __init__(self) -> None:
        self._idle: list[socket.socket] = []
        self._is_closed = False
        # The unpatched poll: with a timeout of zero it waits for nothing, and costs a microsecond.
        self._poll = monkey.get_original("select", "poll")

    def take(self) -> socket.socket | None:
        """Return a live connection, or None."""
        while self._idle:
            try:
                sock = self._idle.pop()
            except IndexError:
                return None
            if self._is_quiet(sock):
                return sock
            sock.close()
        return None

    def keep(self, sock: socket.socket) -> None:
        """Keep a connection whose answer was read whole."""
        if not self._is_closed and len(self._idle) < KEPT_AT_MOST:
            self._idle.append(sock)
        else:
            sock.close()

    def close(self) -> None:
        """Close all that is idle; what is still in use is closed when it comes back."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()

    def _is_quiet(self, sock: socket.socket) -> bool:
        watch = self._poll()
        watch.register(sock.fileno(), select.POLLIN | select.POLLERR | select.POLLHUP)
        return not watch.poll(0)
