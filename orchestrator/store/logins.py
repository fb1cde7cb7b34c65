"""Logins and what vouches for a person: rows of ``login``, ``civil_status`` and its keys."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from psycopg import Rollback

from identity.civil_status import search_keys
from identity.linking import Candidate, Claim, LoginKey, Owner, Standing, is_vouched
from orchestrator.store.connections import Connection
from orchestrator.store.vault import DataKey, ErasedError, Vault
from schemas import ids
from schemas.keys import HubKeys, keyed_digest
from schemas.logins import CIVIL_STATUS, CivilStatus, Level

DECLARED: Final = "declared"
"""Source of a value that nobody vouches for, or no longer: the login it came by was taken away."""
_LOCK: Final = "SELECT pg_advisory_xact_lock(%s)"
_OWNERS: Final = """
SELECT l.id, l.issuer, l.alias, l.subject_hash, l.citizen_id, l.level FROM login l
  JOIN unnest(%(issuer)s::text[], %(alias)s::text[], %(hash)s::bytea[]) AS k(issuer, alias, hash)
    ON l.issuer = k.issuer AND l.alias = k.alias AND l.subject_hash = k.hash
 WHERE l.valid_to IS NULL"""
_HELD: Final = """
SELECT citizen_id, alias FROM login WHERE citizen_id = ANY(%s) AND valid_to IS NULL"""
_ADD: Final = """
INSERT INTO login(id, issuer, alias, subject_hash, subject, data_key_id, citizen_id, level, method,
                  realm_account)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
_TAKEN_AWAY: Final = """
SELECT issuer, alias, subject_hash FROM login
 WHERE subject_hash = ANY(%s) AND valid_to IS NOT NULL AND closed_reason = 'unlinked'"""
_RISE: Final = """
UPDATE login SET level = %s WHERE id = %s AND level < %s AND method = 'first_login' RETURNING id"""
_USED: Final = "UPDATE login SET last_used_at = parvis_now() WHERE id = ANY(%s)"
_LOCK_PEOPLE: Final = "SELECT id FROM citizen WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
_ALIKE: Final = """
SELECT id AS citizen_id FROM citizen
 WHERE id IN (SELECT citizen_id FROM civil_status_key WHERE digest = ANY(%s))
   AND state = 'active' AND merged_into IS NULL ORDER BY id LIMIT 20 FOR UPDATE"""
_CIVIL_STATUS: Final = """
SELECT s.citizen_id, s.id, s.field, s.value, s.source, s.level, k.id AS key_id, k.wrapped
  FROM civil_status s JOIN data_key k ON k.id = s.data_key_id
 WHERE s.citizen_id = ANY(%s) AND s.closed_at IS NULL"""
_CLOSE_VALUES: Final = """
UPDATE civil_status SET closed_at = parvis_now()
 WHERE citizen_id = %s AND field = ANY(%s) AND closed_at IS NULL AND level <= %s RETURNING field"""
_ADD_VALUE: Final = """
INSERT INTO civil_status(id, citizen_id, field, value, data_key_id, source, login_id, level)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""
_FORGET_KEYS: Final = "DELETE FROM civil_status_key WHERE citizen_id = %s"
_ADD_KEY: Final = "INSERT INTO civil_status_key(citizen_id, left_out, digest) VALUES (%s, %s, %s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """What a person's values are sealed and found with."""

    vault: Vault
    keys: HubKeys
    data_key: DataKey


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRow:
    """A live login as the decision needs it; staff have no citizen."""

    id: UUID
    key: LoginKey
    citizen_id: UUID | None
    level: Level


def subject_hash(keys: HubKeys, key: LoginKey) -> bytes:
    """Return what a login is found by."""
    return keyed_digest(keys.login, key.issuer.encode(), key.alias.encode(), key.subject.encode())


def account_hash(keys: HubKeys, issuer: str, account: str) -> bytes:
    """Return what ties the logins of one account of a realm together."""
    return keyed_digest(keys.login, b"account", issuer.encode(), account.encode())


def taken_away(connection: Connection, keys: HubKeys, claim: Claim) -> set[LoginKey]:
    """Return the keys of a claim that somebody took away from their citizen."""
    by_hash = {subject_hash(keys, key): key for key in claim.keys}
    rows = connection.execute(_TAKEN_AWAY, (list(by_hash),)).fetchall()
    return {by_hash[bytes(row["subject_hash"])] for row in rows}


