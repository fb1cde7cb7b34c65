"""The hub's own keys, derived from the master key: one per use, none stored.

HKDF-SHA-256 (RFC 5869) with the use as its context, so that no key serves two ends.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


@dataclass(frozen=True, slots=True, kw_only=True)
class HubKeys:
    """Keys of 32 bytes.

    ``access_code`` makes codes from row ids; ``code_digest`` is what stored codes are looked up
    by; ``body_digest`` fingerprints inbound bodies; ``bucket`` hides what limits are counted by;
    ``verification`` makes one-time codes; ``session`` digests cookies and links; ``login`` is what
    subjects are looked up by; ``civil_status`` what people alike are found by; ``provider_secret``
    digests what an identity provider's secret was when the realm was last told.
    """

    access_code: bytes
    code_digest: bytes
    body_digest: bytes
    bucket: bytes
    verification: bytes
    session: bytes
    login: bytes
    civil_status: bytes
    provider_secret: bytes

    @classmethod
    def derive(cls, master: bytes) -> Self:
        """Derive every key from the master key (32 bytes)."""
        return cls(**{use: _derived(master, use) for use in cls.__dataclass_fields__})


def _derived(master: bytes, use: str) -> bytes:
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"parvis {use}".encode())
    return kdf.derive(master)


def keyed_digest(key: bytes, *parts: bytes) -> bytes:
    """Return HMAC-SHA-256 of the parts, each with its length before it."""
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        mac.update(len(part).to_bytes(4, "big") + part)
    return mac.digest()
