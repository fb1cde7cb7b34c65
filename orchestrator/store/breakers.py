"""The state of every system, a row shared by all workers and looked at once a second."""

from datetime import datetime
from typing import Final

from orchestrator.store.connections import Database
from schemas import clock

_OPEN: Final = """
INSERT INTO breaker(profile, state, failures, reason, opened_at, next_probe_at)
VALUES (%(profile)s, 'open', 1, %(reason)s, parvis_now(), %(until)s)
ON CONFLICT (profile) DO UPDATE SET state = 'open', failures = breaker.failures + 1,
  reason = excluded.reason, next_probe_at = excluded.next_probe_at, updated_at = parvis_now(),
  opened_at = CASE WHEN breaker.state = 'open' THEN breaker.opened_at ELSE excluded.opened_at END"""
_CLOSE: Final = """
UPDATE breaker SET state = 'closed', failures = 0, reason = NULL, opened_at = NULL,
       next_probe_at = NULL, updated_at = parvis_now()
 WHERE profile = %s AND state <> 'closed'"""
_FRESH_SECONDS: Final = 1.0


class BreakerStore:
    """Reads are cached for a second; writes happen on a change of state only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._open: dict[str, datetime] = {}
        self._read_at = float("-inf")

    def open_until(self, profile: str) -> datetime | None:
        """Return when a paused system may be tried again, or None when it is not paused."""
        if clock.monotonic() - self._read_at > _FRESH_SECONDS:
            self._read()
        return self._open.get(profile)

    def open(self, profile: str, *, reason: str, until: datetime) -> None:
        """Pause a system; ``reason`` holds no person's data."""
        self._database.run(_OPEN, {"profile": profile, "reason": reason, "until": until})
        self._open[profile] = until

    def close(self, profile: str) -> None:
        """Say that a system answers again; nothing is written when it was not paused."""
        if self._open.pop(profile, None) is not None:
            self._database.run(_CLOSE, (profile,))

    def opened(self) -> frozenset[str]:
        """Return the systems that are paused now."""
        self._read()
        return frozenset(self._open)

    def _read(self) -> None:
        rows = self._database.all("SELECT profile, next_probe_at FROM breaker WHERE state = 'open'")
        self._open = {row["profile"]: row["next_probe_at"] for row in rows}
        self._read_at = clock.monotonic()
