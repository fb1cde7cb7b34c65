"""What signing in needs: a service provider that speaks SAML, and where its description comes from."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from schemas.logins import (
    Asked,
    Departure,
    LogoutAnswered,
    LogoutAsked,
    SamlMessage,
    SignedIn,
)


class ServiceProvider(Protocol):
    """One SAML configuration of the hub facing one realm; keeps no state of its own.

    Every reading method raises ``SamlRefusedError(code)`` and nothing else for a message that cannot
    be trusted.
    """

    def metadata(self) -> bytes:
        """Return our description, signed."""

    def idp(self) -> str:
        """Return the entityID of the realm we face."""

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
