"""The consent gate: may this leave, for this purpose, by this channel, now?

Asked when a step runs, never when it was planned; what a person withdrew a moment ago stops what is
still queued.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from identity.consent import NO_CHANNEL, ConsentRecord, may
from orchestrator.services.ports.running import Basis
from schemas import clock

JOURNAL: Final = "journal"


class ConsentBook(Protocol):
    """What people said."""

    def records_of(self, subject_ref: str, purpose: str) -> Sequence[ConsentRecord]:
        """Return every record of a person about a purpose."""


class PeopleBook(Protocol):
    """Under which reference a person's consents are kept, and how old they said they are."""

    def pseudonym_of(self, citizen_id: UUID, service: str) -> str | None:
        """Return what a service sees of a person."""

    def age_band_of(self, citizen_id: UUID) -> str | None:
        """Return the age band a person or a sender gave, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consents:
    """Implements ``ports.running.ConsentGate`` on the records of consent."""

    book: ConsentBook
    people: PeopleBook

    def basis(self, citizen_id: UUID | None, purpose: str, channel: str | None) -> Basis | None:
        """Return the consent in force, or None."""
        subject_ref = self.people.pseudonym_of(citizen_id, JOURNAL) if citizen_id else None
        if citizen_id is None or subject_ref is None:
            return None
        allowed = may(
            self.book.records_of(subject_ref, purpose),
            purpose,
            channel or NO_CHANNEL,
            clock.utcnow(),
            age_band=self.people.age_band_of(citizen_id),
        )
        return Basis(kind=allowed.kind, record_id=allowed.record_id) if allowed else None
