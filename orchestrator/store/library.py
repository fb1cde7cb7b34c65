"""Access codes, sign-up forms, exact counters of attempts, and where libraries are.

A code is used up and its run told in one transaction. Attempts are summed over a sliding span, in
grains of five minutes, behind an advisory lock per bucket: parallel guesses cannot slip past.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from orchestrator.services.ports.library import (
    Asked,
    Commune,
    IssuedCode,
    Library,
    Limit,
    Signup,
)
from orchestrator.store.connections import Connection, Database
from orchestrator.store.runs import signal_on
from orchestrator.store.vault import Vault
from schemas import ids
from schemas.errors import NotFoundError
from schemas.logins import Level

REDEEMED: Final = "access_code.redeemed"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_TAKE: Final = """
WITH asked AS (SELECT * FROM unnest(%(scope)s::text[], %(bucket)s::bytea[], %(at_most)s::int[],
                 %(within)s::interval[]) AS a(scope, bucket, at_most, within)),
     used AS (SELECT a.*, (SELECT coalesce(sum(c.total), 0) FROM attempt_counter c
                WHERE c.scope = a.scope AND c.bucket = a.bucket
                  AND c.window_start > parvis_now() - a.within - interval '5 minutes') AS total FROM asked a),
     counted AS (INSERT INTO attempt_counter AS c (scope, bucket, window_start, total)
       SELECT scope, bucket, date_bin(interval '5 minutes', parvis_now(), 'epoch'), 1 FROM used
        WHERE NOT EXISTS (SELECT FROM used WHERE total >= at_most)
       ON CONFLICT (scope, bucket, window_start) DO UPDATE SET total = c.total + 1)
