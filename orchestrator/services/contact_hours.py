"""The hours in which people may be written to, as the configuration says them: ``Mon-Sat 08:00-22:00``."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

from schemas.errors import ConfigurationError

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY: Final = "|".join(DAYS)
_HOUR: Final = r"((?:[01][0-9]|2[0-3]):[0-5][0-9])"
_FAR_DAYS: Final = 40  # one day of the week, closed for some weeks running
_FORM: Final = re.compile(rf"({_DAY})-({_DAY}) {_HOUR}-{_HOUR}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactHours:
    """Some days of the week, from one hour to another; an end before its start is the day after's.

    ``is_closed`` names days that count as none of the week's.
    """

    days: frozenset[int]
    start: time
    end: time
    zone: ZoneInfo
    is_closed: Callable[[date], bool] | None = None

    @classmethod
    def read(
        cls, text: str, zone: ZoneInfo, *, is_closed: Callable[[date], bool] | None = None
    ) -> Self:
        """Read the hours; raises ConfigurationError (French) when they are none."""
        read = _FORM.fullmatch(text)
        if read is None or read[3] == read[4]:
            fault = (
                f"Plage « {text[:80]} » illisible : écrivez par exemple « Mon-Sat 08:00-22:00 »."
            )
            raise ConfigurationError(fault)
        first, last = DAYS.index(read[1]), DAYS.index(read[2])
        return cls(
            days=frozenset((first + n) % 7 for n in range((last - first) % 7 + 1)),
            start=time.fromisoformat(read[3]),
            end=time.fromisoformat(read[4]),
            zone=zone,
            is_closed=is_closed,
        )

    def allowed_from(self, moment: datetime) -> datetime:
        """Return the moment itself when it is within the hours, else when they begin again."""
        local = self._local(moment)
        if self._holds(local):
            return moment
        starts = (
            start
            for ahead in range(_FAR_DAYS)
            if self._is_open(local.date() + timedelta(days=ahead))
            for start in self._starts_of(local.date() + timedelta(days=ahead))
        )
        later = (start for start in starts if start > moment and self._holds(self._local(start)))
        return next(later).astimezone(moment.tzinfo)

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone)

    def _holds(self, local: datetime) -> bool:
        day, hour = local.date(), local.time()
        if self.start < self.end:
            return self._is_open(day) and self.start <= hour < self.end
        yesterday = day - timedelta(days=1)
        return (self._is_open(day) and hour >= self.start) or (
            self._is_open(yesterday) and hour < self.end
        )

    def _is_open(self, day: date) -> bool:
        return day.weekday() in self.days and not (self.is_closed and self.is_closed(day))

    def _starts_of(self, day: date) -> tuple[datetime, datetime]:
        """Return when the hours begin, as moments: an hour that the clock shows twice begins twice."""
        start = datetime.combine(day, self.start, self.zone)
        return start.astimezone(UTC), start.replace(fold=1).astimezone(UTC)
