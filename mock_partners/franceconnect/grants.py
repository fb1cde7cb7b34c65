"""What the provider remembers: sign-ins under way, codes, access tokens, sessions of browsers."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime

from mock_partners.franceconnect.people import Person

__all__ = ["Grant", "Grants", "Interaction", "Session", "Visit"]


@dataclass(slots=True, kw_only=True)
class Visit:
    """What a service asked for when it sent somebody here."""

    client_id: str
    redirect_uri: str
    state: str
    nonce: str
    scopes: tuple[str, ...]
    level: str


@dataclass(slots=True, kw_only=True)
class Interaction:
    """One sign-in under way; `person` is known once they chose."""

    id: str
    visit: Visit
    person: Person | None = None
    signed_in_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Grant:
    """What somebody agreed to give: a code, then one access token."""

    visit: Visit
    person: Person
    signed_in_at: datetime
    granted_at: datetime
    is_used: bool = False
    token: str | None = None
    token_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Session:
    """A browser that somebody signed in with."""

    person: Person
    signed_in_at: datetime


@dataclass(slots=True)
class Grants:
    """The memory of one provider, under the desk's lock."""

    interactions: dict[str, Interaction] = field(default_factory=dict)
    codes: dict[str, Grant] = field(default_factory=dict)
    tokens: dict[str, Grant] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)

    def begin(self, visit: Visit) -> Interaction:
        """Keep a sign-in that begins."""
        interaction = Interaction(id=secrets.token_urlsafe(24), visit=visit)
        self.interactions[interaction.id] = interaction
        return interaction

    def open_session(self, person: Person, *, at: datetime) -> str:
        """Keep a browser's session; returns the value of its cookie."""
        cookie = secrets.token_urlsafe(32)
        self.sessions[cookie] = Session(person=person, signed_in_at=at)
        return cookie

    def agree(self, interaction: Interaction, *, at: datetime) -> str:
        """End a sign-in in a code."""
        assert interaction.person is not None  # noqa: S101  the page of consent comes after the choice
        assert interaction.signed_in_at is not None  # noqa: S101
        code = secrets.token_urlsafe(32)
        self.codes[code] = Grant(
            visit=interaction.visit,
            person=interaction.person,
            signed_in_at=interaction.signed_in_at,
            granted_at=at,
        )
        del self.interactions[interaction.id]
        return code

    def spend(self, grant: Grant, *, at: datetime) -> str:
        """Give the access token of a code."""
        grant.is_used, grant.token, grant.token_at = True, secrets.token_urlsafe(32), at
        self.tokens[grant.token] = grant
        return grant.token

    def revoke(self, token: str | None) -> bool:
        """Forget an access token; tells whether there was one."""
        return token is not None and self.tokens.pop(token, None) is not None
