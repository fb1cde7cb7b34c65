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


@dataclass(frozen=True, slots=True, kw_only=True)
class HandSignal:
    """A signal that a person gives; ``reason`` and ``payload`` are kept sealed."""

    name: str
    dedup: str
    actor: str
    reason: str
    payload: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What became of it: ``name`` is what was given first under its key, maybe another signal."""

    name: str
    status: str
    is_new: bool
    is_reason_kept: bool


class SignalRows(Protocol):
    """Stores signals."""

    def signalled(self, run_id: UUID) -> Signalled | None:
        """Return what a run is of, or None."""

    def signal(
        self, run_id: UUID, name: str, *, dedup: str, payload: Mapping[str, Any] | None = None
    ) -> None:
        """Store a signal once and wake the run when it waits for that name."""


class HandSignals(Protocol):
    """Stores the signals of people, each with the row that names who gave it."""

    def give(self, run_id: UUID, given: HandSignal) -> Heard | None:
        """Store a signal once and wake the run when it waits for it; None when the run is over.

        Raises:
            RunErasedError: the data key of the run is gone, so nothing can be kept with the signal.
        """
