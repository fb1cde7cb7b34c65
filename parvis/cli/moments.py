"""Moments as people of the city write and read them: Paris time, wherever the server stands."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("Europe/Paris")


def at(moment: datetime | None) -> str:
    """Return a moment as a date with its hour, or a dash for none."""
    return f"{moment.astimezone(ZONE):%d/%m/%Y %H:%M:%S}" if moment else "—"


def moment_of(text: str) -> datetime:
    """Read a date with its hour, in Paris time unless it names another.

    Raises:
        ValueError: it is none.
    """
    found = datetime.fromisoformat(text)
    try:
        return (found if found.tzinfo else found.replace(tzinfo=ZONE)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a date beyond the calendar") from error
