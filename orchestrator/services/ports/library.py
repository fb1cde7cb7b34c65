"""What access codes and sign-ups need of the store: rows, exact counters, and where libraries are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Protocol
from uuid import UUID

from schemas.logins import Level
from schemas.messages import Accepted, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Commune:
    """A commune as a form offers it; ``is_served``: one of our territories holds it."""

    code: str
    name: str
    department: str
    is_served: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A library a person can walk into."""

    id: str
    name: str
    address: str | None
    postal_code: str | None
    commune: str
    distance_km: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCode:
    """The access code of a pre-registration (never the code itself) and its library."""

    access_code_id: UUID
    expires_at: datetime
    preregistration_ends_at: datetime
    library: Library | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most so many in any span of time; ``bucket`` is a keyed digest, never a value."""

    scope: str
    bucket: bytes
    at_most: int
    within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Signup:
    """A form on its way: what was answered, and how the proof of the contact stands."""

    id: UUID
    placement: str
    body: Mapping[str, Any]
    sends: int
    sent_at: datetime | None
    tries: int
    verified_at: datetime | None


class Asked(Enum):
    """What became of the demand for a verification code."""

    SENT = "sent"
    TOO_SOON = "too_soon"
    OVER_BUDGET = "over_budget"


class Attempts(Protocol):
    """Counts attempts exactly, over a sliding span, whatever runs in parallel."""

    def take(self, limits: Sequence[Limit]) -> frozenset[str]:
        """Count one attempt in every bucket, or in none; returns the scopes that are full."""

    def give_back(self, limits: Sequence[Limit]) -> None:
        """Take back one attempt: it turned out to be a right one."""


class AccessCodeRows(Protocol):
    """The rows of access codes."""

    def redeem(self, digest: bytes) -> bool:
        """Use a live code up and signal its run, both or neither; False when there is none."""

    def level_wanted(self, digest: bytes) -> Level:
        """Return how sure the service behind a live code must be of a person; DECLARED without one."""

    def issued_for(self, source: str, subject: str) -> IssuedCode | None:
        """Return the newest live code of a pre-registration, or None while there is none."""


class SignupRows(Protocol):
    """The rows of sign-ups; their bodies are sealed under a data key of their own."""

    def open(self, token_digest: bytes, *, placement: str, body: Mapping[str, Any]) -> Signup:
        """Return the form of a token, made with these answers when there was none."""

    def replace(self, signup: Signup, *, placement: str, body: Mapping[str, Any]) -> Signup:
        """Put other answers in place while the contact is not proved; a code that is out dies."""

    def find(self, token_digest: bytes) -> Signup | None:
        """Return a form that is not past its hour."""

    def find_by_id(self, signup_id: UUID) -> Signup | None:
        """Return a form by its id, as it stands now."""

    def ask(
        self, signup: Signup, *, body: Mapping[str, Any], contact: bytes, limits: Sequence[Limit]
    ) -> Asked:
        """Keep the answers and count one more code, within the limits, or change nothing.

        ``contact`` is the digest that forms of one contact are found by.
        """

    def verify(self, signup_id: UUID, *, sends: int) -> bool:
        """Mark the contact as proved by the code of that send; False when it no longer counts.

        The other forms that wait for a proof of this contact end: somebody else may have begun them.
        """

    def count_wrong_try(self, signup_id: UUID) -> int:
        """Count a wrong code; returns how many there were for this send."""


class Places(Protocol):
    """Where communes and their public libraries are."""

    def communes_of(self, postal_code: str) -> Sequence[Commune]:
        """Return the communes that share a postal code, by name."""

    def libraries_near(self, commune: str, *, most: int) -> Sequence[Library]:
        """Return the public libraries with opening hours that are nearest to a commune."""


class OwnMessages(Protocol):
    """The door of intake for what our own pages say."""

    def receive_own(self, message: Message) -> Accepted:
        """Take a message of ours in, once per id."""
