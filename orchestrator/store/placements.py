"""Placements of connected posters and their counters, which know no person."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from orchestrator.services.ports.placements import Placement
from orchestrator.store.connections import Database

# One statement whatever is asked, so that an unknown token takes as long as a withdrawn one.
_FIND: Final = """
SELECT n.token, n.poster, n.place_name, n.commune, n.partner_id, n.campaign, n.status, n.valid_until
  FROM placement p JOIN placement n ON n.token = p.token OR n.token = p.successor
 WHERE p.token = %s
 ORDER BY (n.status = 'live' AND (n.valid_until IS NULL OR n.valid_until > parvis_now())) DESC,
          (n.token = p.token) DESC LIMIT 1"""
_SCAN: Final = """
INSERT INTO scan_counter AS c (placement, day, language, browser, total) VALUES (%s, %s, %s, %s, 1)
ON CONFLICT (placement, day, language, browser) DO UPDATE SET total = c.total + 1"""
_SUSPICION: Final = """
INSERT INTO placement_report AS r (placement, day, total) VALUES (%s, %s, 1)
ON CONFLICT (placement, day) DO UPDATE SET total = r.total + 1"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementTable:
    """Reads placements and adds to their counters."""

    database: Database

    def find(self, token: str) -> Placement | None:
        """Return a placement, or the one that took its place when it is no longer shown."""
        row = self.database.one(_FIND, (token,))
        return Placement(**row) if row else None

    def count_scan(self, token: str, *, day: date, language: str, browser: str) -> None:
        """Add one to the day's counter."""
        self.database.run(_SCAN, (token, day, language, browser))

    def count_suspicion(self, token: str, *, day: date) -> None:
        """Add one to the day's count of reports that a poster looks wrong."""
        self.database.run(_SUSPICION, (token, day))


__all__ = ["PlacementTable"]
