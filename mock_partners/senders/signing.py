"""Standard Webhooks signatures, written apart from the hub's so that the two can prove each other.

Signed text: ``id.timestamp.body``; for a request without body, ``GET <path and query>`` in its place.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["SCHEMES", "Key", "SignedRequest", "signed_text"]

SCHEMES: Mapping[str, str] = {"v1": "whsec_", "v1a": "whsk_"}
SEED_LENGTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """A request ready to leave; sent again as it is, it is the same attempt."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One signing key: its name at the hub, its scheme and its secret bytes."""

    key_id: str
    scheme: str
    secret: bytes

    @classmethod
    def read(cls, *, key_id: str, scheme: str, secret: str) -> "Key":
        """Read a key as it is handed over: ``whsec_…`` for v1, ``whsk_…`` for v1a.

        Raises:
            ValueError: the scheme is unknown or the text is no secret of that scheme.
        """
        if scheme not in SCHEMES:
            msg = f"{key_id}: the scheme is one of {sorted(SCHEMES)}"
            raise ValueError(msg)
        prefix, _, text = secret.partition("_")
        if f"{prefix}_" != SCHEMES[scheme]:
            msg = f"{key_id}: a {scheme} secret starts with {SCHEMES[scheme]}"
            raise ValueError(msg)
        value = base64.b64decode(text, validate=True)
        if scheme == "v1a":
            if len(value) not in (SEED_LENGTH, 2 * SEED_LENGTH):
                msg = f"{key_id}: a v1a secret holds 32 or 64 bytes"
                raise ValueError(msg)
            value = value[:SEED_LENGTH]
        return cls(key_id=key_id, scheme=scheme, secret=value)

    def signature(self, text: bytes) -> str:
        """One item of ``webhook-signature``."""
        if self.scheme == "v1a":
            value = Ed25519PrivateKey.from_private_bytes(self.secret).sign(text)
        else:
            value = hmac.digest(self.secret, text, hashlib.sha256)
        return f"{self.scheme},{base64.b64encode(value).decode()}"

    def forged(self) -> "Key":
        """A key of the same name that the hub does not know."""
        secret = hashlib.sha256(self.secret).digest()
        return Key(key_id=self.key_id, scheme=self.scheme, secret=secret)


def signed_text(message_id: str, timestamp: int, body: bytes) -> bytes:
    """The bytes that are signed."""
    return f"{message_id}.{timestamp}.".encode() + body


def headers(keys: Sequence[Key], *, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The four headers of a signed request; several keys sign during a rotation."""
    text = signed_text(message_id, timestamp, body)
    return {
        "Parvis-Key-Id": keys[0].key_id,
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(key.signature(text) for key in keys),
    }


def spoilt(request: SignedRequest, kind: str) -> SignedRequest:
    """The request with its signature made wrong after signing (`key` is done before it)."""
    changed = dict(request.headers)
    body = request.body
    match kind:
        case "body":
            body += b" "
        case "id":
            changed["webhook-id"] = changed["webhook-id"][::-1]
        case "timestamp":
            changed["webhook-timestamp"] = str(int(changed["webhook-timestamp"]) + 1)
        case "header":
            changed["webhook-signature"] = "v1,%%%"
    return SignedRequest(method=request.method, path=request.path, headers=changed, body=body)
