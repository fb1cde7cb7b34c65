"""An access code used by somebody who is signed in: the pre-registration becomes theirs, or nothing moves.

The announced person of the event was a statement about somebody; whoever holds the code and is signed in
takes over what was kept under it, and the announced row goes. A run that a worker may have in hand is not
touched: the person tries again in a minute and the code is still good.

Rows are locked in the order workers lock them: runs, then the code and its pre-registration, then people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from psycopg.errors import UniqueViolation

from identity.linking import level_in_service
from orchestrator.services.access_codes import Redemption
from orchestrator.store import journal
from orchestrator.store.connections import Connection, Database
from orchestrator.store.identity_cases import NewCase, open_case
from orchestrator.store.library_cards import holders_of, lock_record, record_hash
from orchestrator.store.person_keys import JOURNAL, key_of, pseudonym_of
from orchestrator.store.runs import signal_on
from orchestrator.store.sessions import end_others_but
from orchestrator.store.vault import Vault
from schemas import ids
from schemas.keys import HubKeys
from schemas.logins import Level

REDEEMED: Final = "access_code.redeemed"
_CODE: Final = """
SELECT a.id, a.digest, a.run_id, p.id AS preregistration_id, p.run_id AS last_run, p.citizen_id, p.service_id,
       p.external_ref, coalesce(s.min_level, 0) AS min_level
  FROM access_code a JOIN preregistration p ON p.id = a.preregistration_id
  LEFT JOIN service s ON s.id = p.service_id
 WHERE a.digest = %s AND a.redeemed_at IS NULL AND a.expires_at > parvis_now()"""
_LOCKED_BY: Final = ("run_id", "last_run", "citizen_id")
_LOCKED: Final = f"{_CODE} FOR UPDATE OF a, p"
# journeys about somebody a sender speaks of have "source subject" as their key
RUNS_ABOUT: Final = """
SELECT id, status, ended_at FROM run WHERE id IN (
  SELECT id FROM run WHERE citizen_id = %(from)s
  UNION ALL SELECT run_id FROM preregistration WHERE citizen_id = %(from)s
  UNION ALL SELECT %(run)s::uuid
  UNION ALL SELECT r.id FROM preregistration p JOIN run r ON r.key = p.source || ' ' || p.subject
             WHERE p.citizen_id = %(from)s AND r.ended_at IS NULL)
 ORDER BY id FOR UPDATE"""
"""Every run that has somebody in it or may be about to, locked."""
_RUN: Final = "SELECT id, status, ended_at FROM run WHERE id = %s FOR UPDATE"
WAITING: Final = frozenset({"waiting_signal", "waiting_human", "waiting_timer"})
_PEOPLE: Final = """
SELECT id, state FROM citizen WHERE id = ANY(%s) AND merged_into IS NULL ORDER BY id FOR UPDATE"""
_OWN: Final = """
SELECT a.id, a.preregistration_id, a.reference_hash, a.level, p.external_ref
  FROM account a LEFT JOIN preregistration p ON p.id = a.preregistration_id
 WHERE a.citizen_id = %s AND a.service_id = %s AND a.closed_at IS NULL"""
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
    # a case about the two of them is settled: they are one
    (
        "UPDATE identity_case SET others = array_replace(others, %(from)s::uuid, %(to)s::uuid),"
        " (closed_at, closed_by, decision) = (SELECT parvis_now(), 'system', 'settled')"
        " WHERE %(from)s = ANY(others) AND others <@ ARRAY[%(from)s::uuid, %(to)s::uuid]"
        " AND citizen_id = %(to)s AND closed_at IS NULL"
    ),
    (
        "UPDATE identity_case SET others = array_replace(others, %(from)s::uuid, %(to)s::uuid)"
        " WHERE %(from)s = ANY(others)"
    ),
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
VALUES (%s, %s, %s, %s, %s, 'access_code')"""
_COMPLETE: Final = """
UPDATE account SET preregistration_id = %s WHERE id = %s AND preregistration_id IS NULL"""


