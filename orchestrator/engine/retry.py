"""When a failed step is tried again: a policy of bounded delays, written and read as one line.

``1s x2; 10s x3; 5min x10; then dead-letter`` reads: two tries a second apart, then three ten
seconds apart, then ten five minutes apart, then the run is put aside for a person. The first try is
not counted in the lines.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from schemas.errors import ConfigurationError

INLINE_SECONDS: Final = 2.0
DEFAULT: Final = "1s x2; 10s x3; 1min x5; 15min x8; 2h x12; then dead-letter"
_UNITS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_LINE: Final = re.compile(r"(\d{1,9})(s|min|h|d) x(\d{1,4})", re.ASCII)
_ENDS: Final = {"then dead-letter": "stuck", "then wait-for-a-person": "waiting_human"}
_MOST_TRIES, _MOST_SECONDS = 200, 30 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Delays in seconds between tries, and the status of a run that used them up."""

    delays: tuple[int, ...]
    end: str

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a policy; raises ConfigurationError (French) when it is no policy of ours."""
        *lines, end = [part.strip() for part in text.split(";")]
        delays = [delay for line in lines for delay in _delays(line, text)]
        if end not in _ENDS or not delays:
            raise ConfigurationError(_wrong(text))
        if len(delays) > _MOST_TRIES or sum(delays) > _MOST_SECONDS:
            fault = f"Politique de reprise « {text} » : au plus {_MOST_TRIES} essais et 30 jours."
            raise ConfigurationError(fault)
        return cls(delays=tuple(delays), end=_ENDS[end])

    def delay_after(self, failures: int) -> int | None:
        """Return the delay in seconds after so many failed tries; None when there is none left."""
        return self.delays[failures - 1] if failures <= len(self.delays) else None


def _delays(line: str, text: str) -> list[int]:
    read = _LINE.fullmatch(line)
    if not read or int(read[1]) == 0 or not 0 < int(read[3]) <= _MOST_TRIES:
        raise ConfigurationError(_wrong(text))
    return [int(read[1]) * _UNITS[read[2]]] * int(read[3])


def _wrong(text: str) -> str:
    return (
        f"Politique de reprise « {text} » illisible : écrivez par exemple "
        "« 1s x2; 10s x3; 5min x10; then dead-letter »."
    )
