"""The vault: personal payloads under data keys, data keys under the master key.

AES-256-GCM with a random 96-bit nonce and the row's id as associated data, so that a payload moved
to another row does not open. Deleting a person's data keys makes all their payloads unreadable.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas import ids

_as_json = json.JSONEncoder(ensure_ascii=False, default=str).encode


class ErasedError(Exception):
    """The payload can no longer be read: its key is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKey:
    """One data key, open in memory and wrapped for its row."""

    id: UUID
    wrapped: bytes
    cipher: AESGCM

    def seal(self, row_id: UUID, payload: bytes) -> bytes:
        """Encrypt a payload for one row."""
        return _seal(self.cipher, payload, row_id.bytes)

    def open(self, row_id: UUID, sealed: bytes) -> bytes:
        """Decrypt a row's payload; raises ErasedError when it does not open."""
        return _open(self.cipher, sealed, row_id.bytes)

    def seal_json(self, row_id: UUID, value: object) -> bytes:
        """Encrypt a JSON value for one row."""
        return self.seal(row_id, _as_json(value).encode())

    def open_json(self, row_id: UUID, sealed: bytes) -> Any:
        """Decrypt a row's JSON value."""
        return json.loads(self.open(row_id, sealed))


class Vault:
    """Makes and opens data keys; knows one or two master keys (the first one wraps)."""

    def __init__(self, master_keys: Sequence[bytes]) -> None:
        self._masters = tuple(AESGCM(key) for key in master_keys)

    def new_key(self) -> DataKey:
        """Return a fresh data key with its row id."""
        key, key_id = os.urandom(32), ids.uuid7()
        wrapped = _seal(self._masters[0], key, key_id.bytes)
        return DataKey(id=key_id, wrapped=wrapped, cipher=AESGCM(key))

    def open_key(self, key_id: UUID, wrapped: bytes) -> DataKey:
        """Open a stored data key with whichever master key wrapped it."""
        return DataKey(
            id=key_id, wrapped=wrapped, cipher=AESGCM(self._unwrap(wrapped, key_id.bytes))
        )

    def seal_secret(self, name: str, value: str) -> bytes:
        """Encrypt a configuration secret under the master key, bound to its name."""
        return _seal(self._masters[0], value.encode(), name.encode())

    def open_secret(self, name: str, sealed: bytes) -> str:
        """Decrypt a configuration secret."""
        return self._unwrap(sealed, name.encode()).decode()

    def _unwrap(self, sealed: bytes, associated: bytes) -> bytes:
        for master in self._masters:
            try:
                return _open(master, sealed, associated)
            except ErasedError:
                continue
        raise ErasedError


def _seal(cipher: AESGCM, payload: bytes, associated: bytes) -> bytes:
    nonce = os.urandom(12)
    return nonce + cipher.encrypt(nonce, payload, associated)


def _open(cipher: AESGCM, sealed: bytes, associated: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[:12], sealed[12:], associated)
    except (InvalidTag, ValueError) as error:
        raise ErasedError from error


def opened_or_none(key: DataKey | None, row_id: UUID, sealed: bytes | None) -> Any | None:
    """Return a row's JSON value, or None when it was erased or never stored."""
    if key is None or sealed is None:
        return None
    try:
        return key.open_json(row_id, sealed)
    except ErasedError:
        return None


__all__ = ["DataKey", "ErasedError", "Vault", "opened_or_none"]
