"""The rows of secrets: sealed under the master key, told to nobody but the call that needs them."""

from collections.abc import Collection, Mapping

from orchestrator.store.configuration import note_revision
from orchestrator.store.connections import Database
from orchestrator.store.journal import JournalEntry, write
from orchestrator.store.person_keys import new_key
from orchestrator.store.vault import ErasedError, Vault


class SecretRows:
    """Implements the port of secrets on PostgreSQL and the vault."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def names(self) -> frozenset[str]:
        """Return the names that have a value."""
        return frozenset(row["name"] for row in self._database.all("SELECT name FROM secret"))

    def values(self, names: Collection[str]) -> Mapping[str, str]:
        """Return the values of the names that have one and open with our master key."""
        rows = self._database.all(
            "SELECT name, sealed FROM secret WHERE name = ANY(%s)", (list(names),)
        )
        found: dict[str, str] = {}
        for row in rows:
            try:
                found[row["name"]] = self._vault.open_secret(row["name"], row["sealed"])
            except ErasedError:
                continue  # sealed under another master key: as good as absent
        return found

    def put(self, name: str, value: str, *, actor: str) -> None:
        """Set a secret, and tell the running processes by a revision that something changed."""
        self.put_together({name: value}, actor=actor)

    def put_together(
        self, values: Mapping[str, str | None], *, actor: str, entry: JournalEntry | None = None
    ) -> None:
        """Set several secrets at once or none of them; None takes one away; ``entry`` is journalled with it."""
        with self._database.transaction() as connection:
            for name, value in values.items():
                if value is None:
                    connection.execute("DELETE FROM secret WHERE name = %s", (name,))
                    continue
                connection.execute(
                    "INSERT INTO secret(name, sealed) VALUES (%s, %s) ON CONFLICT (name)"
                    " DO UPDATE SET sealed = excluded.sealed, updated_at = parvis_now()",
                    (name, self._vault.seal_secret(name, value)),
                )
            note_revision(connection, actor=actor, changes={"secrets": sorted(values)})
            if entry is not None:
                write(connection, new_key(connection, self._vault, None), entry)
