"""A small HTTP client for the senders: one kept connection per thread, standard library only."""

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
    """Posts signed requests to one hub."""

    def __init__(self, base_url: str, *, timeout: float = 10.0) -> None:
        self._address = urlsplit(base_url)
        if self._address.scheme not in {"http", "https"} or not self._address.hostname:
            msg = "the hub's address is http(s)://host[:port]"
            raise ValueError(msg)
        self._timeout = timeout
        self._kept = threading.local()

    def send(self, request: SignedRequest) -> HubAnswer:
        """Send once; a connection that died while it was idle is opened again.

        Raises:
            HubUnreachableError: no answer came.
        """
        kept: http.client.HTTPConnection | None = getattr(self._kept, "connection", None)
        try:
            if kept is not None:
                try:
                    return self._exchange(kept, request)
                except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                    kept.close()
            return self._exchange(self._opened(), request)
        except (OSError, http.client.HTTPException) as error:
            self._kept.connection = None
            raise HubUnreachableError(type(error).__name__) from error

    def close(self) -> None:
        """Close this thread's connection."""
        kept: http.client.HTTPConnection | None = getattr(self._kept, "connection", None)
        if kept is not None:
            kept.close()
        self._kept.connection = None

    def _opened(self) -> http.client.HTTPConnection:
        is_https = self._address.scheme == "https"
        kind = http.client.HTTPSConnection if is_https else http.client.HTTPConnection
        host = self._address.hostname or ""
        connection = kind(host, self._address.port, timeout=self._timeout)
        self._kept.connection = connection
        return connection

    def _exchange(
        self, connection: http.client.HTTPConnection, request: SignedRequest
    ) -> HubAnswer:
        target = self._address.path.rstrip("/") + request.path
        body = request.body or None
        connection.request(request.method, target, body=body, headers=dict(request.headers))
        answer = connection.getresponse()
        content = answer.read()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return HubAnswer(status=answer.status, headers=names, body=content)
