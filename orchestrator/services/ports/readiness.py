"""What readiness asks of the store."""

from collections.abc import Collection
from typing import Protocol


class ReadinessStore(Protocol):
    """Reads that tell whether this code fits this database; all raise StoreUnavailableError."""

    def revision(self) -> str | None:
        """Return the migration the database is at."""

    def versions_under_way(self) -> Collection[tuple[str, int]]:
        """Return (journey, version) of every run that has not ended."""

    def oldest_wait_seconds(self) -> float:
        """Return how long the oldest message of the outbox has waited, 0 when none does."""
