"""The web server's worker: what it says when a request is no HTTP at all, and what it logs.

gunicorn answers such requests with a page that quotes them, logs the caller's address, and calls an
unknown transfer coding a fault of the server. Here they get a problem and a line without values.
"""

import json
from typing import Any, Final

import structlog
from gunicorn.glogging import Logger
from gunicorn.http import errors
from gunicorn.workers.ggevent import GeventWorker

from orchestrator.api.problem_texts import PROBLEMS
from parvis.logs import LibraryHandler

_STATUSES: Final = (
    (errors.LimitRequestLine, "414 URI Too Long"),
    (errors.LimitRequestHeaders, "431 Request Header Fields Too Large"),
    (errors.ExpectationFailed, "417 Expectation Failed"),
)
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
