"""What a step changes in the hub's own tables, in the very statement that logs the step.

A step never writes: it returns effects, and the transition that fences the run writes them all or
none. Field names are column names; ``run_id`` is the run's own and is added by the store.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.receipts import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class CitizenAnnounced:
    """A new person, known only by what a sender said; owns the data key of the run's message."""

    id: UUID
    language: str
    age_band: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKeyGiven:
    """The data key of the message now belongs to a person, and goes when they are erased."""

    id: UUID
    citizen_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudonymGiven:
    """What one service sees of a person."""

    citizen_id: UUID
    service: str
    pseudonym: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreregistrationStaged:
    """A place kept for a person at a library, in the hub."""

    id: UUID
    source: str
    subject: str
    citizen_id: UUID
    our_ref: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PreregistrationRenewed:
    """A lapsed pre-registration of the same sender and subject lives again, under a new run."""

    id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceChosen:
    """The library of a pre-registration."""

    id: UUID
    place_id: str
    service_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreregistrationMoved:
    """A pre-registration's new state, with the library's own reference when it gave one."""

    id: UUID
    state: str
    external_ref: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecorded:
    """One event of consent, append-only."""

    record_id: UUID
    subject_ref: str
    controller: str
    purposes: tuple[str, ...]
    channel: str
    recipients: tuple[str, ...]
    notice_version: str
    notice_sha256: str
    locale: str
    ui_evidence: Mapping[str, Any]
    collected_by: str
    event_type: str
    event_time: datetime
    validity_end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InterestKept:
    """A theme a person chose."""

    citizen_id: UUID
    theme: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessCodeIssued:
    """An access code: its row and the digest it is looked up by, never the code."""

    id: UUID
    preregistration_id: UUID
    digest: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessCodesReplaced:
    """Earlier codes of the run stop opening anything: the person is sent the one named ``id``."""

    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationSent:
    """A message a gateway accepted for a person."""

    id: UUID
    citizen_id: UUID | None
    template: str
    language: str
    channel: str
    purpose: str
    basis_record: UUID | None
    profile: str
    provider_ref: str | None
    segments: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalConsumed:
    """A stored signal that a wait took."""

    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessCodeRevoked:
    """An access code opens nothing any more."""

    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOpened:
    """A person must look at the run; ``decisions`` are separated by a blank."""

    id: UUID
    step: str
    kind: str
    question: str
    decisions: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksClosed:
    """Nobody need decide any more: the run went on without."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeMade:
    """One exchange with a system, made by a step (sealed by the store)."""

    step: str
    exchange: Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """The run ended: told on the bus (``run.ended.v1``), without anything about a person."""

    journey: str
    outcome: str
    service: str | None
    territory: str | None


Effect = (
    CitizenAnnounced
    | DataKeyGiven
    | PseudonymGiven
    | PreregistrationStaged
    | PreregistrationRenewed
    | PlaceChosen
    | PreregistrationMoved
    | ConsentRecorded
    | InterestKept
    | AccessCodeIssued
    | NotificationSent
    | SignalConsumed
    | AccessCodeRevoked
    | AccessCodesReplaced
    | TaskOpened
    | TasksClosed
    | ExchangeMade
    | RunEnded
)
