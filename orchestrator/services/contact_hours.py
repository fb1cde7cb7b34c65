"""The hours in which people may be written to, as the configuration says them: ``Mon-Sat 08:00-22:00``."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

from schemas.errors import ConfigurationError

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY: Final = "|".join(DAYS)
_HOUR: Final = r"((?:[01][0-9]|2[0-3]):[0-5][0-9])"
_FORM: Final = re.compile(rf"({_DAY})-({_DAY}) {_HOUR}-{_HOUR}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactHours:
    """Some days of the week, from one hour to another; an end before its start is the day after's."""

    days: frozenset[int]
    start: time
    end: time
    zone: ZoneInfo

    @classmethod
    def read(cls, text: str, zone: ZoneInfo) -> Self:
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
        )

    def allowed_from(self, moment: datetime) -> datetime:
        """Return the moment itself when it is within the hours, else when they begin again."""
        local = moment.astimezone(self.zone)
        if self._holds(local):
            return moment
        starts = (
            self._start_of(local.date() + timedelta(days=ahead))
            for ahead in range(9)
            if (local.weekday() + ahead) % 7 in self.days
        )
        return next(start for start in starts if start > local).astimezone(moment.tzinfo)

    def _holds(self, local: datetime) -> bool:
        day, hour = local.weekday(), local.time()
        if self.start < self.end:
            return day in self.days and self.start <= hour < self.end
        yesterday = (day - 1) % 7
        return (day in self.days and hour >= self.start) or (
            yesterday in self.days and hour < self.end
        )

    def _start_of(self, day: date) -> datetime:
        return datetime.combine(day, self.start, self.zone)
