"""A person stops calls to a system until a date, or has it tried again now.

A pause always has a reason and an end: nothing stays switched off because it was forgotten.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from orchestrator.engine.breaker import State
from orchestrator.services.ports.breakers import BreakerRow, PausedByHand, Pausing
from orchestrator.services.run_operations import checked_reason
from schemas import clock
from schemas.errors import (
    PauseEndError,
    SystemNotPausedError,
    SystemUnknownError,
)
from schemas.shapes import nearest

USUAL: Final = timedelta(hours=24)
LONGEST: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPauses:
    """Use cases of people who look after systems."""

    breakers: PausedByHand

    def systems(self) -> Sequence[BreakerRow]:
        """Return every system with its breaker, by name."""
        return self.breakers.rows()

    def pause(
        self, profile: str, *, reason: str, actor: str, until: datetime | None = None
    ) -> Pausing:
        """Stop calls to a system; its runs wait in order, messages are still accepted.

        Raises:
            SystemUnknownError: no such system.
            ReasonMissingError: no reason, or one that may name somebody.
            PauseEndError: the end is past, or more than 30 days away.
        """
        self._known(profile)
        words = checked_reason(reason)
        now = clock.utcnow()
        end = until or now + USUAL
        if not now < end <= now + LONGEST:
            raise PauseEndError
        pausing = Pausing(profile=profile, reason=words, actor=actor, until=end)
        self.breakers.pause(pausing)
        return pausing

    def resume(self, profile: str, *, actor: str) -> None:
        """Have a system tried now, whatever stopped the calls; it closes when it answers.

        Raises:
            SystemUnknownError: no such system.
            SystemNotPausedError: calls pass already.
        """
        row = self._known(profile)
        if row.state is State.CLOSED:
            raise SystemNotPausedError
        if row.state is State.OPEN:  # a half-open breaker is being tried already
            self.breakers.resume(profile, actor=actor)

    def _known(self, profile: str) -> BreakerRow:
        rows = {row.profile: row for row in self.breakers.rows()}
        if profile not in rows:
            detail = f"« {profile[:60]} » n'existe pas.{nearest(profile, rows)}"
            raise SystemUnknownError(detail)
        return rows[profile]
