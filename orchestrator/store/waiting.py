"""Runs that wait for a system: woken the oldest first, undos among them, so many at a time."""

from collections.abc import Callable
from typing import Final

from orchestrator.engine.runs import LEASE
from orchestrator.store.connections import Database

_WAKE: Final = f"""
WITH due AS (SELECT id FROM run WHERE status IN ('waiting_timer', 'compensating')
                AND waiting_for = %(system)s AND wake_at IS NOT NULL
              ORDER BY created_at LIMIT %(most)s FOR UPDATE SKIP LOCKED),
     u AS (UPDATE run r SET status = CASE WHEN status = 'compensating' THEN status ELSE 'ready' END,
             wake_at = NULL, fence = fence + 1,
             lease_until = parvis_now() + interval '{int(LEASE.total_seconds())} s'
             FROM due WHERE r.id = due.id RETURNING r.id)
INSERT INTO outbox(topic, key) SELECT 'wake', id FROM u"""


class WaitingRuns:
    """Implements what the probes ask of the runs; ``poke`` tells the waker."""

    def __init__(self, database: Database, poke: Callable[[], None]) -> None:
        self._database = database
        self._poke = poke

    def wake(self, profile: str, *, most: int) -> int:
        """Wake the oldest runs that wait for a system; returns how many."""
        woken = self._database.run(_WAKE, {"system": f"system:{profile}", "most": most})
        if woken:
            self._poke()
        return woken
