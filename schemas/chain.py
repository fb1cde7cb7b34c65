"""The journal's chain: what is digested, what is linked, what a checkpoint signs.

digest = SHA-256(0x12 ‖ JCS(seven members)), hash = SHA-256(0x11 ‖ prev ‖ digest); the first link follows 32
zero bytes. A chain alone does not show that its end was cut off: only a checkpoint kept elsewhere does.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from schemas import jcs

START: Final = bytes(32)
_LINK: Final = b"\x11"
_DIGEST: Final = b"\x12"
_KEY_ID_BYTES: Final = 16
_TEXTS: Final = ("origin", "at", "key_id")
_RAW: Final = ("head", "public_key", "signature")
_SIGNED: Final = ("origin", "size", "head", "at", "key_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One sealed entry as the chain sees it."""

    seq: int
    at: datetime
    type: str
    actor_ref: str | None
    subject_ref: str | None
    case_ref: str | None
    leaf: bytes
    prev: bytes
    hash: bytes

    def digest(self) -> bytes:
        """Return what stands for this entry without its neighbours."""
        members = {
            "seq": self.seq,
            "at": moment(self.at),
            "type": self.type,
            "actor_ref": self.actor_ref,
            "subject_ref": self.subject_ref,
            "case_ref": self.case_ref,
            "leaf": self.leaf.hex(),
        }
        return hashlib.sha256(_DIGEST + jcs.canonical(members)).digest()

    def expected_hash(self) -> bytes:
        """Return the hash this entry must have behind its ``prev``."""
        return hashlib.sha256(_LINK + self.prev + self.digest()).digest()

    def as_json(self) -> dict[str, Any]:
        """Return the entry as exports write it."""
        return {
            "seq": self.seq,
            "at": moment(self.at),
            "type": self.type,
            "actor_ref": self.actor_ref,
            "subject_ref": self.subject_ref,
            "case_ref": self.case_ref,
            "leaf": self.leaf.hex(),
            "prev": self.prev.hex(),
            "hash": self.hash.hex(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How long the journal was and what its last hash was, signed, to be kept elsewhere.

    ``public_key`` goes along so that anybody can verify; ``key_id`` is its digest, to be compared with
    the one the city made known.
    """

    origin: str
    size: int
    head: bytes
    at: str
    key_id: str
    public_key: bytes
    signature: bytes

    @classmethod
    def signed(
        cls, key: Ed25519PrivateKey, *, origin: str, size: int, head: bytes, at: str
    ) -> Self:
        """Return a checkpoint of a journal of ``size`` entries."""
        public = key.public_key().public_bytes_raw()
        values: dict[str, Any] = {"origin": origin, "size": size, "head": head, "at": at}
        values["key_id"] = key_id(public)
        return cls(**values, public_key=public, signature=key.sign(_to_sign(values)))

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Self:
        """Return the checkpoint of a file; raises ValueError for anything else."""
        try:
            found: dict[str, Any] = {name: str(value[name]) for name in _TEXTS}
            found |= {name: bytes.fromhex(value[name]) for name in _RAW}
            parsed(found["at"])
            size = value["size"]
        except (KeyError, TypeError) as error:
            raise ValueError("no checkpoint") from error
        if type(size) is not int or size < 0 or len(found["head"]) != len(START):
            raise ValueError("no checkpoint")
        return cls(size=size, **found)

    def is_signed(self) -> bool:
        """Tell whether the signature is that of the key it names."""
        if key_id(self.public_key) != self.key_id:
            return False
        values = {name: getattr(self, name) for name in _SIGNED}
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(
                self.signature, _to_sign(values)
            )
        except (InvalidSignature, ValueError):
            return False
        return True

    def as_json(self) -> dict[str, Any]:
        """Return the checkpoint as its file holds it."""
        return {
            "origin": self.origin,
            "size": self.size,
            "head": self.head.hex(),
            "at": self.at,
            "key_id": self.key_id,
            "public_key": self.public_key.hex(),
            "signature": self.signature.hex(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a verification found: how many entries hold, and the first fault, if any."""

    size: int
    head: bytes
    fault: str | None = None
    seq: int | None = None


def verify(links: Iterable[Link], checkpoint: Checkpoint | None = None) -> Verdict:
    """Follow the chain from its start; with a checkpoint, refuse a shorter or a forked one.

    Faults: ``checkpoint`` (not signed by its key), ``seq``, ``prev``, ``hash``, ``fork``, ``short``.
    """
    if checkpoint is not None and not checkpoint.is_signed():
        return Verdict(size=0, head=START, fault="checkpoint")
    size, head = 0, START
    if _forks(checkpoint, size, head):
        return Verdict(size=size, head=head, fault="fork", seq=0)
    for link in links:
        fault = _fault(link, size, head)
        if fault is None and _forks(checkpoint, link.seq, link.hash):
            fault = "fork"
        if fault is not None:
            return Verdict(size=size, head=head, fault=fault, seq=size + 1)
        size, head = link.seq, link.hash
    if checkpoint is not None and size < checkpoint.size:
        return Verdict(size=size, head=head, fault="short", seq=size + 1)
    return Verdict(size=size, head=head)


def key_id(public_key: bytes) -> str:
    """Return what a signing key is called."""
    return hashlib.sha256(public_key).digest()[:_KEY_ID_BYTES].hex()


def moment(at: datetime) -> str:
    """Return a moment as the chain writes it: RFC 3339, UTC, six decimals."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parsed(at: str) -> datetime:
    """Return the moment a text of the chain stands for; raises ValueError."""
    return datetime.strptime(at, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def _fault(link: Link, size: int, head: bytes) -> str | None:
    if link.seq != size + 1:
        return "seq"
    if link.prev != head:
        return "prev"
    return None if link.hash == link.expected_hash() else "hash"


def _forks(checkpoint: Checkpoint | None, size: int, head: bytes) -> bool:
    return checkpoint is not None and size == checkpoint.size and head != checkpoint.head


def _to_sign(values: Mapping[str, Any]) -> bytes:
    return jcs.canonical({**values, "head": values["head"].hex()})
