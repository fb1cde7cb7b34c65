"""The HTTP transport: requests' face, a lean body, one adapter per profile.

``requests.Session`` costs several times the CPU of the exchange itself. This adapter takes a prepared
request, writes it in one send on a kept connection to the checked address, and lets ``http.client`` read
the answer. It follows no redirect, keeps no cookie and reads no proxy variable of the environment.
It raises what requests' adapters raise; ``connectors.kit.http`` makes errors of the hub of them.
"""

import http.client
import socket
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.util.retry import Retry

from connectors.kit.addresses import Address, AddressRefusedError, NameNotFoundError
from connectors.kit.deadlines import Deadline
from connectors.kit.pool import Pool
from connectors.kit.wire import Headers, LeanResponse, WireResponse, WireSource
from schemas import clock

if TYPE_CHECKING:
    from datetime import datetime

BODY_CAP: Final = 8 * 1024 * 1024
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
GZIP: Final = 16 + zlib.MAX_WBITS


class NotConnectedError(requests.ConnectionError):
    """No connection was made: nothing of the request left. ``reason`` is a word for the probe."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class StaleConnectionError(requests.ConnectionError):
    """The connection ended before the first byte of an answer."""


class Outgoing(requests.PreparedRequest):
    """A request ready to leave, and the moments the adapter saw."""

    def __init__(self, method: str, url: str, *, target: str, body: bytes | None) -> None:
        super().__init__()
        self.method = method
        self.url = url
        self.target = target
        self.body = body
        self.headers = Headers()
        self.has_effect = method not in SAFE
        self.may_repeat = not self.has_effect
        self.written = b""
        self.sent_at: datetime | None = None
        self.answered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds to connect and seconds between two bytes; their sum is the whole exchange's limit."""

    connect: float = 3.05
    read: float = 10.0

    @property
    def total(self) -> float:
        """The longest an exchange may last."""
        return self.connect + self.read