def lock_claim(connection: Connection, keys: HubKeys, claim: Claim) -> None:
    """Let nobody else decide about the same subject or the same civil status meanwhile."""
    digests = [subject_hash(keys, key) for key in claim.keys]
    if claim.civil_status is not None:
        digests += search_keys(keys.civil_status, claim.civil_status).values()
    for number in sorted({int.from_bytes(digest[:8], signed=True) for digest in digests}):
        connection.execute(_LOCK, (number,))


def settled_logins(
    connection: Connection, keys: HubKeys, claim: Claim, *, also: UUID | None
) -> list[LoginRow]:
    """Return the live logins that a claim's keys name, once nobody else can change whose they are.

    Their citizens are locked, and ``also`` the one whose session this goes on in; what an unlink or a
    merge did while we waited for the locks is seen.
    """
    while True:
        people = _people(known_logins(connection, keys, claim), also)
        with connection.transaction() as tried:
            connection.execute(_LOCK_PEOPLE, (sorted(people),))
            known = known_logins(connection, keys, claim)
            if _people(known, also) <= people:
                return known
            raise Rollback(tried)  # lets go, so that nobody is ever locked out of order


def _people(known: Iterable[LoginRow], also: UUID | None) -> set[UUID]:
    return {owner.citizen_id for owner in owners_of(known)} | ({also} if also else set())


def known_logins(connection: Connection, keys: HubKeys, claim: Claim) -> list[LoginRow]:
    """Return the live logins that a claim's keys name."""
    by_hash = {subject_hash(keys, key): key for key in claim.keys}
    values = {
        "issuer": [key.issuer for key in by_hash.values()],
        "alias": [key.alias for key in by_hash.values()],
        "hash": list(by_hash),
    }
    return [
        LoginRow(
            id=row["id"],
            key=by_hash[bytes(row["subject_hash"])],
            citizen_id=row["citizen_id"],
            level=Level(row["level"]),
        )
        for row in connection.execute(_OWNERS, values).fetchall()
    ]


def owners_of(rows: Iterable[LoginRow]) -> list[Owner]:
    """Return who holds the keys, citizens only."""
    return [
        Owner(key=row.key, citizen_id=row.citizen_id) for row in rows if row.citizen_id is not None
    ]


def standing_of(
    connection: Connection, vault: Vault, citizens: Sequence[UUID]
) -> dict[UUID, Standing]:
    """Return what each citizen has already, as far as a new subject must go with it."""
    held = aliases_held(connection, citizens)
    values = _open_values(connection, vault, citizens)
    return {
        one: Standing(
            aliases=held[one],
            vouched={
                name: value.text
                for name, value in values.get(one, {}).items()
                if is_vouched(value.source)
            },
        )
        for one in citizens
    }


def aliases_held(connection: Connection, citizens: Sequence[UUID]) -> dict[UUID, frozenset[str]]:
    """Return the aliases of each citizen's live logins."""
    held: dict[UUID, set[str]] = defaultdict(set)
    for row in connection.execute(_HELD, (list(citizens),)).fetchall():
        held[row["citizen_id"]].add(row["alias"])
    return {citizen: frozenset(held[citizen]) for citizen in citizens}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bond:
    """How a key is joined to its owner: how sure that is, and how it came about."""

    citizen_id: UUID | None
    level: Level
    method: str
    account: str = field(repr=False)


def add_login(connection: Connection, sealing: Sealing, key: LoginKey, bond: Bond) -> LoginRow:
    """Join a key to its owner."""
    login_id = ids.uuid7()
    data_key = sealing.data_key
    sealed = data_key.seal(login_id, key.subject.encode())
    connection.execute(
        _ADD,
        (
            login_id,
            key.issuer,
            key.alias,
            subject_hash(sealing.keys, key),
            sealed,
            data_key.id,
            bond.citizen_id,
            bond.level,
            bond.method,
            account_hash(sealing.keys, key.issuer, bond.account),
        ),
    )
    return LoginRow(id=login_id, key=key, citizen_id=bond.citizen_id, level=bond.level)