def all_rest(runs: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether no worker can have one of these runs in hand."""
    return all(run["ended_at"] is not None or run["status"] in WAITING for run in runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedInRedemption:
    """Uses codes up for citizens who are signed in."""

    database: Database
    vault: Vault
    keys: HubKeys

    def redeem(
        self,
        digest: bytes,
        citizen_id: UUID,
        *,
        level: Level = Level.CONTACT_PROVED,
        session_id: UUID | None = None,
    ) -> Redemption:
        """Use a live code up for a citizen and move what stands behind it, all or nothing.

        ``level`` is what their sign-in is worth; a service may want more before it lets anybody join.
        Their other sessions than the one that asks end: who was in before sees nothing of what came.
        What somebody else wrote at the same moment and may be there once only is seen the second time.
        """
        try:
            return self._try(digest, citizen_id, level, session_id)
        except UniqueViolation:
            return self._try(digest, citizen_id, level, session_id)

    def _try(
        self, digest: bytes, citizen_id: UUID, level: Level, session_id: UUID | None
    ) -> Redemption:
        with self.database.transaction() as connection:
            seen = connection.execute(_CODE, (digest,)).fetchone()
            if seen is None:
                return Redemption.REFUSED
            runs = self._locked_runs(connection, seen, citizen_id)
            found = connection.execute(_LOCKED, (digest,)).fetchone()
            if found is None:
                return Redemption.REFUSED
            if any(found[name] != seen[name] for name in _LOCKED_BY) or not all_rest(runs):
                return Redemption.NOT_YET
            outcome = self._redeem(connection, found, (citizen_id, level))
            if outcome is Redemption.REDEEMED:
                end_others_but(connection, citizen_id, session_id, reason="account_linked")
            return outcome

    def _locked_runs(
        self, connection: Connection, seen: Mapping[str, Any], citizen_id: UUID
    ) -> Sequence[Mapping[str, Any]]:
        """Return the runs that must rest: the code's own, and those of whoever is to be moved."""
        if seen["citizen_id"] == citizen_id:
            return connection.execute(_RUN, (seen["run_id"],)).fetchall()
        values = {"from": seen["citizen_id"], "run": seen["run_id"]}
        return connection.execute(RUNS_ABOUT, values).fetchall()

    def _redeem(
        self, connection: Connection, found: dict[str, Any], who: tuple[UUID, Level]
    ) -> Redemption:
        citizen_id, level = who
        record = self._record(connection, found)
        announced = found["citizen_id"]
        people = connection.execute(_PEOPLE, ([citizen_id, announced],)).fetchall()
        states = {row["id"]: row["state"] for row in people}
        is_own = announced == citizen_id
        if states.get(citizen_id) != "active" or not (
            is_own or states.get(announced) == "announced"
        ):
            return Redemption.REFUSED
        own = connection.execute(_OWN, (citizen_id, found["service_id"])).fetchone()
        place = Level(own["level"]) if own else Level.DECLARED
        if level_in_service(level, place) < max(found["min_level"], Level.CONTACT_PROVED):
            return Redemption.NOT_PROVED_ENOUGH
        against = self._against(connection, found, (citizen_id, own, record))
        if against is not None:
            return against
        if not is_own:
            self._move(connection, announced, citizen_id)
        connection.execute(_USE_UP, (found["id"],))
        signal_on(connection, found["run_id"], REDEEMED, dedup=str(found["id"]))
        self._link(connection, found, (citizen_id, own))
        return Redemption.REDEEMED

    def _record(self, connection: Connection, found: Mapping[str, Any]) -> bytes | None:
        """Return what the record of the library is found by, locked against cards; None without one."""
        if found["service_id"] is None or found["external_ref"] is None:
            return None
        record = record_hash(self.keys, found["service_id"], found["external_ref"])
        lock_record(connection, record)
        return record

    def _against(
        self,
        connection: Connection,
        found: Mapping[str, Any],
        held: tuple[UUID, Mapping[str, Any] | None, bytes | None],
    ) -> Redemption | None:
        """Return why an agent must look first, with the case opened; None when nothing stands against it."""
        citizen_id, own, record = held
        if record is not None and (
            holders := holders_of(
                connection, found["service_id"], record, found["external_ref"], but=citizen_id
            )
        ):
            self._case(connection, "card_elsewhere", citizen_id, holders)
            return Redemption.UNDER_REVIEW
        announced = found["citizen_id"]
        has_another = own is not None and not _is_the_same(own, found, record)
        if announced != citizen_id:
            shared = connection.execute(_SHARED, (citizen_id, announced)).fetchone()
            has_another = has_another or shared is not None
        if has_another:
            self._case(connection, "account_exists", citizen_id, [announced])
            return Redemption.ALREADY_THERE
        return None

    def _case(
        self, connection: Connection, rule: str, citizen_id: UUID, others: Sequence[UUID]
    ) -> None:
        case = NewCase(kind="review", rule=rule, citizen_id=citizen_id, others=others)
        open_case(connection, self.vault, case)

    def _move(self, connection: Connection, announced: UUID, citizen_id: UUID) -> None:
        values = {
            "from": announced,
            "to": citizen_id,
            "to_ref": pseudonym_of(connection, citizen_id, JOURNAL),
        }
        for sql in _MOVES:
            connection.execute(sql, values)

    def _link(
        self,
        connection: Connection,
        found: Mapping[str, Any],
        whose: tuple[UUID, Mapping[str, Any] | None],
    ) -> None:
        citizen_id, own = whose
        if own is not None:
            connection.execute(_COMPLETE, (found["preregistration_id"], own["id"]))
        elif found["service_id"] is not None:
            account = (ids.uuid7(), citizen_id, found["service_id"], found["preregistration_id"])
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
                    "evidence": [bytes(found["digest"]).hex()],
                },
            )
            for kind, action in (
                (REDEEMED, "redeemed"),
                ("identity.account_linked", "account_linked"),
            )
        ]
        journal.write(connection, key, *entries)


def _is_the_same(own: Mapping[str, Any], found: Mapping[str, Any], record: bytes | None) -> bool:
    """Tell whether an account is of the pre-registration, or of the record it stands for."""
    if own["preregistration_id"] == found["preregistration_id"]:
        return True
    if record is None:
        return False
    is_its_card = own["reference_hash"] is not None and bytes(own["reference_hash"]) == record
    return is_its_card or own["external_ref"] == found["external_ref"]
