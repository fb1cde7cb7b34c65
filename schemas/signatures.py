"""Standard Webhooks 1.0: who sent these very bytes, proved before anything reads them.

Both schemes: ``v1`` (HMAC-SHA256, a secret shared by two ends) and ``v1a`` (Ed25519, the hub holds
the public half only). Whatever the bytes of a hostile request, one family of errors leaves:
``SignatureVerificationError``.

Specification: Standard Webhooks 1.0.0, sections "Signature scheme" and "Verifying".
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from schemas.errors import ClockSkewError, SignatureVerificationError

TOLERANCE_SECONDS: Final = 300
MAX_SIGNATURES: Final = 8
_LENGTHS: Final = {"v1": 32, "v1a": 64}
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_NAMES: Final = frozenset({"webhook-id", "webhook-timestamp", "webhook-signature"})

Scheme: TypeAlias = Literal["v1", "v1a"]
Headers: TypeAlias = Mapping[str, Any] | Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyKey:
    """One live key: ``material`` verifies; ``seed`` is there only where we may sign with it too.

    For ``v1`` the material is the shared secret, for ``v1a`` the 32 bytes of the public key.
    """

    scheme: Scheme
    material: bytes = field(repr=False)
    seed: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.scheme == "v1a" and len(self.material) != 32:
            raise ValueError("an Ed25519 public key has 32 bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedDelivery:
    """What a good signature proves: this id, sent at this moment by the holder of this key."""

    webhook_id: str
    timestamp: int
    key: VerifyKey


def parse_secret(text: str) -> VerifyKey:
    """Read a key as people copy it: ``whsec_…`` shared, ``whpk_…`` public, ``whsk_…`` private.

    Raises:
        ValueError: no such prefix, no base64, or a length the scheme forbids. Never quotes it.
    """
    prefix, _, encoded = text.strip().partition("_")
    try:
        material = _decode(encoded)
    except ValueError:
        raise ValueError("La clé n'est pas en base64.") from None
    match prefix, len(material):
        case "whsec", length if 24 <= length <= 64:
            return VerifyKey(scheme="v1", material=material)
        case "whpk", 32:
            return VerifyKey(scheme="v1a", material=material)
        case "whsk", 32 | 64:
            return _private_key(material)
    raise ValueError(
        "La clé commence par whsec_, whpk_ ou whsk_ et a la longueur de son algorithme."
    )


def _private_key(material: bytes) -> VerifyKey:
    """Read a seed, alone or followed by its public half as other libraries write it."""
    seed, public = material[:32], material[32:]
    derived = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    if public and public != derived:
        raise ValueError("La clé privée et sa moitié publique ne vont pas ensemble.")
    return VerifyKey(scheme="v1a", material=derived, seed=seed)


def query_body(path_and_query: str) -> bytes:
    """Return what a request without a body signs in place of one; path and query as sent."""
    return f"GET {path_and_query}".encode("ascii", "backslashreplace")


def sign(webhook_id: str, timestamp: int, body: bytes, key: VerifyKey) -> str:
    """Return one item of ``webhook-signature``; join several with a space during a rotation.

    Raises:
        ValueError: the id cannot stand in a signed string, or the key can only verify.
    """
    if not _ID.fullmatch(webhook_id):
        raise ValueError("webhook-id: 1 to 64 characters of A-Z a-z 0-9 _ -")
    content = _content(webhook_id, str(timestamp), body)
    if key.scheme == "v1":
        signature = hmac.digest(key.material, content, hashlib.sha256)
    elif key.seed is None:
        raise ValueError("this key can only verify")
    else:
        signature = Ed25519PrivateKey.from_private_bytes(key.seed).sign(content)
    return f"{key.scheme},{base64.b64encode(signature).decode()}"


def verify(
    raw_body: bytes, headers: Headers, keys: Iterable[VerifyKey], now: datetime
) -> VerifiedDelivery:
    """Return the proof that one of ``keys`` signed these bytes, or raise.

    ``headers`` are pairs, or a mapping of name to value (or to a list of values). An unknown
    sender is verified with no key at all, which costs as much as a wrong key.

    Raises:
        ClockSkewError: the reason is ``expired`` or ``future``.
        SignatureVerificationError: ``missing_header``, ``bad_format``, ``bad_encoding`` or
            ``no_match``.
    """
    webhook_id, timestamp, signatures = _required_headers(headers)
    if not _ID.fullmatch(webhook_id) or not _TIMESTAMP.fullmatch(timestamp):
        raise SignatureVerificationError("bad_format")
    _check_age(int(timestamp), now)
    candidates = tuple(_candidates(signatures))
    content = _content(webhook_id, timestamp, raw_body)
    matching = _matching_key(candidates, tuple(keys), content)
    if matching is None:
        raise SignatureVerificationError("no_match")
    return VerifiedDelivery(webhook_id=webhook_id, timestamp=int(timestamp), key=matching)


def _content(webhook_id: str, timestamp: str, body: bytes) -> bytes:
    return b"%s.%s.%s" % (webhook_id.encode("ascii"), timestamp.encode("ascii"), body)


def _required_headers(headers: Headers) -> tuple[str, str, str]:
    found: dict[str, str] = {}
    for name, value in _pairs(headers):
        lowered = name.lower()
        if lowered in _NAMES:
            if lowered in found:
                raise SignatureVerificationError("bad_format")
            found[lowered] = value
    if len(found) != len(_NAMES):
        raise SignatureVerificationError("missing_header")
    return found["webhook-id"], found["webhook-timestamp"], found["webhook-signature"]


def _pairs(headers: Headers) -> Iterator[tuple[str, str]]:
    """Yield every header, the repeats of one name too."""
    items = headers.items() if hasattr(headers, "items") else headers
    for name, value in items:
        if isinstance(value, str):
            yield name, value
        else:
            yield from ((name, _text(one)) for one in value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise SignatureVerificationError("bad_format")
    return value


def _check_age(timestamp: int, now: datetime) -> None:
    age = now.timestamp() - timestamp
    if age > TOLERANCE_SECONDS:
        raise ClockSkewError("expired")
    if age < -TOLERANCE_SECONDS:
        raise ClockSkewError("future")


def _candidates(signatures: str) -> Iterator[tuple[str, bytes]]:
    """Yield (scheme, signature) of each item whose tag we know."""
    items = signatures.split(" ")
    if len(items) > MAX_SIGNATURES:
        raise SignatureVerificationError("bad_format")
    for item in items:
        scheme, comma, encoded = item.partition(",")
        if not scheme or not comma:
            raise SignatureVerificationError("bad_format")
        if scheme in _LENGTHS:
            yield scheme, _signature(scheme, encoded)


def _signature(scheme: str, encoded: str) -> bytes:
    try:
        signature = _decode(encoded)
    except ValueError:
        raise SignatureVerificationError("bad_encoding") from None
    if len(signature) != _LENGTHS[scheme]:
        raise SignatureVerificationError("bad_encoding")
    return signature


def _decode(encoded: str) -> bytes:
    """Decode base64 written in the one canonical way; raises ValueError otherwise."""
    raw = binascii.a2b_base64(encoded.encode("ascii"), strict_mode=True)
    if base64.b64encode(raw) != encoded.encode("ascii"):
        raise ValueError
    return raw


def _matching_key(
    candidates: tuple[tuple[str, bytes], ...], keys: tuple[VerifyKey, ...], content: bytes
) -> VerifyKey | None:
    """Try every candidate with every key of its scheme; a decoy stands in where there is none."""
    matching = None
    for scheme, signature in candidates:
        own = tuple(key for key in keys if key.scheme == scheme)
        for key in own or (_decoy(scheme),):
            is_match = _CHECKS[scheme](key.material, content, signature)
            if is_match and own:
                matching = matching or key
    return matching


def _check_v1(material: bytes, content: bytes, signature: bytes) -> bool:
    return hmac.compare_digest(hmac.digest(material, content, hashlib.sha256), signature)


def _check_v1a(material: bytes, content: bytes, signature: bytes) -> bool:
    try:
        _public_key(material).verify(signature, content)
    except InvalidSignature:
        return False
    return True


_CHECKS: Final = {"v1": _check_v1, "v1a": _check_v1a}


@lru_cache(maxsize=1024)
def _public_key(material: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(material)


@lru_cache
def _decoy(scheme: Scheme) -> VerifyKey:
    """Return a key nobody's signature is accepted for; it only takes the time of a real one."""
    if scheme == "v1":
        return VerifyKey(scheme=scheme, material=bytes(32))
    return _private_key(bytes(32))
