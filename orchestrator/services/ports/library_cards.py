"""What joining a library card needs: what a person typed, what became of it, and where it is kept."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol
from uuid import UUID

from schemas.logins import Level


class CardOutcome(Enum):
    """What became of a typed card; ``WRONG`` is one answer for unknown, mistyped and locked."""

    LINKED = "linked"
    WRONG = "wrong"
    EXPIRED = "expired"
    TOO_MANY_TRIES = "too_many_tries"
    ALREADY_THERE = "already_there"
    UNDER_REVIEW = "under_review"
    UNAVAILABLE = "unavailable"
    NOT_PROVED_ENOUGH = "not_proved_enough"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedCard:
    """A card as its holder typed it, for one library."""

    service_id: str
    number: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardHolder:
    """Who says that a card is theirs; ``who`` is what wrong tries are counted by.

    ``session_id`` is the session on our pages that asks, None when an application does.
    """

    citizen_id: UUID | None = field(repr=False)
    level: Level
    who: str
    session_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvedRecord:
    """A record of a library's system that a person proved to be theirs.

    ``level`` is their sign-in's, ``session_id`` the session that goes on.
    """

    citizen_id: UUID = field(repr=False)
    service_id: str
    reference: str = field(repr=False)
    level: Level = Level.CONTACT_PROVED
    session_id: UUID | None = None


class CardRows(Protocol):
    """Citizens' places in libraries."""

    def link(self, proved: ProvedRecord) -> CardOutcome:
        """Join a record to its citizen, or leave it to a person when somebody else holds it."""
