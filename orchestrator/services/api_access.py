"""Who calls the API with a token, and what that lets them do.

The token is checked first, then the row of its client, then the right that the address needs: an
application's own token needs a role of the realm and a scope of its row, a citizen's token needs a
scope of the row and a person who signed in on our pages before.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from identity.tokens import Audience, Claims, KeyOf, read_bearer
from orchestrator.services.ports.api_clients import ApiClient, ClientKind
from schemas import clock
from schemas.errors import AccessRefusedError


class InService(Protocol):
    """The clients in service."""

    def get(self, client_id: str) -> ApiClient | None:
        """Return a client in service, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A token that is trusted and the client it was given to."""

    client: ApiClient
    claims: Claims = field(repr=False)

    @property
    def quota_of(self) -> str:
        """Whose requests are counted together: those of one application's client."""
        return f"client {self.client.client_id}"

    def as_application(self, right: str) -> None:
        """Check that an application may do this in its own name.

        Raises:
            AccessRefusedError: it is a citizen's token, or the role or the scope is missing.
        """
        self._check_kind(ClientKind.APPLICATION)
        if right not in self.claims.roles:
            raise AccessRefusedError("role")
        self._check_scope(right)

    def as_citizen(self, scope: str) -> None:
        """Check that this client may do this for a citizen.

        Raises:
            AccessRefusedError: it is an application's own token, or the scope is missing.
        """
        self._check_kind(ClientKind.CITIZEN)
        self._check_scope(scope)

    def _check_kind(self, kind: ClientKind) -> None:
        if self.client.kind is not kind:
            raise AccessRefusedError("kind")

    def _check_scope(self, scope: str) -> None:
        if scope not in self.client.scopes:
            raise AccessRefusedError("scope")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAccess:
    """Reads tokens of one realm, made for us, given to a client in service."""

    audience: Audience
    key_of: KeyOf
    clients: InService
    now: Callable[[], datetime] = clock.utcnow

    def caller(self, authorization: str | None) -> Caller:
        """Return who calls.

        Raises:
            TokenRefusedError: the token is not trusted.
            IdentityUnavailableError: no key of the realm is known, so that nothing can be told.
            AccessRefusedError: its client is none of ours, or not any more.
        """
        claims = read_bearer(
            authorization, audience=self.audience, key_of=self.key_of, now=self.now()
        )
        client = self.clients.get(claims.client_id) if claims.client_id else None
        if client is None:
            raise AccessRefusedError("client")
        if claims.service_client not in (None, client.client_id):
            raise AccessRefusedError("client_id")
        return Caller(client=client, claims=claims)


__all__ = ["ApiAccess", "Caller", "InService"]