class LeanAdapter(BaseAdapter):
    """Sends prepared requests to one origin; ``responses`` mocks it by naming its ``send``."""

    def __init__(
        self,
        address: Address,
        *,
        tls: ssl.SSLContext | None,
        timeouts: Timeouts,
        cap: int = BODY_CAP,
    ) -> None:
        super().__init__()
        self.max_retries = Retry(0, read=False)
        self._address = address
        self._tls = tls
        self._timeouts = timeouts
        self._cap = cap
        self._pool = Pool()
        scheme, usual = ("http", 80) if tls is None else ("https", 443)
        name = f"[{address.host}]" if ":" in address.host else address.host
        self._host = name if address.port == usual else f"{name}:{address.port}"
        self.origin = f"{scheme}://{self._host}"

    build_response = HTTPAdapter.build_response

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002
        timeout: Any = None,  # noqa: ARG002 - a profile has one pair of limits
        verify: bool | str = True,  # noqa: ARG002, FBT001, FBT002
        cert: Any = None,  # noqa: ARG002
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> requests.Response:
        """Return the answer, read whole; every failure is one of requests' exceptions."""
        outgoing = request if isinstance(request, Outgoing) else self._adopted(request)
        outgoing.written = self._written(outgoing)
        try:
            return self._exchanged(outgoing, Deadline(self._timeouts.total))
        except TimeoutError as error:
            late = requests.ConnectTimeout if outgoing.sent_at is None else requests.ReadTimeout
            raise late(request=request) from error

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.close()

    def _adopted(self, request: requests.PreparedRequest) -> Outgoing:
        url = request.url or ""
        if not url.startswith(f"{self.origin}/"):
            raise requests.exceptions.InvalidURL
        body = request.body.encode() if isinstance(request.body, str) else request.body
        outgoing = Outgoing(request.method or "GET", url, target=request.path_url, body=body)
        outgoing.headers = request.headers
        return outgoing

    def _exchanged(self, request: Outgoing, deadline: Deadline) -> requests.Response:
        kept = self._pool.take()
        if kept is not None:
            try:
                return self._round_trip(kept, request, deadline)
            except StaleConnectionError:
                if not request.may_repeat:
                    raise
        return self._round_trip(self._connected(deadline), request, deadline)

    def _connected(self, deadline: Deadline) -> socket.socket:
        with deadline:  # resolution and handshake know no limit of their own
            sock = self._reached(deadline)
            return sock if self._tls is None else self._secured(sock, self._tls)

    def _reached(self, deadline: Deadline) -> socket.socket:
        try:
            return self._address.connect(min(self._timeouts.connect, deadline.left()))
        except NameNotFoundError as error:
            raise NotConnectedError("name") from error
        except AddressRefusedError as error:
            raise NotConnectedError("refused_address") from error
        except TimeoutError:
            raise
        except OSError as error:
            raise NotConnectedError("connection") from error

    def _secured(self, sock: socket.socket, tls: ssl.SSLContext) -> socket.socket:
        try:
            return tls.wrap_socket(sock, server_hostname=self._address.host)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError) as error:
            sock.close()
            raise NotConnectedError("connection") from error
        except ssl.SSLError as error:
            sock.close()
            raise requests.exceptions.SSLError from error
        except BaseException:
            sock.close()
            raise

    def _round_trip(
        self, sock: socket.socket, request: Outgoing, deadline: Deadline
    ) -> requests.Response:
        source = WireSource(sock, deadline, self._timeouts.read)
        try:
            request.sent_at = clock.utcnow()
            sock.settimeout(min(self._timeouts.read, deadline.left()))
            _send_all(sock, request.written)
            raw = WireResponse(cast("socket.socket", source), method=request.method)
            raw.begin()
            request.answered_at = clock.utcnow()
            body = self._body(raw)
        except TimeoutError:
            sock.close()
            raise
        except (OSError, http.client.HTTPException) as error:
            sock.close()
            cut = requests.ConnectionError if source.received else StaleConnectionError
            raise cut(request=request) from error if isinstance(error, OSError) else None
        except BaseException:
            sock.close()
            raise
        if raw.will_close:
            sock.close()
        else:
            self._pool.keep(sock)
        return _as_response(request, raw, body)

    def _written(self, request: Outgoing) -> bytes:
        body = request.body or b""
        lines = [f"{request.method} {request.target} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        if request.body is not None or request.method not in SAFE:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(lines)
        if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
            raise requests.exceptions.InvalidHeader(request=request)
        try:
            encoded = head.encode("latin-1")
        except UnicodeEncodeError:
            raise requests.exceptions.InvalidHeader(request=request) from None
        return encoded + b"\r\n\r\n" + cast("bytes", body)

    def _body(self, raw: WireResponse) -> bytes:
        body = raw.read(self._cap + 1)
        if len(body) > self._cap:
            raise http.client.HTTPException
        if raw.length:  # read(amount) says nothing of a body cut short
            raise http.client.IncompleteRead(body, raw.length)
        coding = raw.fields.get("Content-Encoding", "identity").lower()
        if coding == "identity" or not body:
            return body
        return _inflated(body, coding, self._cap)


def _send_all(sock: socket.socket, written: bytes) -> None:
    """Send everything: nearly always one call, which costs half of ``sendall`` in a patched process."""
    sent = sock.send(written)
    if sent < len(written):
        sock.sendall(memoryview(written)[sent:])


def _inflated(body: bytes, coding: str, cap: int) -> bytes:
    if coding not in {"gzip", "x-gzip"}:
        raise http.client.HTTPException
    unzip = zlib.decompressobj(GZIP)
    try:
        plain = unzip.decompress(body, cap)
    except zlib.error as error:
        raise http.client.HTTPException from error
    if not unzip.eof:
        raise http.client.HTTPException
    return plain


def _as_response(request: Outgoing, raw: WireResponse, body: bytes) -> requests.Response:
    response = LeanResponse()
    response.status_code = raw.status
    response.reason = raw.reason
    response.headers = raw.fields
    response.url = request.url or ""
    response.request = request
    response._content = body  # noqa: SLF001 - how requests' own adapters hand over a body read whole
    return response