SELECT scope FROM used WHERE total >= at_most"""
_GIVE_BACK: Final = """
UPDATE attempt_counter c SET total = total - 1
  FROM unnest(%(scope)s::text[], %(bucket)s::bytea[]) AS a(scope, bucket)
 WHERE c.scope = a.scope AND c.bucket = a.bucket AND c.window_start =
       (SELECT max(window_start) FROM attempt_counter n
         WHERE n.scope = a.scope AND n.bucket = a.bucket AND n.total > 0)"""
_FORGET_ATTEMPTS: Final = (
    "DELETE FROM attempt_counter WHERE window_start < parvis_now() - interval '25 hours'"
)
# workers lock a run before its codes
_LOCK_RUN: Final = """
SELECT id FROM run WHERE id = (SELECT run_id FROM access_code WHERE digest = %s) FOR UPDATE"""
_REDEEM: Final = """
UPDATE access_code SET redeemed_at = parvis_now()
 WHERE digest = %s AND redeemed_at IS NULL AND expires_at > parvis_now() RETURNING id, run_id"""
_LEVEL_WANTED: Final = """
SELECT s.min_level FROM access_code a JOIN preregistration p ON p.id = a.preregistration_id
  JOIN service s ON s.id = p.service_id
 WHERE a.digest = %s AND a.redeemed_at IS NULL AND a.expires_at > parvis_now()"""
_ISSUED: Final = """
SELECT c.id AS code_id, c.expires_at, r.expires_at AS ends_at, p.id, p.name, p.address,
       p.postal_code, coalesce(m.name, p.commune) AS commune
  FROM preregistration r
  JOIN access_code c ON c.preregistration_id = r.id
  LEFT JOIN place p ON p.id = r.place_id
  LEFT JOIN commune m ON m.code = p.commune
 WHERE r.source = %s AND r.subject = %s AND c.expires_at > parvis_now()
 ORDER BY c.created_at DESC, c.id DESC LIMIT 1"""
_SIGNUP: Final = """
SELECT s.id, s.placement, s.body, s.sends, s.sent_at, s.tries, s.verified_at, s.data_key_id, k.wrapped
  FROM signup s JOIN data_key k ON k.id = s.data_key_id WHERE s.expires_at > parvis_now()"""
_OPEN: Final = """
WITH k AS (INSERT INTO data_key(id, wrapped) VALUES (%(key)s, %(wrapped)s))
INSERT INTO signup(id, token_digest, placement, body, data_key_id, expires_at)
VALUES (%(id)s, %(token)s, %(placement)s, %(body)s, %(key)s, parvis_now() + interval '1 hour')"""
_REPLACE: Final = """
UPDATE signup SET body = %(body)s, placement = %(placement)s,
       tries = CASE WHEN sends > 0 THEN 99 ELSE 0 END
 WHERE id = %(id)s AND verified_at IS NULL"""
_ASK: Final = """
UPDATE signup SET body = %(body)s, contact_digest = %(contact)s, sends = sends + 1, sent_at = parvis_now(),
       tries = 0
 WHERE id = %(id)s AND sends = %(sends)s AND verified_at IS NULL AND expires_at > parvis_now()
   AND (sent_at IS NULL OR sent_at <= parvis_now() - interval '30 seconds')"""
# one proof of a contact at a time: two forms would wait for each other
_LOCK_CONTACT: Final = """
SELECT pg_advisory_xact_lock(hashtextextended('signup ' || encode(contact_digest, 'hex'), 0))
  FROM signup WHERE id = %s"""
_END_OTHERS: Final = """
UPDATE signup o SET expires_at = parvis_now(), tries = 99 FROM signup v
 WHERE v.id = %s AND o.contact_digest = v.contact_digest AND o.id <> v.id AND o.verified_at IS NULL"""
_VERIFY: Final = """
UPDATE signup SET verified_at = coalesce(verified_at, parvis_now())
 WHERE id = %s AND sends = %s AND (tries < 5 OR verified_at IS NOT NULL)
   AND expires_at > parvis_now()"""
_WRONG: Final = (
    "UPDATE signup SET tries = tries + 1 WHERE id = %s AND verified_at IS NULL RETURNING tries"
)
_FORGET_SIGNUPS: Final = """
WITH s AS (DELETE FROM signup WHERE expires_at <= parvis_now() RETURNING data_key_id)
DELETE FROM data_key k USING s WHERE k.id = s.data_key_id"""
_COMMUNES: Final = """
SELECT c.code, c.name, c.department,
       EXISTS (SELECT FROM territory t WHERE t.retired_at IS NULL AND c.code = ANY(t.communes)) AS is_served
  FROM commune c WHERE c.postal_codes @> ARRAY[%s::text] ORDER BY c.name, c.department"""
_NEAR: Final = """
WITH here AS (SELECT radians(latitude) AS lat, radians(longitude) AS lon FROM commune WHERE code = %s)
SELECT p.id, p.name, p.address, p.postal_code, coalesce(c.name, p.commune) AS commune,
       12742 * asin(least(1, sqrt(power(sin((radians(p.latitude) - here.lat) / 2), 2)
         + cos(here.lat) * cos(radians(p.latitude))
         * power(sin((radians(p.longitude) - here.lon) / 2), 2)))) AS distance_km
  FROM here, place p LEFT JOIN commune c ON c.code = p.commune
 WHERE p.kind = 'library' AND p.is_public AND p.weekly_hours > 0 AND p.latitude IS NOT NULL
 ORDER BY distance_km, p.id LIMIT %s"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptCounters:
    """Counts attempts; a bucket is a keyed digest, never what it stands for."""

    database: Database

    def take(self, limits: Sequence[Limit]) -> frozenset[str]:
        """Count one attempt in every bucket, or in none; returns the scopes that are full."""
        with self.database.transaction() as connection:
            return _take(connection, limits)

    def give_back(self, limits: Sequence[Limit]) -> None:
        """Take back one attempt of every bucket."""
        columns = _columns(limits)
        values = {"scope": columns["scope"], "bucket": columns["bucket"]}
        self.database.run(_GIVE_BACK, values)

    def forget_old(self) -> int:
        """Delete the counters that no limit looks at any more; returns how many."""
        return self.database.run(_FORGET_ATTEMPTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessCodeTable:
    """Rows of access codes; ``poke`` tells the waker that a run was woken."""

    database: Database
    poke: Callable[[], None]

    def redeem(self, digest: bytes) -> bool:
        """Use a live code up and signal its run, both or neither; False when there is none."""
        with self.database.transaction() as connection:
            connection.execute(_LOCK_RUN, (digest,))
            row = connection.execute(_REDEEM, (digest,)).fetchone()
            if row is not None:
                signal_on(connection, row["run_id"], REDEEMED, dedup=str(row["id"]))
        if row is not None:
            self.poke()
        return row is not None

    def level_wanted(self, digest: bytes) -> Level:
        """Return how sure the service behind a live code must be of a person; DECLARED without one."""
        row = self.database.one(_LEVEL_WANTED, (digest,))
        return Level(row["min_level"]) if row else Level.DECLARED

    def issued_for(self, source: str, subject: str) -> IssuedCode | None:
        """Return the newest live code of a pre-registration with its library, or None."""
        row = self.database.one(_ISSUED, (source, subject))
        if row is None:
            return None
        return IssuedCode(
            access_code_id=row["code_id"],
            expires_at=row["expires_at"],
            preregistration_ends_at=row["ends_at"],
            library=_library(row) if row["id"] else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupTable:
    """Rows of sign-up forms, each sealed under a data key of its own."""

    database: Database
    vault: Vault

    def open(self, token_digest: bytes, *, placement: str, body: Mapping[str, Any]) -> Signup:
        """Return the form of a token, made with these answers when there was none."""
        signup = self.find(token_digest)
        if signup is None:
            self._insert(token_digest, placement, body)
            signup = self.find(token_digest)
        if signup is None:
            raise NotFoundError
        return signup

    def replace(self, signup: Signup, *, placement: str, body: Mapping[str, Any]) -> Signup:
        """Put other answers in place while the contact is not proved.

        A code that is out becomes worthless: it belonged to what stood there.
        """
        sealed = self._sealed(signup.id, body)
        self.database.run(_REPLACE, {"id": signup.id, "placement": placement, "body": sealed})
        return self.find_by_id(signup.id) or signup

    def find(self, token_digest: bytes) -> Signup | None:
        """Return a form that is not past its hour."""
        row = self._row(token_digest)
        return self._signup(row) if row else None

    def find_by_id(self, signup_id: UUID) -> Signup | None:
        """Return a form by its id, as it stands now."""
        row = self.database.one(f"{_SIGNUP} AND s.id = %s", (signup_id,))
        return self._signup(row) if row else None

    def ask(
        self, signup: Signup, *, body: Mapping[str, Any], contact: bytes, limits: Sequence[Limit]
    ) -> Asked:
        """Keep the answers and count one more code, within the limits, or change nothing."""
        sealed = self._sealed(signup.id, body)
        values = {"id": signup.id, "sends": signup.sends, "body": sealed, "contact": contact}
        outcome = Asked.SENT
        with self.database.transaction() as connection:
            if not connection.execute(_ASK, values).rowcount:
                outcome = Asked.TOO_SOON
            elif _take(connection, limits):
                outcome = Asked.OVER_BUDGET
                raise psycopg.Rollback
        return outcome

    def verify(self, signup_id: UUID, *, sends: int) -> bool:
        """Mark the contact as proved by the code of that send; False when it no longer counts.

        The other forms that wait for a proof of this contact end: somebody else may have begun them.
        """
        with self.database.transaction() as connection:
            connection.execute(_LOCK_CONTACT, (signup_id,))
            is_verified = bool(connection.execute(_VERIFY, (signup_id, sends)).rowcount)
            if is_verified:
                connection.execute(_END_OTHERS, (signup_id,))
        return is_verified

    def count_wrong_try(self, signup_id: UUID) -> int:
        """Count a wrong code; returns how many there were for this send."""
        row = self.database.one(_WRONG, (signup_id,))
        return row["tries"] if row else 0

    def forget_expired(self) -> int:
        """Delete forms past their hour with their data keys; returns how many keys went."""
        return self.database.run(_FORGET_SIGNUPS)

    def _row(self, token_digest: bytes) -> DictRow | None:
        return self.database.one(f"{_SIGNUP} AND s.token_digest = %s", (token_digest,))

    def _insert(self, token_digest: bytes, placement: str, body: Mapping[str, Any]) -> None:
        key, row_id = self.vault.new_key(), ids.uuid7()
        values = {"id": row_id, "token": token_digest, "placement": placement, "key": key.id}
        sealed = {"wrapped": key.wrapped, "body": key.seal_json(row_id, dict(body))}
        with suppress(psycopg.errors.UniqueViolation):  # the same form, posted at the same moment
            self.database.run(_OPEN, values | sealed)

    def _sealed(self, signup_id: UUID, body: Mapping[str, Any]) -> bytes:
        row = self.database.one(f"{_SIGNUP} AND s.id = %s", (signup_id,))
        if row is None:
            raise NotFoundError
        key = self.vault.open_key(row["data_key_id"], row["wrapped"])
        return key.seal_json(signup_id, dict(body))

    def _signup(self, row: DictRow) -> Signup:
        key = self.vault.open_key(row["data_key_id"], row["wrapped"])
        names = ("id", "placement", "sends", "sent_at", "tries", "verified_at")
        return Signup(body=key.open_json(row["id"], row["body"]), **{n: row[n] for n in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceDirectory:
    """Reads communes and libraries of the open data."""

    database: Database

    def communes_of(self, postal_code: str) -> Sequence[Commune]:
        """Return the communes that share a postal code, by name."""
        return [Commune(**row) for row in self.database.all(_COMMUNES, (postal_code,))]

    def libraries_near(self, commune: str, *, most: int) -> Sequence[Library]:
        """Return the public libraries with opening hours that are nearest to a commune."""
        return [_library(row) for row in self.database.all(_NEAR, (commune, most))]


def _take(connection: Connection, limits: Sequence[Limit]) -> frozenset[str]:
    ordered = sorted(limits, key=lambda limit: (limit.scope, limit.bucket))
    for limit in ordered:
        connection.execute(_LOCK, (f"{limit.scope} {limit.bucket.hex()}",))
    return frozenset(row["scope"] for row in connection.execute(_TAKE, _columns(ordered)))


def _columns(limits: Sequence[Limit]) -> dict[str, list[Any]]:
    names = Limit.__dataclass_fields__
    return {name: [getattr(limit, name) for limit in limits] for name in names}


def _library(row: DictRow) -> Library:
    return Library(
        id=row["id"],
        name=row["name"],
        address=row["address"],
        postal_code=row["postal_code"],
        commune=row["commune"],
        distance_km=row.get("distance_km"),
    )


__all__ = ["AccessCodeTable", "AttemptCounters", "PlaceDirectory", "SignupTable"]
