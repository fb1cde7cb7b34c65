"""Which applications may call the API with a token of the realm, and for what.

A token proves who was given it; the row of its client says what the city lets it be used for. A
client without a row, or whose row is disabled, has no access, whatever the realm put in its token.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from orchestrator.services.ports.api_clients import (
    ApiClient,
    ApiClientRows,
    ClientKind,
    WantedClient,
)
from orchestrator.services.snapshots import Snapshot
from schemas import clock
from schemas.errors import ConflictError, InvalidPayloadError, NotFoundError

CATALOGUE_READ: Final = "catalogue:read"
ME_READ: Final = "me:read"
ME_WRITE: Final = "me:write"
SCOPES: Final[Mapping[ClientKind, tuple[str, ...]]] = {
    ClientKind.APPLICATION: (CATALOGUE_READ,),
    ClientKind.CITIZEN: (ME_READ, ME_WRITE),
}
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_APPLICATION: Final = re.compile(r"[a-z][a-z0-9_]{1,39}")


class ClientExistsError(ConflictError):
    """A client of that name is in service already."""

    title = "Ce client est déjà en service."


class ClientUnknownError(NotFoundError):
    """No client of that name is in service."""

    title = "Aucun client de ce nom n'est en service."


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiClients:
    """Adds, disables and lists clients."""

    rows: ApiClientRows

    def add(self, wanted: WantedClient, *, actor: str) -> None:
        """Put a client in service, with every scope of its kind when none is named.

        Raises:
            InvalidPayloadError: a name or a scope that cannot be.
            ClientExistsError: it is in service already.
        """
        faults = tuple(_faults(wanted))
        if faults:
            raise InvalidPayloadError(faults)
        scopes = wanted.scopes or SCOPES[wanted.kind]
        whole = WantedClient(
            client_id=wanted.client_id,
            application=wanted.application,
            kind=wanted.kind,
            scopes=tuple(sorted(set(scopes))),
        )
        if not self.rows.add(whole, actor=actor):
            raise ClientExistsError

    def disable(self, client_id: str, *, actor: str) -> None:
        """Take a client out of service; its tokens are refused within a second.

        Raises:
            ClientUnknownError: none of that name is in service.
        """
        if not self.rows.disable(client_id, actor=actor):
            raise ClientUnknownError

    def listed(self) -> Sequence[ApiClient]:
        """Return every client, in service or not."""
        return self.rows.clients()


class ClientsInService:
    """The clients in service as one process knows them, at most a second old."""

    def __init__(
        self, rows: ApiClientRows, *, monotonic: Callable[[], float] = clock.monotonic
    ) -> None:
        self._rows = rows
        self._snapshot = Snapshot(self._read, monotonic=monotonic)

    def get(self, client_id: str) -> ApiClient | None:
        """Return a client in service, or None."""
        return self._snapshot.get().get(client_id)

    def _read(self) -> Mapping[str, ApiClient]:
        live = {row.client_id: row for row in self._rows.clients() if row.disabled_at is None}
        return MappingProxyType(live)


def _faults(wanted: WantedClient) -> Sequence[tuple[str, str]]:
    faults = []
    if not _CLIENT_ID.fullmatch(wanted.client_id):
        faults.append(("#/client_id", "Le nom du client a 1 à 64 lettres, chiffres, « . _ - »."))
    if not _APPLICATION.fullmatch(wanted.application):
        faults.append(
            ("#/application", "Le nom de l'application est fait de a-z, 0-9 et _ (2 à 40).")
        )
    unknown = sorted(set(wanted.scopes) - set(SCOPES[wanted.kind]))
    if unknown:
        possible = ", ".join(SCOPES[wanted.kind])
        faults.append(("#/scopes", f"Droits possibles pour ce genre de client : {possible}."))
    return faults


__all__ = [
    "CATALOGUE_READ",
    "ME_READ",
    "ME_WRITE",
    "SCOPES",
    "ApiClients",
    "ClientExistsError",
    "ClientUnknownError",
    "ClientsInService",
]
