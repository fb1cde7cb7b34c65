"""The web server's worker: how it leaves, what it says when a request is no HTTP, what it logs.

Told to stop, gunicorn closes its door at once and then waits for every connection that a client
keeps open. Here readiness turns false first, so that nobody is sent any more; connections in use are
closed with their answer, idle ones when the door is shut.

gunicorn answers a request that is no HTTP with a page that quotes it, logs the caller's address, and
calls an unknown transfer coding a fault of the server. Here it gets a problem and a line without
values.
"""

import json
import os
from contextlib import closing, suppress
from socket import SHUT_RD
from typing import Any, Final

import gevent
import structlog
from gevent.monkey import get_original
from gunicorn.glogging import Logger
from gunicorn.http import errors
from gunicorn.workers.ggevent import GeventWorker

from orchestrator.api.problem_texts import PROBLEMS
from orchestrator.services.readiness import STOPPING
from parvis.logs import LibraryHandler

_STATUSES: Final = (
    (errors.LimitRequestLine, "414 URI Too Long"),
    (errors.LimitRequestHeaders, "431 Request Header Fields Too Large"),
    (errors.ExpectationFailed, "417 Expectation Failed"),
)
_DOOR_SECONDS: Final = 1.1  # gunicorn looks once a second whether it is to close
_plain_socket = get_original("socket", "socket")
_log = structlog.get_logger(__name__)


class Log(Logger):  # type: ignore[misc] # gunicorn carries no types
    """gunicorn's own complaints, as lines of ours: where and which error, never what was sent."""

    def setup(self, cfg: Any) -> None:
        """Replace gunicorn's handlers; there is no access log."""
        super().setup(cfg)
        self.error_log.handlers[:] = [LibraryHandler()]
        self.access_log.handlers[:] = []


class Worker(GeventWorker):  # type: ignore[misc] # gunicorn carries no types
    """Serves requests in greenlets; see the module for what is ours."""

    def init_process(self) -> None:
        """Begin with nothing in hand."""
        self._idle: set[Any] = set()
        self._is_leaving = False
        super().init_process()

    def handle_exit(self, sig: int, frame: object) -> None:  # noqa: ARG002
        """Begin to leave; called from the signal's handler, so the rest is done beside it."""
        if not self._is_leaving:
            self._is_leaving = True
            gevent.spawn(self._leave)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection, known as idle while no request of it is in hand."""
        self._idle.add(client)
        try:
            super().handle(listener, client, addr)
        finally:
            self._idle.discard(client)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        """Serve one request; once we leave, its connection ends with its answer."""
        self._idle.discard(sock)
        if self._is_leaving:
            req.force_close()
        try:
            return super().handle_request(listener_name, req, sock, addr)
        finally:
            self._idle.add(sock)

    def _leave(self) -> None:
        stopping = self.wsgi.extensions[STOPPING]
        stopping.ask()
        gevent.sleep(stopping.notice_seconds)
        self.alive = False
        gevent.sleep(_DOOR_SECONDS)
        while True:
            for client in self._idle:
                _end_reading(client)
            gevent.sleep(0.1)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ARG002
        """Answer what could not be read, or what failed outside every handler."""
        is_theirs = isinstance(exc, errors.ParseException) and not isinstance(
            exc, (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName)
        )
        if is_theirs:
            _log.info("request refused", slug="malformed", error=type(exc).__name__)
        else:
            _log.error("request failed", exc_info=exc)
        try:
            client.sendall(unreadable(exc) if is_theirs else failed())
        except OSError:
            return


def _end_reading(client: Any) -> None:
    """Let a connection be read to its end; a request that is already here is still served.

    Done below gevent, whose own ``shutdown`` fails the reader instead of telling it the end.
    """
    with suppress(OSError), closing(_plain_socket(fileno=os.dup(client.fileno()))) as same:
        same.shutdown(SHUT_RD)


def unreadable(exc: BaseException) -> bytes:
    """Return the answer to a request that is no HTTP we read."""
    found = (line for kind, line in _STATUSES if isinstance(exc, kind))
    return _answer(next(found, "400 Bad Request"), "malformed")


def failed() -> bytes:
    """Return the answer when the server itself failed."""
    return _answer("500 Internal Server Error", "internal")


def _answer(line: str, slug: str) -> bytes:
    words = PROBLEMS[slug].fr
    problem = {"type": "about:blank", "title": words.title, "status": int(line[:3])}
    body = json.dumps(problem, ensure_ascii=False).encode()
    head = (
        f"HTTP/1.1 {line}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
