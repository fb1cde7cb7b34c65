"""What an application may read and do for a citizen: the use cases behind a citizen's token."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from orchestrator.services.access_codes import Redemption
from schemas.logins import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCitizen:
    """The citizen behind a token, for one call.

    ``level`` is the lesser of what the sign-in proved and what the login is worth; ``proved_at`` is
    when the person last proved who they are, by the provider ``idp_alias`` (None: nobody can tell).
    """

    login_id: UUID
    citizen_id: UUID = field(repr=False)
    level: Level
    idp_alias: str | None
    proved_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalAccount:
    """A citizen's place in one service."""

    id: UUID
    service_id: str
    name: str
    state: str
    level: Level
    method: str
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalLogin:
    """One way the citizen signs in, without its subject."""

    id: UUID
    alias: str
    method: str
    level: Level
    since: datetime
    last_used_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalSpace:
    """What is the citizen's; no civil status."""

    level: Level
    state: str
    language: str
    accounts: Sequence[PortalAccount]
    logins: Sequence[PortalLogin]


class CitizensOfTokens(Protocol):
    """Who is behind a token."""

    def find(self, issuer: str, subject: str, *, provider: str | None) -> TokenCitizen | None:
        """Return the citizen of a realm's subject as the link knows them, or None.

        ``provider`` is who signed the person in for the realm; a link taken away opens nothing.
        """


class Citizens(Protocol):
    """The use cases of a signed-in citizen, reached by a token instead of a session's cookie."""

    def space(self, citizen: TokenCitizen) -> PortalSpace:
        """Return what is the citizen's."""

    def redeem(self, citizen: TokenCitizen, code: str, *, network: str) -> Redemption:
        """Use an access code up for the citizen."""

    def close_account(self, citizen: TokenCitizen, account_id: UUID) -> None:
        """Close an account of the citizen; NotFoundError when it is not theirs."""

    def unlink(self, citizen: TokenCitizen, login_id: UUID) -> None:
        """Take a login away; NotFoundError when it is not theirs."""
