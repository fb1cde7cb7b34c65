"""Two people made one, and two again: what moved is listed by its ids, so that it goes back as it was.

The one who is kept gets a fresh data key, so that nothing written from then on depends on a key that may
leave again. Rows are locked in the order workers lock them: runs, then people. Interests are copied, not moved: their list says something about a person. What a service
sees of somebody stays what it was; when both have a pseudonym in one service, each keeps their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from orchestrator.services.merges import NoSuchCaseError
from orchestrator.services.ports.merges import MergeLine, Merging
from orchestrator.store import journal
from orchestrator.store.connections import Connection, Database
from orchestrator.store.person_keys import JOURNAL, key_of, new_key, pseudonym_of
from orchestrator.store.redemption import RUNS_ABOUT, all_rest
from orchestrator.store.sessions import end_others
from orchestrator.store.vault import Vault
from schemas import ids
from schemas.errors import ConflictError, NotFoundError

_PEOPLE: Final = """
SELECT id FROM citizen WHERE id = ANY(%s) AND state = 'active' AND merged_into IS NULL
 ORDER BY id FOR UPDATE"""
_MORE_RUNS: Final = """
SELECT id FROM run WHERE citizen_id = %(from)s AND id <> ALL(%(locked)s) LIMIT 1"""
_CASE: Final = "SELECT id FROM identity_case WHERE id = %s AND closed_at IS NULL FOR UPDATE"
_RUNS_NAMED: Final = """
SELECT id, status, ended_at, data_key_id FROM run WHERE id = ANY(%(run)s::uuid[])
    OR id IN (SELECT run_id FROM preregistration WHERE id = ANY(%(preregistration)s::uuid[])) OR citizen_id = %(to)s
   AND key IN (SELECT source || ' ' || subject FROM preregistration WHERE id = ANY(%(preregistration)s::uuid[]))
 ORDER BY id FOR UPDATE"""
"""The runs that moved, and those about a pre-registration that moved, begun since."""
_THEIR_NOTIFICATIONS: Final = (
    "SELECT id::text AS name FROM notification WHERE run_id = ANY(%s::uuid[])"
)
_BOTH_HAVE: Final = """
SELECT a.service_id FROM account a JOIN account b USING (service_id)
 WHERE a.citizen_id = %(from)s AND b.citizen_id = %(to)s AND a.closed_at IS NULL
   AND b.closed_at IS NULL ORDER BY 1 LIMIT 1"""
# of two subjects of FranceConnect under one name, the one used last is the person's
_OLDER_SUBJECTS: Final = """
UPDATE login SET valid_to = parvis_now(), closed_reason = 'merged' WHERE id IN
 (SELECT CASE WHEN a.last_used_at < b.last_used_at THEN a.id ELSE b.id END FROM login a
    JOIN login b ON b.alias = a.alias AND b.valid_to IS NULL AND b.citizen_id = %(from)s
   WHERE a.citizen_id = %(to)s AND a.valid_to IS NULL AND a.alias LIKE 'france%%connect%%')
RETURNING id::text AS name"""
_MOVE: Final = {
    "login": """
UPDATE login SET citizen_id = %(to)s WHERE citizen_id = %(from)s AND valid_to IS NULL
RETURNING id::text AS name""",
    "account": """
UPDATE account SET citizen_id = %(to)s WHERE citizen_id = %(from)s AND closed_at IS NULL
RETURNING id::text AS name""",
    "preregistration": """
UPDATE preregistration SET citizen_id = %(to)s WHERE citizen_id = %(from)s
RETURNING id::text AS name""",
    "run": "UPDATE run SET citizen_id = %(to)s WHERE citizen_id = %(from)s RETURNING id::text AS name",
    "notification": """
UPDATE notification SET citizen_id = %(to)s WHERE citizen_id = %(from)s RETURNING id::text AS name""",
    "data_key": """
UPDATE data_key SET citizen_id = %(to)s WHERE citizen_id = %(from)s RETURNING id::text AS name""",
    "pseudonym": """
UPDATE pseudonym p SET citizen_id = %(to)s WHERE citizen_id = %(from)s AND service <> 'journal'
   AND NOT EXISTS (SELECT FROM pseudonym o WHERE o.citizen_id = %(to)s AND o.service = p.service)
RETURNING service AS name""",
    "consent_record": """