def risen(connection: Connection, row: LoginRow, proved: Level) -> LoginRow:
    """Let a login that made its citizen rise to what its provider proves now, after a weaker start.

    One that was joined to somebody stays as sure as the proof that joined it.
    """
    if connection.execute(_RISE, (proved, row.id, proved)).fetchone() is None:
        return row
    return replace(row, level=proved)


def mark_used(connection: Connection, rows: Iterable[LoginRow]) -> None:
    """Note that logins were used."""
    connection.execute(_USED, ([row.id for row in rows],))


def candidates(
    connection: Connection, vault: Vault, keys: HubKeys, claim: Claim
) -> list[Candidate]:
    """Return the citizens whose civil status is the claim's but for one field at most."""
    if claim.civil_status is None or claim.franceconnect is None:
        return []
    digests = list(search_keys(keys.civil_status, claim.civil_status).values())
    found = [row["citizen_id"] for row in connection.execute(_ALIKE, (digests,)).fetchall()]
    known = _civil_statuses(connection, vault, found)
    held = aliases_held(connection, found)
    return [
        Candidate(
            citizen_id=one, civil_status=known[one][0], sources=known[one][1], aliases=held[one]
        )
        for one in found
        if one in known
    ]


def keep_civil_status(
    connection: Connection, sealing: Sealing, claim: Claim, *, login: LoginRow
) -> None:
    """Keep what a provider vouches for; a value vouched for more strongly stays."""
    person, citizen_id = claim.civil_status, login.citizen_id
    if person is None or citizen_id is None or claim.level < Level.ACCOUNT_PROVED:
        return
    known = _civil_statuses(connection, sealing.vault, [citizen_id]).get(citizen_id)
    if known is not None and known[0] == person and DECLARED not in known[1]:
        return
    keys, data_key = sealing.keys, sealing.data_key
    open_fields = _replaceable(connection, citizen_id, claim.level)
    for name in open_fields:
        value_id = ids.uuid7()
        sealed = data_key.seal(value_id, getattr(person, name).encode())
        values = (
            value_id,
            citizen_id,
            name,
            sealed,
            data_key.id,
            claim.alias,
            login.id,
            claim.level,
        )
        connection.execute(_ADD_VALUE, values)
    if len(open_fields) == len(CIVIL_STATUS):
        connection.execute(_FORGET_KEYS, (citizen_id,))
        for left_out, digest in search_keys(keys.civil_status, person).items():
            connection.execute(_ADD_KEY, (citizen_id, left_out, digest))


def _replaceable(connection: Connection, citizen_id: UUID, level: Level) -> list[str]:
    """Close the values this level may replace; returns the fields to write."""
    kept = {
        row["field"]
        for row in connection.execute(
            "SELECT field FROM civil_status WHERE citizen_id = %s AND closed_at IS NULL AND level > %s",
            (citizen_id, level),
        ).fetchall()
    }
    fields = [name for name in CIVIL_STATUS if name not in kept]
    connection.execute(_CLOSE_VALUES, (citizen_id, fields, level))
    return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """One field of a civil status as it stands."""

    text: str = field(repr=False)
    source: str


def _open_values(
    connection: Connection, vault: Vault, citizens: Sequence[UUID]
) -> dict[UUID, dict[str, _Value]]:
    values: dict[UUID, dict[str, _Value]] = defaultdict(dict)
    for row in connection.execute(_CIVIL_STATUS, (list(citizens),)).fetchall():
        try:
            key = vault.open_key(row["key_id"], bytes(row["wrapped"]))
            text = key.open(row["id"], bytes(row["value"])).decode()
        except ErasedError:
            continue
        is_proved = row["level"] >= Level.ACCOUNT_PROVED
        source = row["source"] if is_proved else DECLARED
        values[row["citizen_id"]][row["field"]] = _Value(text=text, source=source)
    return values


def _civil_statuses(
    connection: Connection, vault: Vault, citizens: Sequence[UUID]
) -> dict[UUID, tuple[CivilStatus, frozenset[str]]]:
    return {
        citizen: (
            CivilStatus(**{name: value.text for name, value in known.items()}),
            frozenset(value.source for value in known.values()),
        )
        for citizen, known in _open_values(connection, vault, citizens).items()
        if len(known) == len(CIVIL_STATUS)
    }
