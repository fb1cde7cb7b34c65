"""Records of libraries that citizens proved to be theirs: joined, raised, or left for a person to decide."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from psycopg.errors import UniqueViolation

from identity.linking import level_in_service
from orchestrator.services.ports.library_cards import CardOutcome, ProvedRecord
from orchestrator.store import journal
from orchestrator.store.connections import Connection, Database
from orchestrator.store.identity_cases import NewCase, open_case
from orchestrator.store.person_keys import JOURNAL, key_of, pseudonym_of
from orchestrator.store.sessions import end_others_but
from orchestrator.store.vault import DataKey, Vault
from schemas import ids
from schemas.keys import HubKeys, keyed_digest
from schemas.logins import Level

PROVED: Final = Level.ACCOUNT_PROVED
_CITIZEN: Final = """
SELECT id FROM citizen WHERE id = %s AND state = 'active' AND merged_into IS NULL FOR UPDATE"""
_LOCK: Final = "SELECT pg_advisory_xact_lock(%s)"
_HOLDERS: Final = """
SELECT DISTINCT a.citizen_id FROM account a LEFT JOIN preregistration p ON p.id = a.preregistration_id
 WHERE a.service_id = %(service)s AND a.closed_at IS NULL AND a.citizen_id <> %(citizen)s
   AND (a.reference_hash = %(hash)s OR p.external_ref = %(record)s) ORDER BY a.citizen_id"""
_LEVEL_WANTED: Final = "SELECT min_level FROM service WHERE id = %s"
_OWN: Final = """
SELECT a.id, a.reference_hash, p.external_ref
  FROM account a LEFT JOIN preregistration p ON p.id = a.preregistration_id
 WHERE a.service_id = %(service)s AND a.citizen_id = %(citizen)s AND a.closed_at IS NULL"""
_ADD: Final = """
INSERT INTO account(id, citizen_id, service_id, reference_hash, reference, data_key_id, level, method)
VALUES (%(id)s, %(citizen)s, %(service)s, %(hash)s, %(sealed)s, %(key)s, %(level)s, 'card')"""
_RAISE: Final = """
UPDATE account SET reference_hash = %(hash)s, reference = %(sealed)s, data_key_id = %(key)s,
       method = CASE WHEN level < %(level)s THEN 'card' ELSE method END,
       level = greatest(level, %(level)s)
 WHERE id = %(id)s"""


def record_hash(keys: HubKeys, service_id: str, reference: str) -> bytes:
    """Return what the record of a library is found by."""
    return keyed_digest(keys.login, b"card", service_id.encode(), reference.encode())


def lock_record(connection: Connection, record: bytes) -> None:
    """Let nobody else join the same record meanwhile, by a card or by a code."""
    connection.execute(_LOCK, (int.from_bytes(record[:8], signed=True),))


def holders_of(
    connection: Connection, service_id: str, record: bytes, reference: str, *, but: UUID
) -> list[UUID]:
    """Return the other citizens who hold a record of a library, by its card or by a code."""
    values = {"service": service_id, "hash": record, "record": reference, "citizen": but}
    return [row["citizen_id"] for row in connection.execute(_HOLDERS, values).fetchall()]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardTable:
    """Implements ``ports.library_cards.CardRows``."""

    database: Database
    vault: Vault
    keys: HubKeys

    def link(self, proved: ProvedRecord) -> CardOutcome:
        """Join a record to its citizen; one that somebody else holds is a case, and nothing moves.

        What somebody else wrote at the same moment is seen the second time.
        """
        try:
            return self._try(proved)
        except UniqueViolation:
            return self._try(proved)

    def _try(self, proved: ProvedRecord) -> CardOutcome:
        values: dict[str, Any] = {
            "citizen": proved.citizen_id,
            "service": proved.service_id,
            "record": proved.reference,
            "hash": record_hash(self.keys, proved.service_id, proved.reference),
            "level": PROVED,
        }
        with self.database.transaction() as connection:
            if self._is_too_weak(connection, proved):
                return CardOutcome.NOT_PROVED_ENOUGH
            lock_record(connection, values["hash"])
            if connection.execute(_CITIZEN, (proved.citizen_id,)).fetchone() is None:
                return CardOutcome.WRONG
            if self._is_somebody_elses(connection, values):
                return CardOutcome.UNDER_REVIEW
            return self._link(connection, proved, values)

    def _link(
        self, connection: Connection, proved: ProvedRecord, values: dict[str, Any]
    ) -> CardOutcome:
        own = connection.execute(_OWN, values).fetchone()
        is_the_same = own is not None and (
            own["external_ref"] == proved.reference
            or (
                own["reference_hash"] is not None and bytes(own["reference_hash"]) == values["hash"]
            )
        )
        if own is not None and not is_the_same:
            return CardOutcome.ALREADY_THERE
        key = key_of(connection, self.vault, proved.citizen_id)
        account_id = own["id"] if own is not None else ids.uuid7()
        sealed = key.seal_json(account_id, proved.reference)
        given = {**values, "id": account_id, "key": key.id, "sealed": sealed}
        connection.execute(_ADD if own is None else _RAISE, given)
        end_others_but(connection, proved.citizen_id, proved.session_id, reason="account_linked")
        self._tell(connection, key, (proved.citizen_id, account_id), values["hash"])
        return CardOutcome.LINKED

    def _is_too_weak(self, connection: Connection, proved: ProvedRecord) -> bool:
        """Tell whether the library wants more than this sign-in and the card together."""
        row = connection.execute(_LEVEL_WANTED, (proved.service_id,)).fetchone()
        worth = level_in_service(proved.level, PROVED)
        return worth < (row["min_level"] if row else Level.DECLARED)

    def _is_somebody_elses(self, connection: Connection, values: dict[str, Any]) -> bool:
        """Open a case when another citizen holds the record."""
        holders = holders_of(
            connection,
            values["service"],
            values["hash"],
            values["record"],
            but=values["citizen"],
        )
        if holders:
            case = NewCase(
                kind="review", rule="card_elsewhere", citizen_id=values["citizen"], others=holders
            )
            open_case(connection, self.vault, case)
        return bool(holders)

    def _tell(
        self, connection: Connection, key: DataKey, what: tuple[UUID, UUID], record: bytes
    ) -> None:
        citizen_id, account_id = what
        entry = journal.JournalEntry(
            type="identity.account_linked",
            actor_ref="citizen",
            subject_ref=pseudonym_of(connection, citizen_id, JOURNAL),
            case_ref=str(account_id),
            record={
                "action": "account_linked",
                "rule": "card",
                "level": int(PROVED),
                "evidence": [record.hex()],
            },
        )
        journal.write(connection, key, entry)
