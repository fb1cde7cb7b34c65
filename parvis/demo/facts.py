"""What the database says: every line of the story is held against it, nothing is taken on trust."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

_RUN: Final = """
SELECT r.id, r.status, r.waiting_for, r.error_code, r.journey, r.wake_at
  FROM inbox i JOIN run r ON r.id = i.run_id WHERE i.source = %s AND i.event_id = %s"""
_STEPS: Final = (
    "SELECT name, outcome, cause, attempt FROM step WHERE run_id = %s ORDER BY seq, attempt"
)
_EXCHANGES: Final = """
SELECT step, profile, operation, status, outcome FROM exchange WHERE run_id = %s ORDER BY asked_at"""
_PREREGISTRATION: Final = """
SELECT p.id, p.state, p.our_ref, p.external_ref, p.service_id, p.citizen_id, p.run_id,
       l.name AS place, l.is_public, l.weekly_hours, l.latitude, l.longitude, c.name AS commune
  FROM preregistration p
  LEFT JOIN place l ON l.id = p.place_id LEFT JOIN commune c ON c.code = l.commune
 WHERE p.source = %s AND p.subject = %s"""
_NOTIFICATIONS: Final = """
SELECT template, channel, purpose, profile, provider_ref, sent_at
  FROM notification WHERE run_id = %s ORDER BY sent_at"""
_OWNER: Final = """
SELECT c.state, EXISTS (SELECT FROM journal_entry j WHERE j.type = 'access_code.redeemed'
         AND j.case_ref = p.id::text) AS journalled
  FROM preregistration p JOIN citizen c ON c.id = p.citizen_id WHERE p.source = %s AND p.subject = %s"""
_CODE: Final = "SELECT redeemed_at FROM access_code WHERE run_id = %s ORDER BY created_at"
_OPEN_LIBRARIES: Final = """
SELECT name, latitude, longitude FROM place
 WHERE kind = 'library' AND is_public AND weekly_hours > 0 AND latitude IS NOT NULL"""
_COMMUNE: Final = "SELECT name, postal_codes, latitude, longitude FROM commune WHERE code = %s"
_PURPOSES: Final = """
SELECT c.purposes FROM consent_record c JOIN pseudonym s ON s.pseudonym = c.subject_ref
 WHERE s.citizen_id = %s AND c.event_type = 'given'"""
_THEMES: Final = "SELECT theme FROM interest WHERE citizen_id = %s ORDER BY theme"
_SIGN_UP: Final = """
SELECT i.event_id, i.source, m.subject FROM inbox i JOIN message m ON m.id = i.message_id
 WHERE m.type = 'poster.registration_requested.v1' AND i.seen_at >= %s
 ORDER BY i.seen_at DESC LIMIT 1"""
_TRACES: Final = """
SELECT (SELECT count(*) FROM inbox) AS inbox, (SELECT count(*) FROM message) AS message,
       (SELECT count(*) FROM run) AS run, (SELECT count(*) FROM signal) AS signal,
       (SELECT count(*) FROM exchange WHERE run_id IS NOT NULL) AS exchange,
       (SELECT count(*) FROM notification) AS notification,
       (SELECT count(*) FROM preregistration) AS preregistration,
       (SELECT count(*) FROM access_code) AS access_code"""
_TOTALS: Final = """
WITH ours AS (SELECT id, status FROM run WHERE created_at >= %(since)s)
SELECT (SELECT count(*) FROM inbox WHERE seen_at >= %(since)s) AS received,
       (SELECT count(*) FROM inbox WHERE seen_at >= %(since)s AND source LIKE '/partners/%%') AS from_partners,
       (SELECT count(*) FROM ours WHERE status = 'done') AS done,
       (SELECT count(*) FROM ours WHERE status LIKE 'waiting%%') AS waiting,
       (SELECT count(*) FROM ours WHERE status NOT LIKE 'waiting%%' AND status <> 'done') AS other,
       (SELECT count(*) FROM exchange WHERE run_id IN (SELECT id FROM ours)) AS calls,
       (SELECT count(*) FROM step WHERE run_id IN (SELECT id FROM ours) AND attempt > 1) AS repeated,
       (SELECT count(*) FROM notification WHERE run_id IN (SELECT id FROM ours)) AS messages,
       (SELECT count(*) FROM access_code
         WHERE run_id IN (SELECT id FROM ours) AND redeemed_at IS NOT NULL) AS redeemed"""
_HOLDS: Final = """
SELECT 1 AS held FROM pg_locks
 WHERE locktype = 'advisory' AND granted AND ((classid::bigint << 32) | objid::bigint) = %s"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Where a run stands."""

    id: UUID
    status: str
    waiting_for: str | None
    error_code: str | None
    journey: str
    wake_at: datetime | None

    @property
    def is_waiting_for_code(self) -> bool:
        """Whether only the person's code is missing."""
        return self.status == "waiting_signal" and self.waiting_for == "access_code.redeemed"


