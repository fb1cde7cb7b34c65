"""The address guard: a name is resolved once, checked, and the connection goes to what was checked.

A city system's address is a setting, so a mistake or a malicious name could point the hub at its own
network. Loopback and private ranges are open only to a profile that says so; ranges that are never a
city system (link-local and its metadata services, multicast, unspecified, reserved) to nobody.
"""

import ipaddress
import socket
import threading
from dataclasses import dataclass
from typing import Final, TypeAlias

from schemas import clock

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA: Final = frozenset(
    ipaddress.ip_address(text) for text in ("169.254.169.254", "100.100.100.200", "fd00:ec2::254")
)
NAT64: Final = (
    ipaddress.ip_network("64:ff9b::/96"),
    ipaddress.ip_network("64:ff9b:1::/48"),
)
SHARED: Final = ipaddress.ip_network("100.64.0.0/10")
FORGET_AFTER_SECONDS: Final = 300.0


class AddressRefusedError(Exception):
    """The name leads to a network this profile may not reach."""


class NameNotFoundError(Exception):
    """The name has no address."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A checked address: what ``socket.connect`` takes."""

    family: int
    sockaddr: tuple[str, int]


def is_allowed(address: IpAddress, *, allow_private: bool) -> bool:
    """Tell whether the hub may connect to an address; embedded IPv4 addresses count as themselves."""
    inner = _embedded(address)
    if inner is not None:
        return is_allowed(inner, allow_private=allow_private)
    never = address.is_link_local or address.is_multicast or address.is_unspecified
    if never or address in METADATA:
        return False
    internal = address.is_private or address.is_loopback or address in SHARED
    if internal:
        return allow_private and not (address.is_reserved and not address.is_loopback)
    return address.is_global and not address.is_reserved


def _embedded(address: IpAddress) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    packed = address.packed
    nat64 = any(address in network for network in NAT64)
    compatible = packed[:12] == bytes(12) and packed[12:] not in {bytes(4), b"\x00\x00\x00\x01"}
    return ipaddress.IPv4Address(packed[12:]) if nat64 or compatible else None


class Address:
    """One host and port: resolved at first use, checked, pinned until a connection to it fails.

    ``forget`` drops the pin after a failure, so that a system that moved is found again, checked
    anew; a pin also lapses after five minutes.
    """

    def __init__(self, host: str, port: int, *, allow_private: bool) -> None:
        self.host = host
        self.port = port
        self._allow_private = allow_private
        self._pins: tuple[Pinned, ...] = ()
        self._pinned_at = 0.0
        self._lock = threading.Lock()

    def pins(self) -> tuple[Pinned, ...]:
        """Return the checked addresses, in the resolver's order.

        Raises:
            NameNotFoundError: the name does not resolve.
            AddressRefusedError: one of its addresses is of a network this profile may not reach.
        """
        if self._pins and clock.monotonic() - self._pinned_at < FORGET_AFTER_SECONDS:
            return self._pins
        with self._lock:
            self._pins = self._resolved()
            self._pinned_at = clock.monotonic()
            return self._pins

    def forget(self) -> None:
        """Resolve again next time."""
        self._pins = ()

    def _resolved(self) -> tuple[Pinned, ...]:
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            if self._pins:  # a sick resolver takes no address away that still answers
                return self._pins
            raise NameNotFoundError from error
        pins = []
        for family, _kind, _protocol, _name, sockaddr in found:
            text = str(sockaddr[0])
            if "%" in text or not is_allowed(
                ipaddress.ip_address(text), allow_private=self._allow_private
            ):
                raise AddressRefusedError
            pins.append(Pinned(int(family), (text, self.port)))
        return tuple(pins)

    def connect(self, timeout: float) -> socket.socket:
        """Open a TCP connection to the first pinned address that accepts, within ``timeout``.

        Raises:
            OSError: none accepted.
        """
        deadline = clock.monotonic() + timeout
        failure: OSError = TimeoutError()
        pins = self.pins()
        for tried, pin in enumerate(pins):
            share = (deadline - clock.monotonic()) / (len(pins) - tried)
            if share <= 0:
                break
            try:
                return _connected(pin, share)
            except OSError as error:
                failure = error
        self.forget()
        raise failure


def _connected(pin: Pinned, timeout: float) -> socket.socket:
    sock = socket.socket(pin.family, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect(pin.sockaddr)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock
