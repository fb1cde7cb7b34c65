"""What a citizen's own space needs of the store."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from orchestrator.services.access_codes import Redemption
from orchestrator.services.ports.portal import PortalSpace
from schemas.logins import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentLine:
    """The last word about one purpose by one channel."""

    purpose: str
    channel: str
    event_type: str
    event_time: datetime
    validity_end: datetime | None
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreregistrationLine:
    """A pre-registration as its person may see it."""

    state: str
    our_ref: str
    expires_at: datetime
    library: str | None


class Change(StrEnum):
    """What became of the ways a citizen signs in: their own acts, and those of an agent."""

    ADDED = "added"
    TAKEN_AWAY = "taken_away"
    CLOSED = "closed"
    JOINED = "joined"
    PARTED = "parted"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginChange:
    """One change of the ways a citizen signs in; ``alias`` is None when it was about a whole citizen."""

    at: datetime
    change: Change
    alias: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlinking:
    """A login to be taken away, by whom and on the strength of which login."""

    citizen_id: UUID = field(repr=False)
    login_id: UUID
    session_id: UUID | None
    proved_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeHolder:
    """Who says that a code is theirs; ``who`` is what wrong tries are counted by.

    ``session_id`` is the session on our pages that asks, None when an application does.
    """

    citizen_id: UUID = field(repr=False)
    level: Level
    who: str
    session_id: UUID | None = None


class CitizenSpaceRows(Protocol):
    """A citizen's places, logins and consents."""

    def space(self, citizen_id: UUID, *, level: Level) -> PortalSpace:
        """Return what is the citizen's."""

    def consents(self, citizen_id: UUID) -> Sequence[ConsentLine]:
        """Return the last word about each purpose and channel."""

    def preregistrations(self, citizen_id: UUID) -> Sequence[PreregistrationLine]:
        """Return the citizen's pre-registrations."""

    def login_changes(self, citizen_id: UUID) -> Sequence[LoginChange]:
        """Return the last changes of how the citizen signs in, newest first."""

    def unlink(self, unlinking: Unlinking) -> None:
        """Take a login away with what hung on it."""

    def close_account(self, citizen_id: UUID, account_id: UUID) -> None:
        """Close the citizen's place in a service."""


class SignedInCodes(Protocol):
    """Access codes used by somebody who is signed in."""

    def redeem(
        self, digest: bytes, citizen_id: UUID, *, level: Level, session_id: UUID | None
    ) -> Redemption:
        """Use a live code up for a citizen and move what stands behind it, all or nothing."""
