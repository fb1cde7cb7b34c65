"""A mock behind a loopback port: one thread per connection, kept alive, closed as rudely as asked.

A `down` fault is shown in two ways. On a single port the faked paths are reset before any answer while
``/_mock/`` stays reachable, because the same address must be able to clear the fault. With a separate
control port ``/_mock/`` lives there only and the faked port is really closed: connections are refused,
and accepted again on clearing.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from types import TracebackType
from typing import Self

from mock_partners.control import PREFIX, Control
from mock_partners.desk import App
from mock_partners.tampering import delivered
from mock_partners.wire import After, BadRequestError, Connection, Delivery, Request, json_answer

__all__ = ["HOST", "MockServer"]

HOST = "127.0.0.1"
BACKLOG = 512


class Listener:
    """One listening socket with the connections it accepted."""

    def __init__(self, port: int, handle: Callable[[Request], Delivery]) -> None:
        self._handle = handle
        self._socket = socket.create_server((HOST, port), backlog=BACKLOG)
        self.port = int(self._socket.getsockname()[1])
        self._open: set[Connection] = set()
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Stop listening and reset what is connected."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._accepting.join()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with suppress(OSError):
                connection.abort()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        connection = Connection(sock)
        with self._lock:
            self._open.add(connection)
        try:
            with suppress(OSError):
                self._converse(connection)
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _converse(self, connection: Connection) -> None:
        after = After.KEEP
        while after is After.KEEP:
            try:
                request = connection.read()
            except BadRequestError as error:
                connection.write(_unreadable(error.status))
                return
            if request is None:
                return
            delivery = self._handle(request)
            connection.write(delivery)
            after = delivery.after


class MockServer:
    """Runs an app until it is stopped; also a context manager."""

    def __init__(self, app: App, *, port: int = 0, control_port: int | None = None) -> None:
        self.app = app
        self._control = Control(app)
        self._wished = (port, control_port)
        self._lock = threading.Lock()
        self._faked: Listener | None = None
        self._steering: Listener | None = None
        self._port = port

    @property
    def url(self) -> str:
        """The address of the faked system."""
        return f"http://{HOST}:{self._port}"

    @property
    def control_url(self) -> str:
        """The address of the control plane, the same unless it has its own port."""
        return self.url if self._steering is None else f"http://{HOST}:{self._steering.port}"

    def start(self) -> Self:
        """Listen; the port is known when this returns."""
        port, control_port = self._wished
        if control_port is not None:
            self._steering = Listener(control_port, self._steer)
            self.app.rig.faults.on_change = self._sync
        self._faked = Listener(port, self._answer)
        self._port = self._faked.port
        return self

    def stop(self) -> None:
        """Close every socket."""
        for listener in (self._faked, self._steering):
            if listener is not None:
                listener.close()
        self.app.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _answer(self, request: Request) -> Delivery:
        if request.target.startswith(PREFIX) and self._steering is None:
            return self._steer(request)
        return self.app.handle(request)

    def _steer(self, request: Request) -> Delivery:
        date = formatdate(usegmt=True)
        answer = (
            self._control.answer(request)
            if request.target.startswith(PREFIX)
            else json_answer(404, {"error": f"this port answers {PREFIX} only"})
        )
        return delivered(answer, {}, date=date, method=request.method, is_last=request.is_last)

    def _sync(self) -> None:
        """Close or open the faked port, so that `down` is a refused connection."""
        with self._lock:
            is_down = self.app.rig.faults.is_down()
            if is_down and self._faked is not None:
                self._faked.close()
                self._faked = None
            elif not is_down and self._faked is None:
                self._faked = Listener(self._port, self._answer)


def _unreadable(status: int) -> Delivery:
    answer = json_answer(status, {"error": "unreadable request"})
    return delivered(answer, {}, date=formatdate(usegmt=True), method="GET", is_last=True)
