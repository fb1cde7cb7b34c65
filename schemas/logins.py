"""Signing in: what an identity provider vouches for, in words of ours, whatever the protocol.

Values only; they cross the port between the use cases and the clients of identity protocols.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Final

CIVIL_STATUS: Final = (
    "given_names",
    "birth_name",
    "birthdate",
    "gender",
    "birthplace",
    "birthcountry",
)


class Level(IntEnum):
    """How sure we are of a person, one scale for logins, sessions, accounts and services."""

    DECLARED = 0
    CONTACT_PROVED = 1
    ACCOUNT_PROVED = 2
    STRONG = 3
    SEEN = 4


class Face(StrEnum):
    """Which of the two sign-ins: each has its own realm, addresses and cookie."""

    CITIZEN = "citizen"
    CONSOLE = "console"


class SamlPurpose(StrEnum):
    """Why a conversation with the identity provider was begun."""

    LOGIN = "login"
    STEP_UP = "step_up"
    LINK = "link"
    UNLINK = "unlink"
    LOGOUT = "logout"


class Binding(StrEnum):
    """How a SAML message travels through the browser."""

    REDIRECT = "redirect"
    POST = "post"


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """Where the browser is sent, and the id of the request it carries."""

    request_id: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The request an answer must belong to; ``relay_key`` is what the browser carried."""

    request_id: str
    relay_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlMessage:
    """A message as the browser brought it.

    ``text`` is base64 as received; on the redirect binding ``query`` is the raw query string, whose
    bytes are what was signed.
    """

    binding: Binding
    text: str = field(repr=False)
    relay_state: str | None = None
    query: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CivilStatus:
    """The six fields of the national pivot identity, as the provider wrote them."""

    given_names: str = field(repr=False)
    birth_name: str = field(repr=False)
    birthdate: str = field(repr=False)
    gender: str = field(repr=False)
    birthplace: str = field(repr=False)
    birthcountry: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A verified answer of an identity provider, before anybody decided who that is.

    ``issuer`` is the realm's URL; ``name_id`` is coded (format and qualifiers included), to be given
    back as it came; ``attributes`` hold at most what the rules of the answer let through.
    """

    issuer: str
    request_id: str
    message_ids: tuple[str, ...]
    name_id: str = field(repr=False)
    session_index: str
    valid_until: datetime
    session_ends_at: datetime | None
    attributes: Mapping[str, tuple[str, ...]] = field(repr=False)

    def value(self, name: str) -> str | None:
        """Return the only value of an attribute, or None."""
        values = self.attributes.get(name, ())
        return values[0] if len(values) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutAsked:
    """A verified logout request; without a session index it means every session of the name."""

    request_id: str
    issuer: str
    valid_until: datetime
    name_id: str = field(repr=False)
    session_index: str | None
    relay_state: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutAnswered:
    """A verified answer to our logout request."""

    in_response_to: str
    is_success: bool


__all__ = [
    "CIVIL_STATUS",
    "Asked",
    "Binding",
    "CivilStatus",
    "Departure",
    "Face",
    "Level",
    "LogoutAnswered",
    "LogoutAsked",
    "SamlMessage",
    "SamlPurpose",
    "SignedIn",
]