UPDATE consent_record SET subject_ref = %(to_ref)s WHERE subject_ref = %(from_ref)s
RETURNING record_id::text AS name""",
}
_COPY_INTERESTS: Final = """
INSERT INTO interest(citizen_id, theme, created_at)
SELECT %(to)s, theme, %(at)s FROM interest WHERE citizen_id = %(from)s ON CONFLICT DO NOTHING"""
_ADD: Final = """
INSERT INTO merge(id, survivor_id, merged_id, moved, actor, proofs, merged_at, undo_until)
VALUES (%(id)s, %(to)s, %(from)s, %(moved)s, %(actor)s, %(proofs)s, %(at)s,
        %(at)s::timestamptz + interval '30 days')"""
_INTO: Final = (
    "UPDATE citizen SET merged_into = %(into)s, consents = consents + 1 WHERE id = %(from)s"
)
_COUNT: Final = "UPDATE citizen SET consents = consents + 1 WHERE id = %(to)s"
_CLOSE_CASE: Final = """
UPDATE identity_case SET closed_at = parvis_now(), closed_by = %s, decision = 'merged'
 WHERE id = %s AND closed_at IS NULL"""
_FOUND: Final = """
SELECT id, survivor_id AS "to", merged_id AS "from", moved, merged_at AS at FROM merge
 WHERE id = %s AND undone_at IS NULL AND undo_until > parvis_now() FOR UPDATE"""
_BOTH: Final = """
SELECT id, state, merged_into FROM citizen WHERE id IN (%(from)s, %(to)s) ORDER BY id FOR UPDATE"""
_BACK: Final = {
    "login": "UPDATE login SET citizen_id = %(from)s WHERE id = ANY(%(names)s::uuid[]) AND citizen_id = %(to)s",
    "account": """
UPDATE account SET citizen_id = %(from)s WHERE id = ANY(%(names)s::uuid[]) AND citizen_id = %(to)s""",
    "preregistration": """
UPDATE preregistration SET citizen_id = %(from)s WHERE id = ANY(%(names)s::uuid[]) AND citizen_id = %(to)s""",
    "run": "UPDATE run SET citizen_id = %(from)s WHERE id = ANY(%(names)s::uuid[]) AND citizen_id = %(to)s",
    "notification": """
UPDATE notification SET citizen_id = %(from)s WHERE id = ANY(%(names)s::uuid[]) AND citizen_id = %(to)s""",
    "data_key": """
UPDATE data_key SET citizen_id = %(from)s WHERE id = ANY(%(names)s::uuid[]) AND citizen_id = %(to)s""",
    "pseudonym": """
UPDATE pseudonym SET citizen_id = %(from)s WHERE service = ANY(%(names)s) AND citizen_id = %(to)s""",
    "consent_record": """
UPDATE consent_record SET subject_ref = %(from_ref)s
 WHERE record_id = ANY(%(names)s::uuid[]) AND subject_ref = %(to_ref)s""",
}
_SEALED_ELSEWHERE: Final = """
SELECT a.id, a.reference, k.id AS key_id, k.wrapped FROM account a JOIN data_key k ON k.id = a.data_key_id
 WHERE a.id = ANY(%s::uuid[]) AND a.citizen_id = %s AND k.citizen_id <> a.citizen_id"""
_SEALED: Final = "UPDATE account SET reference = %s, data_key_id = %s WHERE id = %s"
_REOPEN: Final = """
UPDATE login SET valid_to = NULL, closed_reason = NULL
 WHERE id = ANY(%s::uuid[]) AND closed_reason = 'merged'"""
# who withdrew while both were one nobody knows: it counts for both
_WITHDRAWN: Final = """
INSERT INTO consent_record(record_id, schema_version, subject_ref, controller, purposes, channel, recipients,
  notice_version, notice_sha256, locale, ui_evidence, collected_by, event_type, event_time, validity_end,
  parental_ref)
SELECT gen_random_uuid(), schema_version, %(from_ref)s, controller, purposes, channel, recipients,
  notice_version, notice_sha256, locale, ui_evidence, collected_by, event_type, event_time, validity_end,
  parental_ref
  FROM consent_record WHERE subject_ref = %(to_ref)s AND event_type IN ('withdrawn', 'refused')
   AND event_time >= %(at)s"""
_FORGET_INTERESTS: Final = (
    """
DELETE FROM interest f WHERE f.citizen_id = %(from)s
   AND NOT EXISTS (SELECT FROM interest t WHERE t.citizen_id = %(to)s AND t.theme = f.theme)""",
    """