Row = dict[str, Any]


class Facts:
    """Reads the hub's tables on a connection of its own, opened again when the server was away."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Row] | None = None

    def now(self) -> datetime:
        """Return the database's time."""
        moment: datetime = self._one("SELECT parvis_now() AS now")["now"]
        return moment

    def run_of(self, source: str, event_id: str) -> Run | None:
        """Return the run an event started."""
        rows = self._all(_RUN, (source, event_id))
        return Run(**rows[0]) if rows else None

    def steps(self, run_id: UUID) -> list[Row]:
        """Return every try of every step, in order."""
        return self._all(_STEPS, (run_id,))

    def exchanges(self, run_id: UUID) -> list[Row]:
        """Return the calls a run made."""
        return self._all(_EXCHANGES, (run_id,))

    def preregistration(self, source: str, subject: str) -> Row | None:
        """Return the pre-registration of a sender's reference, with its library."""
        rows = self._all(_PREREGISTRATION, (source, subject))
        return rows[0] if rows else None

    def owner(self, source: str, subject: str) -> Row:
        """Return whose a pre-registration is now, and whether the journal tells of its code."""
        return self._one(_OWNER, (source, subject))

    def notifications(self, run_id: UUID) -> list[Row]:
        """Return the messages a run sent."""
        return self._all(_NOTIFICATIONS, (run_id,))

    def codes(self, run_id: UUID) -> list[Row]:
        """Return a run's access codes: whether each was used."""
        return self._all(_CODE, (run_id,))

    def open_libraries(self) -> list[Row]:
        """Return the public libraries with opening hours."""
        return self._all(_OPEN_LIBRARIES)

    def commune(self, code: str) -> Row:
        """Return a commune of the open data."""
        return self._one(_COMMUNE, (code,))

    def purposes(self, citizen_id: UUID) -> set[str]:
        """Return what a person agreed to."""
        rows = self._all(_PURPOSES, (citizen_id,))
        return {purpose for row in rows for purpose in row["purposes"]}

    def themes(self, citizen_id: UUID) -> list[str]:
        """Return the interests kept for a person."""
        return [row["theme"] for row in self._all(_THEMES, (citizen_id,))]

    def newest_sign_up(self, since: datetime) -> Row | None:
        """Return the newest sign-up made on our own pages."""
        rows = self._all(_SIGN_UP, (since,))
        return rows[0] if rows else None

    def traces(self) -> Mapping[str, int]:
        """Return how many rows an event could have left."""
        return self._one(_TRACES)

    def totals(self, since: datetime) -> Mapping[str, int]:
        """Return the figures of the closing table."""
        return self._one(_TOTALS, {"since": since})

    def is_held(self, lock: int) -> bool:
        """Tell whether some process holds one of our advisory locks."""
        return bool(self._all(_HOLDS, (lock,)))

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()

    def _one(self, sql: LiteralString, parameters: Any = None) -> Row:
        return self._all(sql, parameters)[0]

    def _all(self, sql: LiteralString, parameters: Any = None) -> list[Row]:
        try:
            return self._read(sql, parameters)
        except psycopg.OperationalError:
            self.close()  # the server may have been started again
            return self._read(sql, parameters)

    def _read(self, sql: LiteralString, parameters: Any) -> list[Row]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url, autocommit=True, row_factory=dict_row, connect_timeout=5
            )
        return self._connection.execute(sql, parameters).fetchall()
