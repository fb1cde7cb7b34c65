"""What signalling a run needs of the store."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Signalled:
    """A run somebody wants to signal: what it follows, and whether it is over."""

    journey: str
    version: int
    is_over: bool


class SignalRows(Protocol):
    """Stores signals."""

    def signalled(self, run_id: UUID) -> Signalled | None:
        """Return what a run is of, or None."""

    def signal(
        self, run_id: UUID, name: str, *, dedup: str, payload: Mapping[str, Any] | None = None
    ) -> None:
        """Store a signal once and wake the run when it waits for that name."""
