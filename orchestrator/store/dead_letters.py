"""What was put aside: runs by failure, and messages that became no run."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from orchestrator.services.ports.operations import FailureCount, FailureKey, Letter, LetterCount
from orchestrator.store.connections import Database
from orchestrator.store.failed import FAILED, KEYS, SAME, arrays, key_of
from orchestrator.store.notifier import Notifier

_NAMES: Final = "journey, version, position, name, error_class, detail, error_code"
_FAILURES: Final = f"""
SELECT {_NAMES}, count(*) AS runs, min(updated_at) AS oldest_at, max(updated_at) AS newest_at
  FROM ({FAILED}) f GROUP BY {_NAMES} ORDER BY runs DESC, oldest_at, journey"""
_RUNS: Final = f"""
SELECT f.id FROM ({FAILED}) f JOIN {KEYS} ON {SAME} ORDER BY f.created_at, f.id LIMIT %(most)s"""
_REASONS: Final = """
SELECT source, reason, count(*) AS letters, min(seen_at) AS oldest_at, max(seen_at) AS newest_at
  FROM dead_letter WHERE closed_at IS NULL GROUP BY source, reason ORDER BY letters DESC, source"""
_LETTERS: Final = """
SELECT id, source, reason, detail, seen_at FROM dead_letter
 WHERE closed_at IS NULL AND source = %s AND reason = %s ORDER BY seen_at, id LIMIT %s"""
# the run is looked up by text: what the broker carried may be no id at all
_WAKE: Final = """
WITH l AS (UPDATE dead_letter d SET closed_at = parvis_now(), closed_by = %(actor)s FROM run r
            WHERE d.closed_at IS NULL AND d.source = %(source)s AND d.reason = %(reason)s
              AND d.detail ->> 'run_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
              AND r.id = CASE WHEN d.detail ->> 'run_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                              THEN (d.detail ->> 'run_id')::uuid END
            RETURNING d.id, r.id AS run_id, r.status),
     o AS (INSERT INTO outbox(topic, key)
           SELECT DISTINCT 'wake', run_id FROM l WHERE status IN ('ready', 'compensating'))
SELECT count(*) AS closed FROM l"""
_CLOSE: Final = """
UPDATE dead_letter SET closed_at = parvis_now(), closed_by = %(actor)s
 WHERE closed_at IS NULL AND source = %(source)s AND reason = %(reason)s"""


class DeadLetterTable:
    """Implements ``ports.operations.DeadLetterRows``."""

    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier

    def failures(self) -> Sequence[FailureCount]:
        """Return the failures of the runs put aside, most frequent first."""
        return [
            FailureCount(
                key=key_of(row),
                runs=row["runs"],
                oldest_at=row["oldest_at"],
                newest_at=row["newest_at"],
            )
            for row in self._database.all(_FAILURES)
        ]

    def runs_of(self, keys: Sequence[FailureKey], *, most: int) -> Sequence[UUID]:
        """Return the oldest runs put aside for these failures."""
        rows = self._database.all(_RUNS, {**arrays(keys), "most": most})
        return [row["id"] for row in rows]

    def letters(self) -> Sequence[LetterCount]:
        """Return the reasons of the open dead letters, most frequent first."""
        return [LetterCount(**row) for row in self._database.all(_REASONS)]

    def letters_of(self, source: str, reason: str, *, most: int) -> Sequence[Letter]:
        """Return the oldest open dead letters of one reason."""
        rows = self._database.all(_LETTERS, (source, reason, most))
        return [Letter(**{**row, "detail": row["detail"] or {}}) for row in rows]

    def wake_letters(self, source: str, reason: str, *, actor: str) -> int:
        """Wake the runs these letters name and close them; returns how many were closed."""
        values = {"source": source, "reason": reason, "actor": actor}
        row = self._database.one(_WAKE, values)
        closed = int(row["closed"]) if row else 0
        if closed:
            self._notifier.poke()
        return closed

    def close_letters(self, source: str, reason: str, *, actor: str) -> int:
        """Close the open letters of one reason; returns how many."""
        values = {"source": source, "reason": reason, "actor": actor}
        return self._database.run(_CLOSE, values)
