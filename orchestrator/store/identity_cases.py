"""Cases that rules leave to a person: opened once, listed masked, closed with their effect.

What was decided is remembered for twelve months: two people who were looked at and are two are not
brought together again by the same fields.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from identity.linking import Rule
from orchestrator.services.ports.merges import CaseLine, Proof, Verdict
from orchestrator.store import journal
from orchestrator.store.connections import Connection, Database
from orchestrator.store.person_keys import JOURNAL, key_of, new_key, pseudonym_of
from orchestrator.store.sessions import end_others
from orchestrator.store.vault import Vault
from schemas import ids
from schemas.errors import ConflictError
from schemas.logins import Level

_REPLACEABLE: Final = frozenset({Rule.OTHER_SUBJECT, Rule.OTHER_CIVIL_STATUS})
_SAME: Final = """
SELECT id FROM identity_case
 WHERE closed_at IS NULL AND kind = %(kind)s AND rule = %(rule)s AND others = %(others)s
   AND citizen_id IS NOT DISTINCT FROM %(citizen)s AND alias IS NOT DISTINCT FROM %(alias)s
   AND subject_hash IS NOT DISTINCT FROM %(subject)s"""
_ADD: Final = """
INSERT INTO identity_case(id, kind, rule, citizen_id, others, login_id, alias, subject_hash)
VALUES (%(id)s, %(kind)s, %(rule)s, %(citizen)s, %(others)s, %(login)s, %(alias)s, %(subject)s)"""
_DECIDED: Final = """
SELECT DISTINCT other FROM identity_case CROSS JOIN unnest(others) AS other
 WHERE subject_hash = ANY(%s) AND decision = %s"""
_OPEN: Final = """
SELECT id, kind, rule, alias, opened_at,
       (SELECT count(DISTINCT one)::int FROM unnest(others || citizen_id) AS one WHERE one IS NOT NULL) AS people
  FROM identity_case WHERE closed_at IS NULL ORDER BY opened_at, id"""
_PAIR: Final = """
SELECT z.id FROM identity_case c JOIN citizen z ON z.id = ANY(c.others || c.citizen_id)
 WHERE c.id = %s AND c.closed_at IS NULL ORDER BY z.created_at, z.id"""
_LOCK_PEOPLE: Final = """
SELECT z.id FROM citizen z WHERE z.id IN
 (SELECT unnest(c.others || c.citizen_id) FROM identity_case c WHERE c.id = %s) ORDER BY z.id FOR UPDATE"""
_CLOSE: Final = """
UPDATE identity_case SET closed_at = parvis_now(), closed_by = %s, decision = %s
 WHERE id = %s AND closed_at IS NULL RETURNING id, rule, citizen_id, others, alias"""
_REPLACE: Final = """
UPDATE login SET valid_to = parvis_now(), closed_reason = 'replaced'
 WHERE citizen_id = %(citizen)s AND valid_to IS NULL AND alias LIKE 'france%%connect%%'
   AND (%(alias)s::text IS NULL OR alias = %(alias)s) RETURNING id"""
_RAISE: Final = """
UPDATE account a
   SET level = greatest(a.level, %(level)s), method = CASE WHEN a.level < %(level)s THEN 'desk' ELSE a.method END
  FROM preregistration p
 WHERE p.our_ref = %(our_ref)s AND a.preregistration_id = p.id AND a.citizen_id = p.citizen_id
   AND a.closed_at IS NULL RETURNING a.id, a.citizen_id"""
_FORGET: Final = (
    "DELETE FROM identity_case WHERE closed_at < parvis_now() - interval '12 months'",
    "DELETE FROM login WHERE valid_to < parvis_now() - interval '12 months'",
)


class NothingReplacedError(ConflictError):
    """The case is not about a subject of FranceConnect that took the place of another."""

    title = "Ce dossier ne dit pas qu'une identité FranceConnect en remplace une autre."


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCase:
    """What a case is about; ``others`` are those whom the citizen, or nobody yet, is compared with."""

    kind: str
    rule: str
    citizen_id: UUID | None
    others: Sequence[UUID]
    login_id: UUID | None = None
    alias: str | None = None
    subject_hash: bytes | None = None


def open_case(connection: Connection, vault: Vault, case: NewCase) -> UUID:
    """Open a case and write it in the journal; one that waits already is not opened twice."""
    case_id = ids.uuid7()
    values = {
        "id": case_id,
        "kind": case.kind,
        "rule": case.rule,
        "citizen": case.citizen_id,
        "others": list(case.others),
        "login": case.login_id,
        "alias": case.alias,
        "subject": case.subject_hash,
    }
    known = connection.execute(_SAME, values).fetchone()
    if known is not None:
        return UUID(str(known["id"]))
    connection.execute(_ADD, values)
    record = {"action": "case_opened", "rule": case.rule, "alias": case.alias}
    entry = journal.JournalEntry(
        type="identity.case_opened",
        actor_ref="system",
        case_ref=str(case_id),
        record=record,
    )
    journal.write(connection, new_key(connection, vault, None), entry)
    return case_id


def told_apart(connection: Connection, subject_hashes: Iterable[bytes]) -> frozenset[UUID]:
    """Return the citizens whom an agent said the holder of a subject is not."""
    return _decided(connection, subject_hashes, Verdict.APART)


def told_the_same(connection: Connection, subject_hashes: Iterable[bytes]) -> frozenset[UUID]:
    """Return the citizens whom an agent said the holder of a subject is, whatever was vouched for before."""
    return _decided(connection, subject_hashes, Verdict.REPLACED)


def _decided(
    connection: Connection, subject_hashes: Iterable[bytes], verdict: Verdict
) -> frozenset[UUID]:
    rows = connection.execute(_DECIDED, (list(subject_hashes), verdict.value)).fetchall()
    return frozenset(row["other"] for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseTable:
    """Implements ``ports.merges.CaseRows``."""

    database: Database
    vault: Vault

    def open(self) -> Sequence[CaseLine]:
        """Return the open cases, oldest first."""
        return [CaseLine(**row) for row in self.database.all(_OPEN)]

    def pair(self, case_id: UUID) -> tuple[UUID, UUID] | None:
        """Return the two people of an open case, whoever is known longer first; None for any other."""
        match self.database.all(_PAIR, (case_id,)):
            case [first, second]:
                return first["id"], second["id"]
            case _:
                return None

    def close(self, case_id: UUID, verdict: Verdict, *, actor: str) -> bool:
        """Close a case with its effect; False when it is not open."""
        with self.database.transaction() as connection:
            connection.execute(_LOCK_PEOPLE, (case_id,))
            found = connection.execute(_CLOSE, (actor, verdict.value, case_id)).fetchone()
            if found is None:
                return False
            if verdict is Verdict.REPLACED:
                self._replace(connection, found)
            entry = journal.JournalEntry(
                type="identity.case_closed",
                actor_ref=actor,
                case_ref=str(case_id),
                record={"action": "case_closed", "rule": verdict.value, "case": found["rule"]},
            )
            journal.write(connection, new_key(connection, self.vault, None), entry)
            return True

    def confirm(self, our_ref: str, *, proof: Proof, level: Level, actor: str) -> bool:
        """Raise the account behind a pre-registration; False when nobody holds one."""
        with self.database.transaction() as connection:
            found = connection.execute(_RAISE, {"our_ref": our_ref, "level": level}).fetchone()
            if found is None:
                return False
            entry = journal.JournalEntry(
                type="identity.account_linked",
                actor_ref=actor,
                subject_ref=pseudonym_of(connection, found["citizen_id"], JOURNAL),
                case_ref=str(found["id"]),
                record={"action": "confirmed", "rule": f"desk_{proof}", "level": int(level)},
            )
            key = key_of(connection, self.vault, found["citizen_id"])
            journal.write(connection, key, entry)
            return True

    def _replace(self, connection: Connection, case: dict[str, Any]) -> None:
        """Close the subject that stopped coming; the person's next sign-in takes its place."""
        people = {*case["others"], case["citizen_id"]} - {None}
        if case["rule"] not in _REPLACEABLE or len(people) != 1:
            raise NothingReplacedError
        (citizen_id,) = people
        is_second_door = case["rule"] == Rule.OTHER_CIVIL_STATUS
        values = {"citizen": citizen_id, "alias": case["alias"] if is_second_door else None}
        if not connection.execute(_REPLACE, values).fetchall() and not is_second_door:
            raise NothingReplacedError
        end_others(connection, citizen_id, kept=(), reason="replaced")


def forget_cases(database: Database) -> int:
    """Delete what was decided, and logins closed, more than 12 months ago; returns how many rows went."""
    return sum(database.run(sql) for sql in _FORGET)
