"""The rows of consent: purposes and texts, written once and never changed; records, read in order."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from psycopg.types.json import Jsonb

from identity import consent
from identity.consent import ConsentRecord, Event
from orchestrator.services.purposes import NOTICES, PURPOSES, NoticeText, PurposeText
from orchestrator.store.connections import Connection, Database
from schemas.errors import ConfigurationError

_RECORDS: Final = """
SELECT record_id, purposes, channel, event_type, event_time, validity_end, parental_ref
  FROM consent_record WHERE subject_ref = %s AND %s = ANY(purposes)
"""
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
    """Reads what people said; writes the catalogue."""

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

    def records_of(self, subject_ref: str, purpose: str) -> tuple[ConsentRecord, ...]:
        """Return every record of a person about a purpose."""
        rows = self._database.all(_RECORDS, (subject_ref, purpose))
        return tuple(
            ConsentRecord(
                record_id=row["record_id"],
                purposes=tuple(row["purposes"]),
                channel=row["channel"],
                event_type=Event(row["event_type"]),
                event_time=row["event_time"],
                validity_end=row["validity_end"],
                parental_ref=row["parental_ref"],
            )
            for row in rows
        )

    def consent_state(
        self, subject_ref: str, purpose: str, channel: str, *, at: datetime
    ) -> consent.State:
        """Return where a person stands on a purpose by a channel."""
        return consent.state(self.records_of(subject_ref, purpose), purpose, channel, at)


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
