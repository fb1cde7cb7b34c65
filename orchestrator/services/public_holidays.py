"""The public holidays of France, on which nobody is written to without need (labour code, L3133-1)."""

from datetime import date, timedelta
from functools import lru_cache
from typing import Final

_FIXED: Final = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
_AFTER_EASTER: Final = (1, 39, 50)  # Easter Monday, Ascension, Whit Monday


def is_public_holiday(day: date) -> bool:
    """Tell whether a day is one of the eleven of the whole country."""
    return day in _holidays(day.year)


@lru_cache(maxsize=16)
def _holidays(year: int) -> frozenset[date]:
    easter = _easter(year)
    return frozenset(
        {date(year, month, day) for month, day in _FIXED}
        | {easter + timedelta(days=days) for days in _AFTER_EASTER}
    )


def _easter(year: int) -> date:
    """Return Easter Sunday of the Gregorian calendar (the anonymous algorithm of 1876)."""
    century, of_century = divmod(year, 100)
    golden = year % 19
    moved = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - century // 4 - moved + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - epact - of_century % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)
