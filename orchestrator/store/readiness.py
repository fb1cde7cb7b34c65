"""Reads that tell whether this code fits this database."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

import psycopg

from orchestrator.store.connections import Database

MIGRATION_FILES: Final = Path(__file__).parent / "migrations" / "versions"
_REVISION: Final = "SELECT version_num FROM alembic_version"
_UNDER_WAY: Final = "SELECT DISTINCT journey, version FROM run WHERE ended_at IS NULL"

_OLDEST: Final = """
SELECT extract(epoch FROM parvis_now() - created_at)::float8 AS seconds
  FROM outbox ORDER BY id LIMIT 1"""


def newest_revision() -> str:
    """Return the newest migration this code knows: files are named after theirs, in order."""
    return max(file.name for file in MIGRATION_FILES.glob("[0-9]*.py")).partition("_")[0]


class ReadinessRows:
    """Implements ``ports.readiness.ReadinessStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def revision(self) -> str | None:
        """Return the migration the database is at, None when it was never migrated."""
        try:
            row = self._database.one(_REVISION)
        except psycopg.errors.UndefinedTable:
            return None
        return str(row["version_num"]) if row else None

    def versions_under_way(self) -> Collection[tuple[str, int]]:
        """Return (journey, version) of every run that has not ended."""
        return {(row["journey"], row["version"]) for row in self._database.all(_UNDER_WAY)}

    def oldest_wait_seconds(self) -> float:
        """Return how long the oldest message of the outbox has waited, 0 when none does."""
        row = self._database.one(_OLDEST)
        return float(row["seconds"]) if row else 0.0
