"""HTTP/1.1 as bytes: requests read from a socket, answers written in one send.

Written by hand rather than on ``http.server`` for two reasons: the faults need the socket itself (a reset,
a body cut in the middle), and a bench needs a mock that is cheaper than what it measures.
"""

import json
import re
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

__all__ = [
    "JSON",
    "After",
    "Answer",
    "BadRequestError",
    "Connection",
    "Delivery",
    "Request",
    "json_answer",
    "rendered",
]

JSON = "application/json; charset=utf-8"
MAX_HEAD = 64 * 1024
MAX_BODY = 8 * 1024 * 1024
REQUEST_LINE = re.compile(r"([A-Z]{1,20}) (\S+) HTTP/1\.([01])")
TICKS_PER_SECOND = 20


class BadRequestError(Exception):
    """The bytes are no HTTP request."""

    def __init__(self, status: int) -> None:
        super().__init__(f"unreadable request, answered {status}")
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it arrived; header names in lower case, target and body untouched."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    is_last: bool = False

    @property
    def path(self) -> str:
        """The target without its query, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The raw query, without its question mark."""
        return self.target.partition("?")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a mock answers, and what it changed while doing so.

    `seal` makes of the document what leaves, a signature over it for instance; it comes after the faults
    that change the document, so that what is altered is still well signed.
    """

    status: int
    body: bytes = b""
    content_type: str | None = JSON
    headers: tuple[tuple[str, str], ...] = ()
    effect: Mapping[str, object] | None = None
    reference: str | None = None
    seal: Callable[[bytes], bytes] | None = None


def json_answer(
    status: int,
    value: object,
    *,
    headers: tuple[tuple[str, str], ...] = (),
    effect: Mapping[str, object] | None = None,
    reference: str | None = None,
) -> Answer:
    """An answer whose body is `value`, accents kept as they are."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status=status, body=body, headers=headers, effect=effect, reference=reference)


class After(Enum):
    """What happens to the connection once the bytes are out."""

    KEEP = "keep"
    CLOSE = "close"
    RESET = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Bytes to write, how fast, and what comes after them."""

    payload: bytes = b""
    after: After = After.KEEP
    bytes_per_second: float | None = None


def rendered(answer: Answer, *, date: str, method: str) -> tuple[bytes, bytes]:
    """Head and body as bytes; a 204 has no body and a HEAD only announces it."""
    lines = [f"HTTP/1.1 {answer.status} {_reason(answer.status)}", f"Date: {date}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    body = answer.body
    if answer.status == HTTPStatus.NO_CONTENT:
        body = b""
    else:
        if answer.content_type is not None:
            lines.append(f"Content-Type: {answer.content_type}")
        lines.append(f"Content-Length: {len(body)}")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    return head, b"" if method == "HEAD" else body


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


class Connection:
    """One client connection, kept alive between requests."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._buffer = b""

    def read(self) -> Request | None:
        """The next request, or None when the client left.

        Raises:
            BadRequestError: what came is not HTTP/1.x, or too big.
        """
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        request_line, *lines = head.decode("latin-1").split("\r\n")
        match = REQUEST_LINE.fullmatch(request_line)
        if match is None:
            raise BadRequestError(400)
        headers = _headers(lines)
        wish = headers.get("connection", "").lower()
        is_last = wish == "close" or (match[3] == "0" and wish != "keep-alive")
        body = self._body(headers)
        return Request(
            method=match[1], target=match[2], headers=headers, body=body, is_last=is_last
        )

    def write(self, delivery: Delivery) -> None:
        """Send the bytes, then keep, close or reset as the delivery says."""
        if delivery.bytes_per_second is None:
            self._sock.sendall(delivery.payload)
        else:
            self._drip(delivery.payload, delivery.bytes_per_second)
        if delivery.after is After.RESET:
            self.reset()

    def reset(self) -> None:
        """Close so that the peer reads a reset, not an end of stream."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def close(self) -> None:
        """Close the connection; what was sent is still delivered."""
        self._sock.close()

    def abort(self) -> None:
        """Reset from another thread, waking the one that waits for a request."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _drip(self, payload: bytes, bytes_per_second: float) -> None:
        step = max(1, int(bytes_per_second / TICKS_PER_SECOND))
        for start in range(0, len(payload), step):
            self._sock.sendall(payload[start : start + step])
            time.sleep(step / bytes_per_second)

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if "100-continue" in headers.get("expect", "").lower():
            self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._chunks()
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            raise BadRequestError(400)
        return self._exactly(int(length))

    def _chunks(self) -> bytes:
        body = b""
        while True:
            line = self._until(b"\r\n") or b""
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError as error:
                raise BadRequestError(400) from error
            body += self._exactly(size)
            if len(body) > MAX_BODY:
                raise BadRequestError(413)
            self._exactly(2)
            if size == 0:
                return body

    def _until(self, mark: bytes) -> bytes | None:
        while mark not in self._buffer:
            if len(self._buffer) > MAX_HEAD:
                raise BadRequestError(431)
            if not self._receive():
                return None
        found, _, self._buffer = self._buffer.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        if size > MAX_BODY:
            raise BadRequestError(413)
        while len(self._buffer) < size:
            if not self._receive():
                raise BadRequestError(400)
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def _receive(self) -> bytes:
        received = self._sock.recv(65536)
        self._buffer += received
        return received


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequestError(400)
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
