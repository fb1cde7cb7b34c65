"""What the poster pages need of the store: placements and their counters, which know no person."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One poster at one place; a token opens a page and carries no authority."""

    token: str
    poster: str
    place_name: str
    commune: str
    partner_id: str | None
    campaign: str
    status: str
    valid_until: datetime | None


class PlacementRows(Protocol):
    """The rows of placements and what is counted about them."""

    def find(self, token: str) -> Placement | None:
        """Return a placement, or the one that took its place when it is no longer shown."""

    def count_scan(self, token: str, *, day: date, language: str, browser: str) -> None:
        """Add one to the day's counter."""

    def count_suspicion(self, token: str, *, day: date) -> None:
        """Add one to the day's count of reports that a poster looks wrong."""
