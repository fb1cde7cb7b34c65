"""What signing in needs: a service provider that speaks SAML, and where its description comes from."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, Protocol
from uuid import UUID

from schemas.logins import (
    Asked,
    Departure,
    Face,
    Level,
    LogoutAnswered,
    LogoutAsked,
    SamlMessage,
    SamlPurpose,
    SignedIn,
)

FLOOD: Final = timedelta(hours=1)
"""The span over which refused messages of one network are counted."""


class ServiceProvider(Protocol):
    """One SAML configuration of the hub facing one realm; keeps no state of its own.

    Every reading method raises ``SamlRefusedError(code)`` and nothing else for a message that cannot
    be trusted.
    """

    def metadata(self) -> bytes:
        """Return our description, signed."""

    def idp(self) -> str:
        """Return the entityID of the realm we face."""

    def is_there(self) -> bool:
        """Tell whether the realm answers, so that nobody is sent to a door that does not open."""

    def ask_login(
        self, *, relay_key: str, provider: str | None = None, is_forced: bool = False
    ) -> Departure:
        """Return where the browser goes to sign in; ``provider`` is the alias to offer at once.

        Raises:
            IdentityUnavailableError: the realm was never reached yet, so we do not know it.
        """

    def read_answer(self, message: SamlMessage, *, asked: Asked) -> SignedIn:
        """Verify an answer to a request of ours."""

    def ask_logout(self, *, name_id: str, session_index: str, relay_key: str) -> Departure:
        """Return where the browser goes to end the session at the realm."""

    def read_logout(self, message: SamlMessage) -> LogoutAsked:
        """Verify a logout request of the realm."""

    def answer_logout(self, asked: LogoutAsked) -> str:
        """Return where the browser goes with our answer to a logout request."""

    def read_logout_answer(self, message: SamlMessage) -> LogoutAnswered:
        """Verify the realm's answer to a logout request of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """The realm's description as last fetched and found good."""

    xml: str = field(repr=False)
    digest: bytes = field(repr=False)
    fetched_at: datetime


class Descriptors(Protocol):
    """The descriptions of the realm, shared by every process."""

    def current(self) -> Descriptor | None:
        """Return the last good one, or None while there never was one."""

    def refresh(self) -> Descriptor | None:
        """Fetch it anew, at most once a minute over all processes; returns the last good one."""

    def is_there(self) -> bool:
        """Tell whether the realm answers now, as far as was seen a few seconds ago."""


# --- what is kept of sign-ins ---------------------------------------------------------------------


class Outcome(Enum):
    """What an answer of the realm led to."""

    SIGNED_IN = "signed_in"
    STEPPED_UP = "stepped_up"
    LINKED = "linked"
    PROVED = "proved"
    UNDER_REVIEW = "under_review"
    UNPROVED = "unproved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody's open session on one face; a citizen's or a staff member's (``actor``).

    ``proved_at``: when they last proved who they are because we asked; ``csrf`` is what forms carry.
    """

    id: UUID
    face: Face
    login_id: UUID
    citizen_id: UUID | None = field(repr=False)
    actor: str | None = field(repr=False)
    level: Level
    csrf: str = field(repr=False)
    idp_alias: str | None
    proved_at: datetime | None
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlRequest:
    """A conversation under way, bound to the browser that began it."""

    id: str
    face: Face
    relay_key: str
    browser: bytes = field(repr=False)
    idp: str
    purpose: SamlPurpose
    level_wanted: Level
    is_forced: bool
    return_path: str
    session_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpening:
    """A session about to be opened; the cookie itself is nowhere but in the browser."""

    digest: bytes = field(repr=False)
    csrf: str = field(repr=False)
    lasts: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An answer on its way in: what was asked, what was answered, the session it would open."""

    asked: SamlRequest
    answer: SignedIn
    browser: bytes = field(repr=False)
    opening: SessionOpening


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRealm:
    """What the realm knows a session by."""

    name_id: str = field(repr=False)
    session_index: str


class SignInRows(Protocol):
    """Conversations, replays, logins and the sessions they open, for one face."""

    def depart(self, request: SamlRequest) -> None:
        """Keep a conversation for ten minutes."""

    def asked(self, relay_key: str) -> SamlRequest | None:
        """Return the conversation of a relay key while it is open."""

    def arrive(self, arrival: Arrival) -> Outcome:
        """Take an answer in once: decide who it is, open the session, write the journal; or nothing.

        Raises:
            SamlRefusedError: replayed, another browser's, another person's or too weak a sign-in.
        """

    def refused(self, code: str, case: str, *, network: str) -> bool:
        """Write in the journal that an answer was refused; False when too many came from there."""

    def failed(self, request_id: str, *, at_most: int) -> None:
        """Count a bad answer to a conversation; it is over after so many."""

    def answered(self, request_id: str, *, browser: bytes) -> str | None:
        """Close a conversation about logout; returns where the browser goes on."""

    def seen(self, asked: LogoutAsked) -> bool:
        """Note a request of the realm; False when it came before."""


class SessionRows(Protocol):
    """Open sessions of one face."""

    def find(self, digest: bytes) -> Session | None:
        """Return the live session of a cookie and note that it was seen."""

    def at_realm(self, session_id: UUID) -> AtRealm | None:
        """Return what the realm knows a session by."""

    def end(self, session_id: UUID, *, reason: str) -> None:
        """End one session."""

    def end_named(self, name_id: str, session_index: str | None) -> int:
        """End the sessions the realm named; returns how many."""
