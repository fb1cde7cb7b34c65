"""The consent gate: may this leave, for this purpose, by this channel, now?

Asked when a step runs, never when it was planned; what a person withdrew a moment ago stops what is
still queued.
"""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from identity.consent import NO_CHANNEL, may
from orchestrator.services.ports.running import Basis, Told
from schemas import clock


class ConsentBook(Protocol):
    """What people said."""

    def told(self, citizen_id: UUID, purpose: str) -> Told:
        """Return every record of a person about a purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consents:
    """Implements ``ports.running.ConsentGate`` on the records of consent."""

    book: ConsentBook

    def basis(
        self,
        citizen_id: UUID | None,
        purpose: str,
        channel: str | None,
        *,
        known: dict[str, Told] | None = None,
    ) -> Basis | None:
        """Return the consent in force, or None."""
        if citizen_id is None:
            return None
        told = known.get(purpose) if known else None
        if told is None:
            told = self.book.told(citizen_id, purpose)
            if known is not None:
                known[purpose] = told
        allowed = may(
            told.records,
            purpose,
            channel or NO_CHANNEL,
            clock.utcnow(),
            age_band=told.age_band,
        )
        return Basis(kind=allowed.kind, record_id=allowed.record_id) if allowed else None

    def ever(self, citizen_id: UUID | None, purpose: str) -> bool:
        """Tell whether there ever was a consent, by whatever channel."""
        if citizen_id is None:
            return False
        return any(
            record.event_type.opens for record in self.book.told(citizen_id, purpose).records
        )