DELETE FROM interest t WHERE t.citizen_id = %(to)s AND t.created_at = %(at)s
   AND EXISTS (SELECT FROM interest f WHERE f.citizen_id = %(from)s AND f.theme = t.theme)""",
)
# what the other's logins vouched for meanwhile is not the one's who stays
_CLOSE_VALUES: Final = """
UPDATE civil_status SET closed_at = parvis_now()
 WHERE citizen_id = %(to)s AND login_id = ANY(%(logins)s::uuid[]) AND closed_at IS NULL"""
_FORGET_KEYS: Final = "DELETE FROM civil_status_key WHERE citizen_id = %(to)s"
_UNDONE: Final = "UPDATE merge SET undone_at = parvis_now(), undone_by = %s WHERE id = %s"
_RECENT: Final = """
SELECT id, merged_at, undo_until, proofs, actor FROM merge
 WHERE undone_at IS NULL AND undo_until > parvis_now() ORDER BY merged_at DESC, id DESC"""


class UnderWayError(ConflictError):
    """A run of the person is in a worker's hands."""

    title = "Un dossier de cette personne est en cours de traitement : réessayez dans une minute."


class TwoAccountsError(ConflictError):
    """Both have a live account in one service."""

    title = "Ces deux personnes ont chacune un compte dans un même service : fermez-en un d'abord."


class NotTwoPeopleError(ConflictError):
    """One of the two is gone, never signed in, or was merged already."""

    title = (
        "L'une des deux personnes n'est plus là, n'a jamais ouvert son espace, ou a déjà été réunie"
        " à une autre."
    )


class NoSuchMergeError(NotFoundError):
    """No merge that can be undone."""

    title = "Cette réunion n'existe pas, a déjà été défaite, ou ses trente jours sont passés."


