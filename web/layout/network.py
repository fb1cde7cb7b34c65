"""The network a request comes from, as coarse as limits need it: /24 in IPv4, /48 in IPv6."""

from ipaddress import IPv6Address, ip_address, ip_network

from flask import request


def network_of(address: str | None) -> str:
    """Return the prefix of an address, ``unknown`` when there is none to read."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return str(ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))


def client_network() -> str:
    """Return the network of this request's sender."""
    return network_of(request.remote_addr)
