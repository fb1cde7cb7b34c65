"""What is known of every system's breaker, and what people may do to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestrator.engine.breaker import Cause, Standing, State


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRow:
    """One system with its breaker.

    ``version`` is the one of the settings that were refused; ``is_awaited`` tells whether a run
    waits for the system.
    """

    profile: str
    connector: str
    state: State
    cause: Cause | None
    reason: str | None
    actor: str | None
    version: str | None
    probes: int
    opened_at: datetime | None
    next_probe_at: datetime | None
    trial_until: datetime | None
    slow_until: datetime | None
    is_awaited: bool

    @property
    def standing(self) -> Standing:
        """What calls look at."""
        return Standing(
            state=self.state,
            cause=self.cause,
            trial_until=self.trial_until,
            slow_until=self.slow_until,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pausing:
    """A person's decision not to call a system until a moment."""

    profile: str
    reason: str
    actor: str
    until: datetime


class PausedByHand(Protocol):
    """The breakers as people operate them."""

    def rows(self) -> Sequence[BreakerRow]:
        """Return every system with its breaker."""

    def pause(self, pausing: Pausing) -> None:
        """Open a breaker by hand until a date."""

    def resume(self, profile: str, *, actor: str) -> bool:
        """Have an open breaker tried at once; False when it is not open."""
