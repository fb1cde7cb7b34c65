"""Staff: links that open the console once, and the sessions they open. Digests only."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from orchestrator.services.ports.staff import NewSession, StaffSession
from orchestrator.store.connections import Connection, Database
from orchestrator.store.journal import JournalEntry, write
from orchestrator.store.person_keys import new_key
from orchestrator.store.vault import Vault

FACE: Final = "console"
_ADD: Final = """
INSERT INTO console_link(digest, actor, expires_at) VALUES (%s, %s, parvis_now() + %s)"""
_LIVE: Final = """
SELECT 1 AS one FROM console_link
 WHERE digest = %s AND used_at IS NULL AND expires_at > parvis_now()"""
_REDEEM: Final = """
WITH used AS (UPDATE console_link SET used_at = parvis_now()
               WHERE digest = %(link)s AND used_at IS NULL AND expires_at > parvis_now()
              RETURNING actor)
INSERT INTO web_session(digest, face, actor, csrf, expires_at)
SELECT %(session)s, %(face)s, actor, %(csrf)s, parvis_now() + %(lasts)s FROM used RETURNING actor"""
_SESSION: Final = """
SELECT actor, csrf, expires_at, seen_at < parvis_now() - interval '1 minute' AS is_stale
  FROM web_session WHERE digest = %(digest)s AND face = %(face)s AND login_id IS NULL
   AND expires_at > parvis_now() AND seen_at > parvis_now() - %(idle)s"""
_SEEN: Final = "UPDATE web_session SET seen_at = parvis_now() WHERE digest = %s"
_END: Final = "DELETE FROM web_session WHERE digest = %s AND face = %s"
_FORGET_SESSIONS: Final = """
DELETE FROM web_session WHERE face = %(face)s AND login_id IS NULL
   AND (expires_at <= parvis_now() OR seen_at <= parvis_now() - %(idle)s)"""
_FORGET_LINKS: Final = (
    "DELETE FROM console_link WHERE expires_at <= parvis_now() - interval '30 days'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffTable:
    """Implements ``ports.staff.StaffRows``."""

    database: Database
    vault: Vault

    def add_link(self, digest: bytes, *, actor: str, lasts: timedelta) -> None:
        """Keep a link, and that it was made in the journal."""
        with self.database.transaction() as connection:
            connection.execute(_ADD, (digest, actor, lasts))
            self._tell(connection, "staff.link_made", actor)

    def is_live(self, digest: bytes) -> bool:
        """Tell whether a link may still be used."""
        return self.database.one(_LIVE, (digest,)) is not None

    def redeem(self, digest: bytes, session: NewSession) -> str | None:
        """Use a live link up and open the session in one statement; returns its actor."""
        values = {
            "link": digest,
            "session": session.digest,
            "face": FACE,
            "csrf": session.csrf,
            "lasts": session.lasts,
        }
        with self.database.transaction() as connection:
            row = connection.execute(_REDEEM, values).fetchone()
            if row is None:
                return None
            self._tell(connection, "staff.signed_in", row["actor"])
            return str(row["actor"])

    def _tell(self, connection: Connection, kind: str, actor: str) -> None:
        entry = JournalEntry(type=kind, actor_ref=actor, record={"action": "link"})
        write(connection, new_key(connection, self.vault, None), entry)

    def session(self, digest: bytes, *, idle: timedelta) -> StaffSession | None:
        """Return a live session; that it was seen is written at most once a minute."""
        row = self.database.one(_SESSION, {"digest": digest, "face": FACE, "idle": idle})
        if row is None:
            return None
        if row["is_stale"]:
            self.database.run(_SEEN, (digest,))
        return StaffSession(actor=row["actor"], csrf=row["csrf"], expires_at=row["expires_at"])

    def end(self, digest: bytes) -> None:
        """Close a session."""
        self.database.run(_END, (digest, FACE))

    def forget_ended(self, *, idle: timedelta) -> int:
        """Delete ended sessions at once, and links 30 days after they expired."""
        ended = self.database.run(_FORGET_SESSIONS, {"face": FACE, "idle": idle})
        return ended + self.database.run(_FORGET_LINKS)
