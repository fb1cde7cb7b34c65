"""Conversations with a realm and what they lead to: one transaction takes an answer in, or nothing does.

In order: the conversation is used up, bound to its relay key and its browser; the message ids are noted,
so that no answer counts twice; under locks on the subjects and the civil status it is decided who this
is; logins, session and journal are written. Any refusal leaves no trace but its own.
"""

from dataclasses import dataclass
from typing import Final

from psycopg.errors import UniqueViolation

from orchestrator.services.access_codes import bucket_of
from orchestrator.services.ports.sign_in import FLOOD, Arrival, Outcome, SamlRequest
from orchestrator.store import journal
from orchestrator.store.arrivals import CitizenArrivals
from orchestrator.store.connections import Connection, Database
from orchestrator.store.library import AttemptCounters
from orchestrator.store.person_keys import new_key
from orchestrator.store.staff_arrivals import StaffArrivals
from orchestrator.store.vault import Vault
from schemas.errors import SamlRefusedError
from schemas.keys import HubKeys
from schemas.logins import Face, Level, LogoutAsked, SamlPurpose

_DEPART: Final = """
INSERT INTO saml_request(id, face, relay_key, browser_hash, idp, purpose, level_wanted, force_authn,
                         return_path, session_id, expires_at)
VALUES (%(id)s, %(face)s, %(relay_key)s, %(browser)s, %(idp)s, %(purpose)s, %(level_wanted)s,
        %(is_forced)s, %(return_path)s, %(session_id)s, parvis_now() + interval '10 minutes')"""
_ASKED: Final = """
SELECT id, face, relay_key, browser_hash AS browser, idp, purpose, level_wanted,
       force_authn AS is_forced, return_path, session_id
  FROM saml_request WHERE relay_key = %s AND consumed_at IS NULL AND expires_at > parvis_now()"""
_CONSUME: Final = """
UPDATE saml_request SET consumed_at = parvis_now()
 WHERE id = %(id)s AND relay_key = %(relay_key)s AND browser_hash = %(browser)s AND face = %(face)s
   AND consumed_at IS NULL AND expires_at > parvis_now() RETURNING id"""
_ANSWERED: Final = """
UPDATE saml_request SET consumed_at = parvis_now()
 WHERE id = %s AND face = %s AND purpose = 'logout' AND browser_hash = %s AND consumed_at IS NULL
   AND expires_at > parvis_now() RETURNING return_path"""
_FAILED: Final = """
UPDATE saml_request SET bad_answers = bad_answers + 1,
       consumed_at = CASE WHEN bad_answers + 1 >= %s THEN parvis_now() END
 WHERE id = %s AND consumed_at IS NULL"""
_SEEN: Final = """
INSERT INTO saml_seen(issuer, message_id, expires_at) VALUES (%s, %s, %s::timestamptz + interval '2 minutes')
ON CONFLICT DO NOTHING"""
MOST_REFUSALS: Final = 60
_FORGET: Final = (
    "DELETE FROM saml_request WHERE expires_at < parvis_now() - interval '1 day'",
    "DELETE FROM saml_seen WHERE expires_at < parvis_now()",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInTable:
    """Implements ``ports.sign_in.SignInRows`` for one face."""

    database: Database
    vault: Vault
    keys: HubKeys
    face: Face

    def depart(self, request: SamlRequest) -> None:
        """Keep a conversation for ten minutes."""
        names = SamlRequest.__dataclass_fields__
        self.database.run(_DEPART, {name: getattr(request, name) for name in names})

    def asked(self, relay_key: str) -> SamlRequest | None:
        """Return the conversation of a relay key while it is open."""
        row = self.database.one(_ASKED, (relay_key,))
        if row is None:
            return None
        return SamlRequest(
            **{
                **row,
                "face": Face(row["face"]),
                "browser": bytes(row["browser"]),
                "purpose": SamlPurpose(row["purpose"]),
                "level_wanted": Level(row["level_wanted"]),
            }
        )

    def arrive(self, arrival: Arrival) -> Outcome:
        """Take an answer in once; see the module for the order.

        What somebody else wrote at the same moment and may be there once only is read, and decided by,
        the second time.
        """
        try:
            return self._arrive(arrival)
        except UniqueViolation:
            return self._arrive(arrival)

    def _arrive(self, arrival: Arrival) -> Outcome:
        with self.database.transaction() as connection:
            self._use_up(connection, arrival)
            if self.face is Face.CONSOLE:
                return StaffArrivals(vault=self.vault, keys=self.keys).take(connection, arrival)
            return CitizenArrivals(vault=self.vault, keys=self.keys).take(connection, arrival)

    def refused(self, code: str, case: str, *, network: str) -> bool:
        """Write in the journal that an answer was refused; whose it was nobody knows.

        False, and nothing is written, once too many came from one network within the hour.
        """
        limit = bucket_of(self.keys, f"saml.{self.face}", network, MOST_REFUSALS, within=FLOOD)
        if AttemptCounters(database=self.database).take((limit,)):
            return False
        with self.database.transaction() as connection:
            entry = journal.JournalEntry(
                type="identity.refused",
                actor_ref=None,
                case_ref=case,
                record={"action": "refused", "code": code, "face": str(self.face)},
            )
            journal.write(connection, new_key(connection, self.vault, None), entry)
        return True

    def failed(self, request_id: str, *, at_most: int) -> None:
        """Count a bad answer to a conversation; it is over after so many."""
        self.database.run(_FAILED, (at_most, request_id))

    def answered(self, request_id: str, *, browser: bytes) -> str | None:
        """Close a conversation about logout; returns where the browser goes on."""
        row = self.database.one(_ANSWERED, (request_id, self.face, browser))
        return str(row["return_path"]) if row else None

    def seen(self, asked: LogoutAsked) -> bool:
        """Note a request of the realm; False when it came before."""
        values = (asked.issuer, asked.request_id, asked.valid_until)
        return bool(self.database.run(_SEEN, values))

    def _use_up(self, connection: Connection, arrival: Arrival) -> None:
        asked, answer = arrival.asked, arrival.answer
        values = {
            "id": asked.id,
            "relay_key": asked.relay_key,
            "browser": arrival.browser,
            "face": self.face,
        }
        if connection.execute(_CONSUME, values).fetchone() is None:
            raise SamlRefusedError("replay")
        for message_id in answer.message_ids:
            seen = (answer.issuer, message_id, answer.valid_until)
            if not connection.execute(_SEEN, seen).rowcount:
                raise SamlRefusedError("replay")


def forget_conversations(database: Database) -> int:
    """Delete conversations and message ids that can no longer matter; returns how many rows went."""
    return sum(database.run(sql) for sql in _FORGET)
