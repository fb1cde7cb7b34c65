"""The applications of the city that hold a token of the realm, as rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class ClientKind(StrEnum):
    """Whose tokens a client brings: its own, or those of citizens signed in through it."""

    APPLICATION = "application"
    CITIZEN = "citizen"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedClient:
    """A client to put in service, as somebody asked for it."""

    client_id: str
    application: str
    kind: ClientKind
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiClient:
    """A client of the realm that may call us, and what for; ``disabled_at``: no more."""

    client_id: str
    application: str
    kind: ClientKind
    scopes: frozenset[str]
    added_by: str
    added_at: datetime
    disabled_at: datetime | None


class ApiClientRows(Protocol):
    """The rows; every change is written in the journal with it."""

    def clients(self) -> Sequence[ApiClient]:
        """Return every client, in service or not, by name."""

    def add(self, wanted: WantedClient, *, actor: str) -> bool:
        """Put a client in service, a disabled one again; False when it is in service already."""

    def disable(self, client_id: str, *, actor: str) -> bool:
        """Take a client out of service; False when none of that name is in service."""
