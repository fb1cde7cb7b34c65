"""Applications that call the API with a token: their rows, each change with its journal entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from psycopg.rows import DictRow

from orchestrator.services.ports.api_clients import ApiClient, ClientKind, WantedClient
from orchestrator.store.connections import Connection, Database
from orchestrator.store.journal import JournalEntry, write
from orchestrator.store.person_keys import new_key
from orchestrator.store.vault import Vault

_CLIENTS: Final = """
SELECT client_id, application, kind, scopes, added_by, added_at, disabled_at
  FROM api_client ORDER BY client_id"""
_ADD: Final = """
INSERT INTO api_client AS c (client_id, application, kind, scopes, added_by)
VALUES (%(client_id)s, %(application)s, %(kind)s, %(scopes)s, %(actor)s)
    ON CONFLICT (client_id) DO UPDATE
   SET application = excluded.application, kind = excluded.kind, scopes = excluded.scopes,
       added_by = excluded.added_by, added_at = parvis_now(), disabled_at = NULL, disabled_by = NULL
 WHERE c.disabled_at IS NOT NULL
RETURNING client_id, application, kind, scopes"""
_DISABLE: Final = """
UPDATE api_client SET disabled_at = parvis_now(), disabled_by = %(actor)s
 WHERE client_id = %(client_id)s AND disabled_at IS NULL
RETURNING client_id, application, kind, scopes"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiClientTable:
    """Implements ``ports.api_clients.ApiClientRows``."""

    database: Database
    vault: Vault

    def clients(self) -> Sequence[ApiClient]:
        """Return every client, in service or not, by name."""
        return [_client(row) for row in self.database.all(_CLIENTS)]

    def add(self, wanted: WantedClient, *, actor: str) -> bool:
        """Put a client in service, a disabled one again; False when it is in service already."""
        values = {
            "client_id": wanted.client_id,
            "application": wanted.application,
            "kind": wanted.kind.value,
            "scopes": list(wanted.scopes),
            "actor": actor,
        }
        with self.database.transaction() as connection:
            row = connection.execute(_ADD, values).fetchone()
            return self._told(connection, "client.added", row, actor=actor)

    def disable(self, client_id: str, *, actor: str) -> bool:
        """Take a client out of service; False when none of that name is in service."""
        values = {"client_id": client_id, "actor": actor}
        with self.database.transaction() as connection:
            row = connection.execute(_DISABLE, values).fetchone()
            return self._told(connection, "client.disabled", row, actor=actor)

    def _told(self, connection: Connection, kind: str, row: DictRow | None, *, actor: str) -> bool:
        if row is None:
            return False
        entry = JournalEntry(type=kind, actor_ref=actor, record=dict(row))
        write(connection, new_key(connection, self.vault, None), entry)
        return True


def _client(row: DictRow) -> ApiClient:
    return ApiClient(
        client_id=row["client_id"],
        application=row["application"],
        kind=ClientKind(row["kind"]),
        scopes=frozenset(row["scopes"]),
        added_by=row["added_by"],
        added_at=row["added_at"],
        disabled_at=row["disabled_at"],
    )
