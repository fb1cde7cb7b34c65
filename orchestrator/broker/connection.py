"""Connections to RabbitMQ: opened after the fork, one owner each, nothing on them waits for ever.

kombu opens them; below it the library has no deadline of its own on what it reads or writes, and says
a dead connection in a dozen ways. Here all of them leave as BrokerUnavailableError (try again) or
BrokerRefusedError (a person must mend something); neither repeats an address, a name or a password.
"""

import select
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

import gevent
import structlog
from gevent.monkey import get_original
from kombu.connection import Connection
from kombu.transport.pyamqp import Transport

from schemas.errors import BrokerRefusedError, BrokerUnavailableError, ConfigurationError

__all__ = ["Broker", "Channel", "Link", "refusal_of", "within"]

Channel: TypeAlias = Any  # the library's channel: it carries no types
DEADLINE_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 5.0
HEARTBEAT_SECONDS: Final = 10
PIECE_BYTES: Final = 64 * 1024
_SCHEMES: Final = {"amqp": 5672, "amqps": 5671}
_poll = get_original("select", "poll")  # asks and never waits
log = structlog.get_logger()
# what the library says of a connection that is gone, and a fault in a callback of ours
_ODD: Final = (AttributeError, KeyError, IndexError, struct.error)
_CHANNEL_FAULTS: Final[tuple[type[BaseException], ...]] = tuple(Transport.channel_errors)
# what the library raises when its connection is gone is not always an error of its own
_FAULTS: Final[tuple[type[BaseException], ...]] = (
    *Transport.connection_errors,
    *_CHANNEL_FAULTS,
    OSError,
    *_ODD,
)
_BROKEN_OFF: Final[tuple[type[BaseException], ...]] = (gevent.Timeout, *_FAULTS)
_REFUSED: Final = {
    402: "RabbitMQ : le chemin de PARVIS_BROKER_URL n'est pas accepté.",
    403: "RabbitMQ : l'utilisateur ou le mot de passe de PARVIS_BROKER_URL est refusé, ou ses droits ne "
    "couvrent pas « parvis.* » (configure, write, read).",
    530: "RabbitMQ : le vhost de PARVIS_BROKER_URL n'existe pas ou cet utilisateur n'y a pas droit.",
}

