"""An access code used by somebody who is signed in: the pre-registration becomes theirs, or nothing moves.

The announced person of the event was a statement about somebody; whoever holds the code and is signed in
takes over what was kept under it, and the announced row goes. A run that a worker may have in hand is not
touched: the person tries again in a minute and the code is still good.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from orchestrator.services.access_codes import Redemption
from orchestrator.store import journal
from orchestrator.store.connections import Connection, Database
from orchestrator.store.identity_cases import NewCase, open_case
from orchestrator.store.person_keys import JOURNAL, key_of, pseudonym_of
from orchestrator.store.runs import signal_on
from orchestrator.store.vault import Vault
from schemas import ids
from schemas.logins import Level

REDEEMED: Final = "access_code.redeemed"
_FOUND: Final = """
SELECT a.id, a.run_id, p.id AS preregistration_id, p.citizen_id, p.service_id, c.state, r.status,
       r.ended_at
  FROM access_code a
  JOIN preregistration p ON p.id = a.preregistration_id
  JOIN run r ON r.id = a.run_id
  LEFT JOIN citizen c ON c.id = p.citizen_id
 WHERE a.digest = %s AND a.redeemed_at IS NULL AND a.expires_at > parvis_now()
   FOR UPDATE OF a, p, r"""
WAITING: Final = frozenset({"waiting_signal", "waiting_human", "waiting_timer"})
_CITIZEN: Final = """
SELECT id FROM citizen WHERE id = %s AND state = 'active' AND merged_into IS NULL FOR UPDATE"""
_USE_UP: Final = "UPDATE access_code SET redeemed_at = parvis_now() WHERE id = %s"
_SHARED: Final = """
SELECT 1 AS one FROM pseudonym a JOIN pseudonym b ON b.service = a.service AND b.citizen_id = %s
 WHERE a.citizen_id = %s AND a.service <> 'journal' LIMIT 1"""
_MOVES: Final = (
    "UPDATE preregistration SET citizen_id = %(to)s, updated_at = parvis_now() WHERE citizen_id = %(from)s",
    "UPDATE data_key SET citizen_id = %(to)s WHERE citizen_id = %(from)s",
    "UPDATE run SET citizen_id = %(to)s WHERE citizen_id = %(from)s",
    "UPDATE notification SET citizen_id = %(to)s WHERE citizen_id = %(from)s",
    "UPDATE pseudonym SET citizen_id = %(to)s WHERE citizen_id = %(from)s AND service <> 'journal'",
    (
        "INSERT INTO interest(citizen_id, theme, created_at) SELECT %(to)s, theme, created_at FROM interest"
        " WHERE citizen_id = %(from)s ON CONFLICT DO NOTHING"
    ),
    "DELETE FROM interest WHERE citizen_id = %(from)s",
    (
        "UPDATE consent_record SET subject_ref = %(to_ref)s WHERE subject_ref IN"
        " (SELECT pseudonym FROM pseudonym WHERE citizen_id = %(from)s AND service = 'journal')"
    ),
    (
        "UPDATE citizen t SET age_band = coalesce(t.age_band, f.age_band) FROM citizen f"
        " WHERE t.id = %(to)s AND f.id = %(from)s"
    ),
    "DELETE FROM pseudonym WHERE citizen_id = %(from)s",
    "DELETE FROM citizen WHERE id = %(from)s AND state = 'announced'",
)
_ACCOUNT: Final = """
INSERT INTO account(id, citizen_id, service_id, preregistration_id, level, method)
VALUES (%s, %s, %s, %s, %s, 'access_code') ON CONFLICT DO NOTHING"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedInRedemption:
    """Uses codes up for citizens who are signed in."""

    database: Database
    vault: Vault

    def redeem(self, digest: bytes, citizen_id: UUID) -> Redemption:
        """Use a live code up for a citizen and move what stands behind it, all or nothing."""
        with self.database.transaction() as connection:
            found = connection.execute(_FOUND, (digest,)).fetchone()
            if found is None or connection.execute(_CITIZEN, (citizen_id,)).fetchone() is None:
                return Redemption.REFUSED
            if found["ended_at"] is None and found["status"] not in WAITING:
                return Redemption.NOT_YET
            return self._redeem(connection, found, citizen_id)

    def _redeem(
        self, connection: Connection, found: dict[str, Any], citizen_id: UUID
    ) -> Redemption:
        if found["citizen_id"] != citizen_id:
            if found["state"] != "announced":
                return Redemption.REFUSED
            if connection.execute(_SHARED, (citizen_id, found["citizen_id"])).fetchone():
                others = (found["citizen_id"],)
                case = NewCase(
                    kind="review", rule="account_exists", citizen_id=citizen_id, others=others
                )
                open_case(connection, self.vault, case)
                return Redemption.ALREADY_THERE
            self._move(connection, found["citizen_id"], citizen_id)
        connection.execute(_USE_UP, (found["id"],))
        signal_on(connection, found["run_id"], REDEEMED, dedup=str(found["id"]))
        self._link(connection, found, citizen_id)
        return Redemption.REDEEMED

    def _move(self, connection: Connection, announced: UUID, citizen_id: UUID) -> None:
        values = {
            "from": announced,
            "to": citizen_id,
            "to_ref": pseudonym_of(connection, citizen_id, JOURNAL),
        }
        for sql in _MOVES:
            connection.execute(sql, values)

    def _link(self, connection: Connection, found: dict[str, Any], citizen_id: UUID) -> None:
        account = (ids.uuid7(), citizen_id, found["service_id"], found["preregistration_id"])
        if found["service_id"] is not None:
            connection.execute(_ACCOUNT, (*account, Level.CONTACT_PROVED))
        subject = pseudonym_of(connection, citizen_id, JOURNAL)
        key = key_of(connection, self.vault, citizen_id)
        case = str(found["preregistration_id"])
        entries = [
            journal.JournalEntry(
                type=kind,
                actor_ref="citizen",
                subject_ref=subject,
                case_ref=case,
                record={
                    "action": action,
                    "rule": "access_code",
                    "level": int(Level.CONTACT_PROVED),
                },
            )
            for kind, action in (
                (REDEEMED, "redeemed"),
                ("identity.account_linked", "account_linked"),
            )
        ]
        journal.write(connection, key, *entries)
