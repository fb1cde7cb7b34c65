"""What wakes a worker: the same face whether wakes come from the outbox itself or from RabbitMQ.

A wake only says "look at this run"; the run's row decides. It may be lost (the sweeper finds the
run) and it may come twice (one worker at a time has a run in hand).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from schemas.errors import ParvisError, Recovery


class WakesAwayError(ParvisError):
    """Where wakes come from is away for now: close the waker, pause, acquire again."""

    recovery = Recovery.RETRY


class RunHeldError(ParvisError):
    """Another process has the run in hand: look again in a moment."""

    recovery = Recovery.RETRY


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """A run that must be looked at; ``redelivered`` when another worker may have been at it.

    ``id`` is the waker's own, good for ``settle`` and ``give_back`` of the waker that gave it.
    """

    id: int
    run_id: UUID
    redelivered: bool


class Waker(Protocol):
    """Gives wakes to one worker process; ``acquire``, ``take``, ``wait`` raise WakesAwayError."""

    def acquire(self) -> bool:
        """Begin to receive wakes; False while somebody else does, or while we could not serve."""

    def take(self, most: int) -> list[Wake]:
        """Return wakes nobody of ours holds yet, oldest first, without waiting."""

    def settle(self, wakes: Iterable[int]) -> None:
        """Say that these wakes' runs parked or ended; unknown ids mean nothing."""

    def give_back(self, wakes: Iterable[int]) -> None:
        """Say that these wakes could not be served; they will be given again."""

    def wait(self, seconds: float = 1.0) -> None:
        """Wait until there may be something to take, ``seconds`` at most."""

    def drain(self) -> None:
        """Take no more; what was not handed out goes to others, what was can still be settled."""

    def close(self) -> None:
        """Let go of everything; what was not settled is given again, to us or to others."""
