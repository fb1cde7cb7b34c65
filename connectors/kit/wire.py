"""Reading an answer off the wire: ``http.client`` for the framing, our own eyes for the rest.

``http.client`` reads headers with the e-mail parser, which costs more than the rest of the exchange; here
a header is a line cut at its colon. Framing (chunks, lengths, early ends) stays with the library.
"""

import http.client
import io
import socket
from http import HTTPStatus
from typing import Any, Final

import requests
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict

from connectors.kit.deadlines import Deadline

LINE_CAP: Final = 65_536
HEADERS_CAP: Final = 100
BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class WireSource(io.RawIOBase):
    """The socket as ``http.client`` reads it: no wait goes past the deadline, first byte noticed."""

    def __init__(self, sock: socket.socket, deadline: Deadline, pause: float) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline
        self._pause = pause
        self.received = False

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the buffered reader ``http.client`` asks of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Say that this is for reading."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Receive some bytes before the deadline."""
        self._sock.settimeout(min(self._pause, self._deadline.left()))
        count = self._sock.recv_into(buffer)
        self.received = self.received or count > 0
        return count


class Headers(CaseInsensitiveDict[str]):
    """requests' headers without the walks through ``Mapping``, which cost more than what they find."""

    def __init__(self) -> None:  # the parent's would copy from nothing
        self._store: dict[str, tuple[str, str]] = {}

    def __contains__(self, name: object) -> bool:
        return str(name).lower() in self._store

    def get(self, name: str, default: Any = None) -> Any:
        """Return a header's value, whatever the case of its name."""
        found = self._store.get(name.lower())
        return default if found is None else found[1]

    def items(self) -> Any:
        """Return names, as they were written, with their values."""
        return self._store.values()


class WireResponse(http.client.HTTPResponse):
    """An answer whose headers are read line by line into ``fields``."""

    def begin(self) -> None:
        """Read the status line and the headers; interim answers are passed over."""
        version, status, reason = self._read_status()  # type: ignore[attr-defined]
        while 100 <= status < 200:
            if status == HTTPStatus.SWITCHING_PROTOCOLS:
                raise http.client.UnknownProtocol(version)
            self._fields()
            version, status, reason = self._read_status()  # type: ignore[attr-defined]
        if not version.startswith("HTTP/1."):
            raise http.client.UnknownProtocol("")
        self.version = 10 if version == "HTTP/1.0" else 11
        self.code = self.status = status
        self.reason = reason.strip()
        self.fields = self._fields()
        self.headers = self.msg = self.fields  # type: ignore[assignment]
        self._frame()

    def _fields(self) -> Headers:
        fields = Headers()
        for _ in range(HEADERS_CAP + 1):
            line = self.fp.readline(LINE_CAP + 1)
            if len(line) > LINE_CAP:
                raise http.client.LineTooLong("header line")
            if not line.endswith(b"\n"):  # cut within the head: what follows it is not known
                raise http.client.IncompleteRead(line)
            if line in {b"\r\n", b"\n"}:
                return fields
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or name != name.strip() or not name:
                raise http.client.HTTPException
            text = value.strip()
            fields[name] = f"{fields[name]}, {text}" if name in fields else text
        raise http.client.HTTPException

    def _frame(self) -> None:
        """Decide where the body ends; contradicting lengths are refused."""
        coding = self.fields.get("Transfer-Encoding")
        if coding is not None and coding.lower() != "chunked":
            raise http.client.HTTPException
        self.chunked = coding is not None
        self.chunk_left = None
        self.will_close = self._check_close()  # type: ignore[attr-defined]
        self.length = None if self.chunked else self._announced()
        if self.status in BODILESS or self._method == "HEAD":  # type: ignore[attr-defined]
            self.length = 0
        if not self.will_close and not self.chunked and self.length is None:
            self.will_close = True

    def _announced(self) -> int | None:
        value = self.fields.get("Content-Length")
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) < 16):
            raise http.client.HTTPException
        return int(value)


class LeanResponse(requests.Response):
    """requests' answer without the cookie jar that each of them builds: no cookie is kept here."""

    cookies = RequestsCookieJar()

    def __init__(self) -> None:  # the parent's would build the jar
        self._content = None
        self._content_consumed = True
        self._next = None
        self.raw = None
        self.encoding = None
        self.history: list[Any] = []
