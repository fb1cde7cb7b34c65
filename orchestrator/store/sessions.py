"""Sessions of signed-in people on one face: found by the cookie's digest, ended, forgotten later."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from psycopg.rows import DictRow

from orchestrator.services.ports.sign_in import AtRealm, Session
from orchestrator.store.connections import Connection, Database
from orchestrator.store.vault import ErasedError, Vault
from schemas import ids
from schemas.keys import HubKeys, keyed_digest
from schemas.logins import Face, Level

IDLE: Final = {Face.CITIZEN: timedelta(hours=1), Face.CONSOLE: timedelta(minutes=30)}
_LIVE: Final = """
ended_at IS NULL AND login_id IS NOT NULL AND expires_at > parvis_now()
   AND seen_at > parvis_now() - %(idle)s"""
_COLUMNS: Final = """
id, face, login_id, citizen_id, actor, level, csrf, idp_alias, proved_at, expires_at"""
_FIND: Final = f"""
SELECT {_COLUMNS}, seen_at < parvis_now() - interval '1 minute' AS is_stale
  FROM web_session WHERE digest = %(digest)s AND face = %(face)s AND {_LIVE}"""
LIVE_BY_ID: Final = f"""
SELECT {_COLUMNS} FROM web_session WHERE id = %(id)s AND face = %(face)s AND {_LIVE} FOR UPDATE"""
_CITIZEN_OF: Final = "SELECT citizen_id FROM web_session WHERE id = %s"
_SEEN: Final = "UPDATE web_session SET seen_at = parvis_now() WHERE id = %s"
_AT_REALM: Final = """
SELECT s.id, s.name_id, s.session_index, k.id AS key_id, k.wrapped FROM web_session s
  JOIN login l ON l.id = s.login_id JOIN data_key k ON k.id = l.data_key_id
 WHERE s.id = %s AND s.name_id IS NOT NULL"""
_END: Final = """
UPDATE web_session SET ended_at = parvis_now(), end_reason = %s
 WHERE ended_at IS NULL AND id = %s"""
_END_NAMED: Final = """
UPDATE web_session SET ended_at = parvis_now(), end_reason = 'realm'
 WHERE ended_at IS NULL AND face = %(face)s AND name_id_hash = %(name)s
   AND (%(index)s::text IS NULL OR session_index = %(index)s)"""
_END_OTHERS: Final = """
UPDATE web_session SET ended_at = parvis_now(), end_reason = %(reason)s
 WHERE ended_at IS NULL AND citizen_id = %(citizen)s AND id <> ALL(%(kept)s)"""
_OPEN: Final = """
INSERT INTO web_session(id, digest, face, actor, csrf, expires_at, login_id, citizen_id, name_id_hash,
                        name_id, session_index, idp_alias, level, proved_at)
VALUES (%(id)s, %(digest)s, %(face)s, %(actor)s, %(csrf)s,
        least(parvis_now() + %(lasts)s, coalesce(%(ends_at)s::timestamptz, 'infinity')), %(login)s, %(citizen)s,
        %(name_hash)s, %(name)s, %(index)s, %(alias)s, %(level)s,
        CASE WHEN %(is_proof)s THEN parvis_now() END)"""
_FORGET: Final = """
DELETE FROM web_session WHERE login_id IS NOT NULL
   AND least(coalesce(ended_at, 'infinity'), expires_at) < parvis_now() - interval '30 days'"""


def name_hash(keys: HubKeys, name_id: str) -> bytes:
    """Return what the sessions of a name at the realm are found by."""
    return keyed_digest(keys.login, b"name id", name_id.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTable:
    """Implements ``ports.sign_in.SessionRows`` for one face."""

    database: Database
    vault: Vault
    keys: HubKeys
    face: Face

    def find(self, digest: bytes) -> Session | None:
        """Return the live session of a cookie; that it was seen is written at most once a minute."""
        row = self.database.one(
            _FIND, {"digest": digest, "face": self.face, "idle": IDLE[self.face]}
        )
        if row is None:
            return None
        if row.pop("is_stale"):
            self.database.run(_SEEN, (row["id"],))
        return session_of(row)

    def at_realm(self, session_id: UUID) -> AtRealm | None:
        """Return what the realm knows a session by, None when its person was erased."""
        row = self.database.one(_AT_REALM, (session_id,))
        if row is None:
            return None
        try:
            key = self.vault.open_key(row["key_id"], bytes(row["wrapped"]))
            name_id = key.open(row["id"], bytes(row["name_id"])).decode()
        except ErasedError:
            return None
        return AtRealm(name_id=name_id, session_index=row["session_index"])

    def end(self, session_id: UUID, *, reason: str) -> None:
        """End one session."""
        self.database.run(_END, (reason, session_id))

    def end_named(self, name_id: str, session_index: str | None) -> int:
        """End the sessions the realm named: one, or all of the name's."""
        values = {
            "face": self.face,
            "name": name_hash(self.keys, name_id),
            "index": session_index,
        }
        return self.database.run(_END_NAMED, values)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSessionRow:
    """What a session is opened with, besides its cookie."""

    login_id: UUID
    citizen_id: UUID | None
    actor: str | None
    level: Level
    idp_alias: str | None
    is_proof: bool


def open_session(connection: Connection, values: dict[str, object]) -> None:
    """Write a session's row."""
    connection.execute(_OPEN, values)


def end_session(connection: Connection, session_id: UUID, *, reason: str) -> None:
    """End one session in a transaction."""
    connection.execute(_END, (reason, session_id))


def end_others(
    connection: Connection, citizen_id: UUID, *, kept: tuple[UUID, ...], reason: str
) -> int:
    """End a citizen's sessions but those that are kept; returns how many."""
    values = {"citizen": citizen_id, "kept": list(kept), "reason": reason}
    return connection.execute(_END_OTHERS, values).rowcount


def end_others_but(
    connection: Connection, citizen_id: UUID, session_id: UUID | None, *, reason: str
) -> int:
    """End a citizen's sessions but the one that acts; none acts when an application asked."""
    kept = (session_id,) if session_id is not None else ()
    return end_others(connection, citizen_id, kept=kept, reason=reason)


def citizen_of(connection: Connection, session_id: UUID | None) -> UUID | None:
    """Return whose a session is, live or not, without locking it; None when it is nobody's."""
    row = connection.execute(_CITIZEN_OF, (session_id,)).fetchone()
    return row["citizen_id"] if row else None


def live_session(connection: Connection, session_id: UUID | None, face: Face) -> Session | None:
    """Return a live session, locked, or None."""
    if session_id is None:
        return None
    values = {"id": session_id, "face": face, "idle": IDLE[face]}
    row = connection.execute(LIVE_BY_ID, values).fetchone()
    return session_of(row) if row else None


def session_of(row: DictRow) -> Session:
    """Return a session as its row tells it."""
    return Session(
        **{
            **row,
            "face": Face(row["face"]),
            "level": Level(row["level"]),
        }
    )


def forget_sessions(database: Database) -> int:
    """Delete what ended more than 30 days ago; returns how many rows went."""
    return database.run(_FORGET)


def new_session_id() -> UUID:
    """Return the id of a new session, which its sealed name is bound to."""
    return ids.uuid7()
