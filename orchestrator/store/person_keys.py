"""What stands for a person in other tables: their data key, and what one service sees of them."""

from typing import Final
from uuid import UUID

from orchestrator.store.connections import Connection
from orchestrator.store.vault import DataKey, Vault
from schemas import ids

JOURNAL: Final = "journal"
_KEY: Final = """
SELECT id, wrapped FROM data_key WHERE citizen_id = %s ORDER BY created_at DESC, id DESC LIMIT 1"""
_ADD_KEY: Final = "INSERT INTO data_key(id, citizen_id, wrapped) VALUES (%s, %s, %s)"
_ADD_PSEUDONYM: Final = """
INSERT INTO pseudonym(citizen_id, service, pseudonym) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"""
_PSEUDONYM: Final = "SELECT pseudonym FROM pseudonym WHERE citizen_id = %s AND service = %s"


def key_of(connection: Connection, vault: Vault, citizen_id: UUID) -> DataKey:
    """Return the newest data key of a person, made when there is none."""
    row = connection.execute(_KEY, (citizen_id,)).fetchone()
    if row is not None:
        return vault.open_key(row["id"], bytes(row["wrapped"]))
    return new_key(connection, vault, citizen_id)


def new_key(connection: Connection, vault: Vault, citizen_id: UUID | None) -> DataKey:
    """Make a data key; without a person it belongs to whatever row names it."""
    key = vault.new_key()
    connection.execute(_ADD_KEY, (key.id, citizen_id, key.wrapped))
    return key


def pseudonym_of(connection: Connection, citizen_id: UUID, service: str = JOURNAL) -> str:
    """Return what a service sees of a person: drawn once, never derived."""
    connection.execute(_ADD_PSEUDONYM, (citizen_id, service, ids.new_pseudonym()))
    row = connection.execute(_PSEUDONYM, (citizen_id, service)).fetchone()
    assert row is not None  # noqa: S101 - written by the statement before
    return str(row["pseudonym"])
