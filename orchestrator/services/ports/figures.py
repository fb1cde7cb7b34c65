"""What the people who watch the hub ask its tables for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the tables know of the hub's state, read in one go."""

    outbox_pending: int
    outbox_oldest_seconds: float
    runs: Mapping[tuple[str, str], int]  # (journey, status) → open runs
    dead_letters: Mapping[str, int]  # source of the dead letter → open ones
    stuck: Mapping[str, int]  # profile or reason → stuck runs
    circuits: Mapping[str, str]  # profile → state
    revision: int
    outbox_refused: int = 0


class FigureReader(Protocol):
    """Reads the figures."""

    def figures(self) -> Figures:
        """Return them as of now."""