class NotLastMergeError(ConflictError):
    """Another merge or a new login stands on this one."""

    title = "Une réunion ou une connexion plus récente s'appuie sur celle-ci : défaites-la d'abord."


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeTable:
    """Implements ``ports.merges.MergeRows``."""

    database: Database
    vault: Vault

    def merge(self, merging: Merging) -> UUID:
        """Join two people, all or nothing; returns the merge."""
        people = {"from": merging.merged_id, "to": merging.survivor_id}
        with self.database.transaction() as connection:
            self._check(connection, people, merging.case_id)
            at = connection.execute("SELECT parvis_now() AS at").fetchone()
            values = {"id": ids.uuid7(), "at": at and at["at"], **people}
            values |= {"actor": merging.actor, "proofs": [str(one) for one in merging.proofs]}
            values["moved"] = Jsonb(self._move(connection, values))
            connection.execute(_ADD, values)
            connection.execute(_INTO, {**people, "into": merging.survivor_id})
            connection.execute(_COUNT, people)
            new_key(connection, self.vault, merging.survivor_id)
            for citizen_id in people.values():
                end_others(connection, citizen_id, kept=(), reason="merged")
            connection.execute(_CLOSE_CASE, (merging.actor, merging.case_id))
            self._tell(connection, "identity.merged", values, rule="two_proofs")
            return UUID(str(values["id"]))

    def undo(self, merge_id: UUID, *, actor: str) -> None:
        """Take a merge back, as far as what moved is still there."""
        with self.database.transaction() as connection:
            found = connection.execute(_FOUND, (merge_id,)).fetchone()
            if found is None:
                raise NoSuchMergeError
            moved = self._rested(connection, found)
            _check_last(connection.execute(_BOTH, found).fetchall(), found)
            self._move_back(connection, found, moved)
            connection.execute(_UNDONE, (actor, merge_id))
            for citizen_id in (found["from"], found["to"]):
                end_others(connection, citizen_id, kept=(), reason="merge_undone")
            self._tell(
                connection, "identity.merge_undone", {**found, "actor": actor}, rule="undone"
            )

    def recent(self) -> Sequence[MergeLine]:
        """Return the merges that can still be undone, newest first."""
        return [MergeLine(**row) for row in self.database.all(_RECENT)]

    def _check(
        self, connection: Connection, people: Mapping[str, UUID], case_id: UUID | None
    ) -> None:
        """Lock two people who can be joined now: first the runs, as workers do, then the people."""
        runs = connection.execute(RUNS_ABOUT, {**people, "run": None}).fetchall()
        found = connection.execute(_PEOPLE, (list(people.values()),)).fetchall()
        if len(found) != len(people):
            raise NotTwoPeopleError
        locked = {**people, "locked": [run["id"] for run in runs]}
        if not all_rest(runs) or connection.execute(_MORE_RUNS, locked).fetchone():
            raise UnderWayError
        if case_id is not None and connection.execute(_CASE, (case_id,)).fetchone() is None:
            raise NoSuchCaseError
        if connection.execute(_BOTH_HAVE, people).fetchone():
            raise TwoAccountsError

    def _rested(self, connection: Connection, found: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return what goes back, its runs locked: what moved, and what was begun about it since."""
        moved: dict[str, list[str]] = dict(found["moved"])
        runs = connection.execute(_RUNS_NAMED, {**moved, "to": found["to"]}).fetchall()
        if not all_rest(runs):
            raise UnderWayError
        since = [run for run in runs if str(run["id"]) not in set(moved["run"])]
        names = [str(run["id"]) for run in since]
        moved["run"] = [*moved["run"], *names]
        moved["data_key"] = [
            *moved["data_key"],
            *(str(run["data_key_id"]) for run in since if run["data_key_id"]),
        ]
        moved["notification"] = [
            *moved["notification"],
            *(row["name"] for row in connection.execute(_THEIR_NOTIFICATIONS, (names,)).fetchall()),
        ]
        return moved

    def _move(self, connection: Connection, values: Mapping[str, Any]) -> dict[str, list[str]]:
        """Move what is one's to the other; returns the ids of what moved."""
        refs = _refs(connection, values)
        moved = {"login_closed": _names(connection, _OLDER_SUBJECTS, values)}
        for table, sql in _MOVE.items():
            moved[table] = _names(connection, sql, {**values, **refs})
        connection.execute(_COPY_INTERESTS, values)
        return moved

    def _move_back(
        self, connection: Connection, found: Mapping[str, Any], moved: Mapping[str, list[str]]
    ) -> None:
        values = {**found, **_refs(connection, found)}
        for table, sql in _BACK.items():
            connection.execute(sql, {**values, "names": moved[table]})
        self._seal_anew(connection, found["from"], moved["account"])
        connection.execute(_WITHDRAWN, values)
        for sql in _FORGET_INTERESTS:
            connection.execute(sql, values)
        logins = {**values, "logins": moved["login"]}
        if connection.execute(_CLOSE_VALUES, logins).rowcount:
            connection.execute(_FORGET_KEYS, values)
        connection.execute(_INTO, {**values, "into": None})
        connection.execute(_COUNT, values)
        try:
            connection.execute(_REOPEN, (moved["login_closed"],))
        except UniqueViolation as error:
            raise NotLastMergeError from error

    def _seal_anew(self, connection: Connection, citizen_id: UUID, accounts: Sequence[str]) -> None:
        """Seal what goes back under a key of its person's, so that erasing one erases nothing of the other's."""
        key = key_of(connection, self.vault, citizen_id)
        for row in connection.execute(_SEALED_ELSEWHERE, (list(accounts), citizen_id)).fetchall():
            other = self.vault.open_key(row["key_id"], bytes(row["wrapped"]))
            text = key.seal(row["id"], other.open(row["id"], bytes(row["reference"])))
            connection.execute(_SEALED, (text, key.id, row["id"]))

    def _tell(
        self, connection: Connection, kind: str, values: Mapping[str, Any], *, rule: str
    ) -> None:
        """Write what was done in the journal, once for each of the two."""
        key = key_of(connection, self.vault, values["to"])
        for role, citizen_id in (("kept", values["to"]), ("joined", values["from"])):
            record: dict[str, Any] = {"action": kind.partition(".")[2], "rule": rule, "role": role}
            if "proofs" in values:
                record["proofs"] = values["proofs"]
            entry = journal.JournalEntry(
                type=kind,
                actor_ref=str(values["actor"]),
                subject_ref=pseudonym_of(connection, citizen_id, JOURNAL),
                case_ref=str(values["id"]),
                record=record,
            )
            journal.write(connection, key, entry)


def _refs(connection: Connection, people: Mapping[str, Any]) -> dict[str, str]:
    return {
        "from_ref": pseudonym_of(connection, people["from"], JOURNAL),
        "to_ref": pseudonym_of(connection, people["to"], JOURNAL),
    }


def _names(connection: Connection, sql: Any, values: Mapping[str, Any]) -> list[str]:
    return sorted(str(row["name"]) for row in connection.execute(sql, values).fetchall())


def _check_last(people: Sequence[Mapping[str, Any]], found: Mapping[str, Any]) -> None:
    """Raise unless one of the two is still merged into the other, who is merged into nobody."""
    into = {row["id"]: row["merged_into"] for row in people if row["state"] == "active"}
    if into.get(found["to"], found["to"]) is not None:
        raise NotLastMergeError
    if into.get(found["from"]) != found["to"]:
        raise NoSuchMergeError
