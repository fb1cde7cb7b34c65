"""Identifiers: UUIDv7 for rows, Crockford base32 for what people read and type.

UUIDv7 follows RFC 9562 section 5.7 (48 bits of Unix milliseconds, then random bits); it is made
here because PostgreSQL 15 has no such function. The alphabet is Douglas Crockford's base32.
"""

import os
import secrets
from uuid import UUID

from schemas import clock

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CONFUSABLE = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": "", "\u00a0": ""})


def uuid7() -> UUID:
    """Return a new UUIDv7, ordered by time to the millisecond."""
    milliseconds = int(clock.utcnow().timestamp() * 1000)
    random = int.from_bytes(os.urandom(10), "big")
    high = (milliseconds << 16) | 0x7000 | (random >> 68)
    low = (0b10 << 62) | (random & 0x3FFF_FFFF_FFFF_FFFF)
    return UUID(int=(high << 64) | low)


def crockford(value: int, length: int) -> str:
    """Return the lowest ``5 * length`` bits of ``value`` as ``length`` Crockford characters."""
    return "".join(CROCKFORD[(value >> 5 * place) & 31] for place in reversed(range(length)))


def new_reference() -> str:
    """Return our reference of a pre-registration: ``PV-`` and 8 characters (40 random bits)."""
    return "PV-" + crockford(secrets.randbits(40), 8)


def new_token() -> str:
    """Return a placement's token: 8 characters, 40 random bits, no meaning."""
    return crockford(secrets.randbits(40), 8)


def new_pseudonym() -> str:
    """Return what one service or partner sees of a person: 128 random bits, 26 characters."""
    return crockford(secrets.randbits(128), 26)


def read_crockford(text: str, length: int) -> str | None:
    """Read what a person typed: case, dashes, blanks and confusable letters forgiven.

    Returns the canonical characters, or None when it cannot be one of ours.
    """
    canonical = text.strip().upper().translate(_CONFUSABLE)
    if len(canonical) != length or any(letter not in CROCKFORD for letter in canonical):
        return None
    return canonical