_UNTRUSTED: Final = (
    "RabbitMQ : son certificat n'est pas reconnu, ou n'est pas au nom de PARVIS_BROKER_URL ; donnez "
    "l'autorité qui l'a signé par « ?cacertfile= »."
)
_UNREADABLE: Final = (
    "PARVIS_BROKER_URL : un des fichiers cacertfile, certfile ou keyfile ne se lit pas ou n'est pas un "
    "certificat (PEM) ; vérifiez les chemins et les droits."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """One address of the cluster."""

    host: str
    port: int
    user: str = field(repr=False)
    password: str = field(repr=False)
    vhost: str
    tls: dict[str, Any] | None = field(repr=False)

    @classmethod
    def read(cls, url: str) -> Self:
        """Read ``amqp://user:password@host:port/vhost`` (``amqps`` with ``?cacertfile=``)."""
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise ValueError("not an AMQP address")
        options = parse_qs(parts.query)
        return cls(
            host=parts.hostname,
            port=parts.port or _SCHEMES[parts.scheme],
            user=unquote(parts.username or "guest"),
            password=unquote(parts.password or "guest"),
            vhost=unquote(parts.path[1:]) or "/",
            tls=_tls(parts.hostname, options) if parts.scheme == "amqps" else None,
        )

    def connection(self, name: str) -> Connection:
        """Return the library's description of this address; nothing is opened."""
        return Connection(  # type: ignore[no-untyped-call]
            hostname=f"[{self.host}]" if ":" in self.host else self.host,
            port=self.port,
            userid=self.user,
            password=self.password,
            virtual_host=self.vhost,
            transport="pyamqp",
            login_method="PLAIN",
            ssl=dict(self.tls) if self.tls else False,
            connect_timeout=CONNECT_SECONDS,
            heartbeat=HEARTBEAT_SECONDS,
            transport_options={
                "socket_settings": {socket.TCP_USER_TIMEOUT: int(DEADLINE_SECONDS * 1000)},
                "client_properties": {"product": "Parvis", "connection_name": f"parvis {name}"},
            },
        )


def _tls(host: str, options: dict[str, list[str]]) -> dict[str, Any]:
    """Return settings that check the server's name: the library's own ``ssl=True`` does not.

    The files are read once here: later a bad one could not be told from a broker that is away.
    """
    named = {
        "ca_certs": options.get("cacertfile"),
        "certfile": options.get("certfile"),
        "keyfile": options.get("keyfile"),
    }
    files = {name: values[0] for name, values in named.items() if values}
    try:
        context = ssl.create_default_context(cafile=files.get("ca_certs"))
        if "certfile" in files:
            context.load_cert_chain(files["certfile"], files.get("keyfile"))
    except OSError as error:
        raise ConfigurationError(_UNREADABLE) from error
    return {"server_hostname": host, "cert_reqs": ssl.CERT_REQUIRED, **files}


class Broker:
    """The address of RabbitMQ: one node, or several separated by ``;``, tried in turn."""

    def __init__(self, url: str) -> None:
        try:
            self._nodes = [_Node.read(part.strip()) for part in url.split(";") if part.strip()]
        except ValueError as error:
            raise ConfigurationError(ADDRESS_FAULT) from error
        if not self._nodes:
            raise ConfigurationError(ADDRESS_FAULT)
        self._turn = 0

    def open(self, name: str, *, deadline: float = DEADLINE_SECONDS) -> "Link":
        """Open a connection to the first node that answers, beginning with the last good one.

        Raises:
            BrokerUnavailableError: none answers.
            BrokerRefusedError: one answers and refuses us.
        """
        for attempt in range(len(self._nodes)):
            node = self._nodes[self._turn % len(self._nodes)]
            try:
                return Link(node.connection(name), deadline=deadline)
            except BrokerUnavailableError:
                self._turn += 1
                if attempt + 1 == len(self._nodes):
                    raise
        raise BrokerUnavailableError


class _Pieces:
    """Frames gathered until they are worth a send."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.write = write
        self._gathered = bytearray()

    def add(self, frame: bytes) -> None:
        """Take a frame (copied: the library writes the next one into the same memory)."""
        self._gathered += frame
        if len(self._gathered) >= PIECE_BYTES:
            self.send()

    def send(self) -> None:
        """Send what was gathered."""
        gathered, self._gathered = bytes(self._gathered), bytearray()
        if gathered:
            self.write(gathered)


class Link:
    """One open connection. Its owner alone reads it and calls synchronous methods on it."""

    channel_errors: Final = _CHANNEL_FAULTS

    def __init__(self, described: Connection, *, deadline: float) -> None:
        self.deadline = deadline
        self._described = described
        self._raw: Any = None
        with self.speaking(), within(deadline + CONNECT_SECONDS):
            self._raw = described.transport.establish_connection()
            # a publish would otherwise read first, with no wait at all, and spin on half a frame
            self._raw.client_properties.setdefault("capabilities", {})["connection.blocked"] = False
            self._raw.sock.settimeout(deadline)

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Translate whatever goes wrong while speaking; afterwards the connection is not used again.

        What may be a fault of ours is told with its place, and is no reason to stop serving.
        """
        try:
            yield
        except _BROKEN_OFF as error:
            self.abort()
            if isinstance(error, _ODD):
                log.warning("broker.odd_end", exc_info=True)
            is_untrusted = isinstance(error, ssl.SSLCertVerificationError)
            refused = _UNTRUSTED if is_untrusted else _REFUSED.get(refusal_of(error))
            if refused is not None:
                raise BrokerRefusedError(refused) from error
            raise BrokerUnavailableError from error

    def channel(self) -> Channel:
        """Open a channel."""
        return self._alive().channel()

    def fileno(self) -> int:
        """Return the number of the socket, to be watched."""
        return int(self._alive().sock.fileno())

    def is_readable(self) -> bool:
        """Tell whether a read would find something at once."""
        sock = self._alive().sock
        if isinstance(sock, ssl.SSLSocket) and sock.pending():
            return True
        asked = _poll()
        asked.register(sock.fileno(), select.POLLIN)
        return bool(asked.poll(0))

    def read_frame(self, seconds: float | None = None) -> None:
        """Read one frame and call whoever waits for it; ``seconds`` at most.

        One frame and not one method: after a heartbeat the library would wait for the next method.
        """
        self._alive().blocking_read(self.deadline if seconds is None else max(0.001, seconds))

    @contextmanager
    def writing_together(self, seconds: float) -> Iterator[None]:
        """Send what the block writes in large pieces, each write bounded.

        A send of its own for every message costs both sides more than the message.
        """
        transport = self._alive().transport
        pieces = _Pieces(transport._write)  # noqa: SLF001 - below the library's handling of errors
        with transport.having_timeout(seconds):
            transport._write = pieces.add  # noqa: SLF001
            try:
                yield
                pieces.send()
            finally:
                transport._write = pieces.write  # noqa: SLF001

    def beat(self) -> None:
        """Send a heartbeat when one is due; raises when the broker has been silent too long."""
        self._alive().heartbeat_tick()

    @property
    def server_version(self) -> str:
        """The server's version, as it says."""
        return str(self._raw.server_properties.get("version", ""))

    def close(self) -> None:
        """Say goodbye, without waiting long for the answer."""
        with suppress(*_BROKEN_OFF), within(2.0):
            raw = self._alive()
            raw.sock.settimeout(1.0)
            raw.close()
        self.abort()

    def abort(self) -> None:
        """Close the socket, whatever state it is in."""
        raw, self._raw = self._raw, None
        if raw is None:
            return
        with suppress(*_BROKEN_OFF), within(1.0):
            if raw.connected:
                raw.sock.settimeout(0.5)  # closing TLS speaks once more
            raw.collect()

    def _alive(self) -> Any:
        """Return the library's connection: asked for anything after its end, it would open a new one."""
        if self._raw is None or not self._raw.connected:
            raise OSError("The connection is closed.")
        return self._raw


ADDRESS_FAULT: Final = (
    "PARVIS_BROKER_URL doit être de la forme amqp://utilisateur:secret@machine:5672/vhost "
    "(amqps:// pour TLS), plusieurs nœuds séparés par « ; »."
)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Bound a block as a whole; a plain Timeout, which no ``except Exception`` swallows."""
    deadline = gevent.Timeout.start_new(seconds)
    try:
        yield
    finally:
        deadline.close()


def refusal_of(error: BaseException) -> int:
    """Return AMQP's reply code of an error, 0 when it has none."""
    code = getattr(error, "reply_code", None)
    return code if isinstance(code, int) else 0
