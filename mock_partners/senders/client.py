"""A small HTTP client for the senders: kept connections, standard library only."""

import http.client
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from mock_partners.senders.signing import SignedRequest

__all__ = ["HubAnswer", "HubClient", "HubUnreachableError"]


class HubUnreachableError(Exception):
    """No answer came: refused, cut or too slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubAnswer:
    """What the hub said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HubClient:
    """Posts signed requests to one hub, from any thread, on connections it keeps."""

    def __init__(self, base_url: str, *, timeout: float = 10.0) -> None:
        self._address = urlsplit(base_url)
        if self._address.scheme not in {"http", "https"} or not self._address.hostname:
            msg = "the hub's address is http(s)://host[:port]"
            raise ValueError(msg)
        self._timeout = timeout
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def send(self, request: SignedRequest) -> HubAnswer:
        """Send once; a connection that died while it was idle is opened again.

        Raises:
            HubUnreachableError: no answer came.
        """
        kept = self._kept()
        try:
            if kept is not None:
                try:
                    return self._exchange(kept, request)
                except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                    kept.close()
            return self._exchange(self._opened(), request)
        except (OSError, http.client.HTTPException) as error:
            raise HubUnreachableError(type(error).__name__) from error

    def close(self) -> None:
        """Close the connections that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _kept(self) -> http.client.HTTPConnection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _opened(self) -> http.client.HTTPConnection:
        is_https = self._address.scheme == "https"
        kind = http.client.HTTPSConnection if is_https else http.client.HTTPConnection
        return kind(self._address.hostname or "", self._address.port, timeout=self._timeout)

    def _exchange(
        self, connection: http.client.HTTPConnection, request: SignedRequest
    ) -> HubAnswer:
        target = self._address.path.rstrip("/") + request.path
        body = request.body or None
        try:
            connection.request(request.method, target, body=body, headers=dict(request.headers))
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)
        names = {name.lower(): value for name, value in answer.getheaders()}
        return HubAnswer(status=answer.status, headers=names, body=content)
