"""What the realm must be told of logins that were taken away: rows of ``realm_effect``.

A row is written with the act and holds no datum of the person: subject and accounts are read from the
sealed rows of ``login`` when the realm is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from identity.names import REALM_TOKEN
from orchestrator.services.ports.realm_effects import Link, OpenEffect, RealmEffect
from orchestrator.store.connections import Connection, Database
from orchestrator.store.vault import ErasedError, Vault
from schemas import ids

_ASK: Final = "INSERT INTO realm_effect(id, login_id) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_CLAIM: Final = """
UPDATE realm_effect SET next_at = parvis_now() + interval '2 minutes' WHERE id =
 (SELECT id FROM realm_effect WHERE status IN ('waiting', 'paused') AND next_at <= parvis_now()
   ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, login_id, failures"""
_LOGIN: Final = """
SELECT l.id, l.alias, l.subject, k.id AS key_id, k.wrapped FROM login l JOIN data_key k ON k.id = l.data_key_id
 WHERE l.id = %(login)s AND l.issuer = %(issuer)s
   AND NOT EXISTS (SELECT FROM login b WHERE b.issuer = l.issuer AND b.alias = l.alias
     AND b.subject_hash = l.subject_hash AND b.valid_to IS NULL)"""
_ACCOUNTS: Final = """
SELECT t.id, t.subject, k.id AS key_id, k.wrapped
  FROM login l JOIN login t ON t.issuer = l.issuer AND t.alias = %(token)s
       AND (t.realm_account = l.realm_account OR t.citizen_id = l.citizen_id)
  JOIN data_key k ON k.id = t.data_key_id
 WHERE l.id = %(login)s ORDER BY t.realm_account <> l.realm_account, t.id"""
_DONE: Final = """
UPDATE realm_effect SET status = 'done', fault = NULL, ended_at = parvis_now() WHERE id = %(id)s"""
_AGAIN: Final = """
UPDATE realm_effect SET status = 'waiting', failures = failures + 1, fault = %(fault)s,
       next_at = parvis_now() + %(after)s WHERE id = %(id)s"""
_PAUSE: Final = """
UPDATE realm_effect SET status = 'paused', fault = %(fault)s, next_at = parvis_now() + %(after)s
 WHERE id = %(id)s"""
_GIVE_UP: Final = """
UPDATE realm_effect SET status = 'stuck', failures = failures + 1, fault = %(fault)s WHERE id = %(id)s"""
_OPEN: Final = """
SELECT id, status, failures, asked_at, next_at, fault FROM realm_effect
 WHERE status <> 'done' ORDER BY asked_at, id"""
_RESUME: Final = """
UPDATE realm_effect SET status = 'waiting', failures = 0, next_at = parvis_now() WHERE status <> 'done'"""
_FORGET: Final = """
DELETE FROM realm_effect WHERE ended_at < parvis_now() - interval '30 days'"""


def ask(connection: Connection, login_id: UUID) -> None:
    """Have the realm told of a login that is taken away in this transaction."""
    connection.execute(_ASK, (ids.uuid7(), login_id))


def forget_effects(database: Database) -> int:
    """Delete what the realm was told a month ago; returns how many rows went."""
    return database.run(_FORGET)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealmEffectTable:
    """Implements ``ports.realm_effects.RealmEffectRows``."""

    database: Database
    vault: Vault

    def claim(self, issuer: str) -> RealmEffect | None:
        """Take the next effect that is due, for two minutes."""
        row = self.database.one(_CLAIM)
        if row is None:
            return None
        link = self._link(row["login_id"], issuer)
        return RealmEffect(id=row["id"], failures=row["failures"], link=link)

    def _link(self, login_id: UUID, issuer: str) -> Link | None:
        values = {"login": login_id, "issuer": issuer, "token": REALM_TOKEN}
        login = self.database.one(_LOGIN, values)
        if login is None:
            return None
        accounts = (self._opened(row) for row in self.database.all(_ACCOUNTS, values))
        subject, known = self._opened(login), tuple(filter(None, accounts))
        if subject is None or not known:
            return None
        return Link(alias=login["alias"], subject=subject, accounts=tuple(dict.fromkeys(known)))

    def _opened(self, row: dict[str, Any]) -> str | None:
        """Return the subject of a login, or None once its person was erased."""
        try:
            key = self.vault.open_key(row["key_id"], bytes(row["wrapped"]))
            return key.open(row["id"], bytes(row["subject"])).decode()
        except ErasedError:
            return None

    def done(self, effect_id: UUID) -> None:
        """Note that the realm was told."""
        self.database.run(_DONE, {"id": effect_id})

    def again(self, effect_id: UUID, *, after: timedelta, fault: str) -> None:
        """Note a failure that passes by itself."""
        self.database.run(_AGAIN, {"id": effect_id, "after": after, "fault": fault})

    def pause(self, effect_id: UUID, *, after: timedelta, fault: str) -> None:
        """Note a refusal that a person must mend."""
        self.database.run(_PAUSE, {"id": effect_id, "after": after, "fault": fault})

    def give_up(self, effect_id: UUID, *, fault: str) -> None:
        """Leave it to a person."""
        self.database.run(_GIVE_UP, {"id": effect_id, "fault": fault})

    def open(self) -> Sequence[OpenEffect]:
        """Return what was not carried out yet, oldest first."""
        return [OpenEffect(**row) for row in self.database.all(_OPEN)]

    def resume(self) -> int:
        """Make everything that is open due now, with all its tries."""
        return self.database.run(_RESUME)
