"""The figures of the tables: what waits or is under way, never what ended.

Runs under way are counted each time somebody looks: about a second and a half for a million of them.
"""

from typing import Final

from orchestrator.services.ports.figures import Figures
from orchestrator.store.connections import Database

_OUTBOX: Final = """
SELECT count(*) AS pending, count(*) FILTER (WHERE refusals >= 5) AS refused,
       coalesce(extract(epoch FROM parvis_now() - min(created_at)), 0)::float8 AS oldest FROM outbox
"""
_RUNS: Final = """
SELECT journey, status, count(*) AS total FROM run WHERE ended_at IS NULL GROUP BY journey, status
"""
_STUCK: Final = """
SELECT coalesce(error_code, 'unknown') AS reason, count(*) AS total
  FROM run WHERE status = 'stuck' AND ended_at IS NULL GROUP BY 1
"""
_DEAD: Final = (
    "SELECT source, count(*) AS total FROM dead_letter WHERE closed_at IS NULL GROUP BY 1"
)
_CIRCUITS: Final = """
SELECT p.id, coalesce(b.state, 'closed') AS state FROM profile p
  LEFT JOIN breaker b ON b.profile = p.id WHERE p.retired_at IS NULL
"""


class FigureRows:
    """Implements the port of the figures on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def figures(self) -> Figures:
        """Return the figures as of now."""
        database = self._database
        outbox = database.one(_OUTBOX) or {"pending": 0, "refused": 0, "oldest": 0.0}
        revision = database.one("SELECT max(id) AS id FROM config_revision")
        return Figures(
            outbox_pending=outbox["pending"],
            outbox_oldest_seconds=outbox["oldest"],
            outbox_refused=outbox["refused"],
            runs={(row["journey"], row["status"]): row["total"] for row in database.all(_RUNS)},
            dead_letters={row["source"]: row["total"] for row in database.all(_DEAD)},
            stuck={row["reason"]: row["total"] for row in database.all(_STUCK)},
            circuits={row["id"]: row["state"] for row in database.all(_CIRCUITS)},
            revision=(revision["id"] if revision else None) or 0,
        )
