"""The rows of consent: purposes and texts, written once and never changed; records, read in order."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from identity.consent import ConsentRecord, Event
from orchestrator.services.ports.running import Told
from orchestrator.services.purposes import NOTICES, PURPOSES, NoticeText, PurposeText
from orchestrator.store.committer import Committer
from orchestrator.store.connections import Connection, Database
from schemas.errors import ConfigurationError

_TOLD: Final = """
SELECT t.place, c.age_band, c.consents, r.record_id, r.purposes, r.channel, r.event_type, r.event_time,
       r.validity_end, r.parental_ref
  FROM unnest(%b::uuid[], %b::text[]) WITH ORDINALITY AS t(citizen_id, purpose, place)
  LEFT JOIN citizen c ON c.id = t.citizen_id
  LEFT JOIN pseudonym p ON p.citizen_id = t.citizen_id AND p.service = 'journal'
  LEFT JOIN consent_record r ON r.subject_ref = p.pseudonym AND t.purpose = ANY(r.purposes)"""
_PUT_PURPOSE: Final = """
INSERT INTO purpose(id, version, title, text, legal_basis, recipients, retention)
VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id, version) DO NOTHING
"""
_SAME_PURPOSE: Final = """
SELECT FROM purpose WHERE (id, version, title, text, legal_basis, recipients, retention)
                        = (%s, %s, %s, %s, %s, %s, %s)
"""
_PUT_NOTICE: Final = """
INSERT INTO notice(version, locale, sha256, text, purposes, recipients)
VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (version, locale) DO NOTHING
"""
_SAME_NOTICE: Final = """
SELECT FROM notice WHERE (version, locale, sha256, text, purposes, recipients)
                       = (%s, %s, %s, %s, %s, %s)
"""


class ConsentRows:
    """The catalogue of purposes and texts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def seed(
        self,
        purposes: Iterable[PurposeText] = PURPOSES,
        notices: Iterable[NoticeText] = NOTICES,
    ) -> int:
        """Write the purposes and texts that are missing; returns how many were.

        Raises:
            ConfigurationError: a text was changed without a new version; nothing is written.
        """
        with self._database.transaction() as connection:
            written = sum(_put_purpose(connection, purpose) for purpose in purposes)
            return written + sum(_put_notice(connection, notice) for notice in notices)

    def notice_text(self, sha256: str) -> str | None:
        """Return the exact text of a digest, however old."""
        row = self._database.one("SELECT text FROM notice WHERE sha256 = %s", (sha256,))
        return row["text"] if row else None


class _Told:
    """The batch of questions: each row is (person, purpose), its outcome what was told."""

    def write(self, connection: Connection, rows: Sequence[tuple[UUID, str]]) -> Sequence[Told]:
        """Read what each person told about a purpose."""
        values = ([person for person, _ in rows], [purpose for _, purpose in rows])
        found: dict[int, list[DictRow]] = defaultdict(list)
        for row in connection.execute(_TOLD, values):
            found[row["place"]].append(row)
        return [_told(found[place]) for place in range(1, len(rows) + 1)]


class ConsentReader:
    """What people told, asked by many runs together (implements ``consents.ConsentBook``)."""

    def __init__(self, reader: Committer) -> None:
        self._reader = reader
        self._batch = _Told()

    def told(self, citizen_id: UUID, purpose: str) -> Told:
        """Return every record of a person about a purpose, as of now."""
        answer: Told = self._reader.put(self._batch, (citizen_id, purpose))
        return answer


def _told(rows: Sequence[DictRow]) -> Told:
    records = (_record(row) for row in rows if row["record_id"] is not None)
    first = rows[0]
    return Told(age_band=first["age_band"], records=tuple(records), changes=first["consents"])


def _record(row: DictRow) -> ConsentRecord:
    return ConsentRecord(
        record_id=row["record_id"],
        purposes=tuple(row["purposes"]),
        channel=row["channel"],
        event_type=Event(row["event_type"]),
        event_time=row["event_time"],
        validity_end=row["validity_end"],
        parental_ref=row["parental_ref"],
    )


def _put_purpose(connection: Connection, purpose: PurposeText) -> int:
    values = (
        purpose.id,
        purpose.version,
        Jsonb(dict(purpose.title)),
        Jsonb(dict(purpose.text)),
        purpose.legal_basis,
        Jsonb(list(purpose.recipients)),
        purpose.retention,
    )
    written = connection.execute(_PUT_PURPOSE, values).rowcount
    if not written and connection.execute(_SAME_PURPOSE, values).fetchone() is None:
        fault = f"La finalité {purpose.id} a changé sans changer de version ({purpose.version})."
        raise ConfigurationError(fault)
    return written


def _put_notice(connection: Connection, notice: NoticeText) -> int:
    values = (
        notice.version,
        notice.locale,
        notice.sha256,
        notice.text,
        list(notice.purposes),
        list(notice.recipients),
    )
    written = connection.execute(_PUT_NOTICE, values).rowcount
    if not written and connection.execute(_SAME_NOTICE, values).fetchone() is None:
        fault = f"Le texte {notice.version} ({notice.locale}) a changé sans changer de version."
        raise ConfigurationError(fault)
    return written
