"""The journal as it is written: rows in the transaction of what they tell, sealed later by one sealer.

An entry holds references and a digest of its record; the record stands apart, encrypted, with a salt, so
that erasing it leaves a digest that proves nothing about anybody. The digests: leaf = SHA-256(0x10 ‖ salt
‖ JCS(record)), see ``docs/adr/0019-a-journal-that-can-forget.md``.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.store.connections import Connection, Database
from orchestrator.store.person_keys import new_key
from orchestrator.store.vault import DataKey, Vault
from schemas import clock, ids, jcs

SALT_BYTES: Final = 16
_LEAF: Final = b"\x10"
_ENTRY: Final = """
INSERT INTO journal_entry(id, at, type, actor_ref, subject_ref, case_ref, leaf)
VALUES (%s, %s, %s, %s, %s, %s, %s)"""
_BODY: Final = "INSERT INTO journal_body(id, salt, record, data_key_id) VALUES (%s, %s, %s, %s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """Something that was decided or done.

    References are pseudonymous: ``actor_ref`` who did it (``system``, ``citizen``, ``staff:…``),
    ``subject_ref`` the person's pseudonym for the journal, ``case_ref`` what it belongs to. ``record``
    holds texts, whole numbers and lists of them, never a name, a subject or an address.
    """

    type: str
    actor_ref: str | None
    subject_ref: str | None = None
    case_ref: str | None = None
    record: Mapping[str, Any] = field(repr=False)


def leaf_of(salt: bytes, record: Mapping[str, Any]) -> bytes:
    """Return the digest that stands for a record in the chain."""
    return hashlib.sha256(_LEAF + salt + jcs.canonical(record)).digest()


def write(connection: Connection, key: DataKey, *entries: JournalEntry) -> None:
    """Write entries in the caller's transaction, their records under ``key``."""
    for entry in entries:
        entry_id, salt = ids.uuid7(), os.urandom(SALT_BYTES)
        leaf = leaf_of(salt, entry.record)
        refs = (entry.actor_ref, entry.subject_ref, entry.case_ref)
        connection.execute(_ENTRY, (entry_id, clock.utcnow(), entry.type, *refs, leaf))
        sealed = key.seal(entry_id, jcs.canonical(entry.record))
        connection.execute(_BODY, (entry_id, salt, sealed, key.id))


def append(database: Database, vault: Vault, *entries: JournalEntry) -> None:
    """Write entries about nobody in a transaction of their own."""
    with database.transaction() as connection:
        write(connection, new_key(connection, vault, None), *entries)
