"""When a failed step is tried again: a policy of bounded delays, written and read as one line.

``1s x2; 10s x3; 5min x10; then dead-letter`` reads: two tries a second apart, then three ten
seconds apart, then ten five minutes apart, then the run is put aside for a person. The first try is
not counted in the lines. The hub has a policy, a system may have its own, an operation of a system
too: the most specific one decides.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final, Protocol, Self

from schemas.errors import ConfigurationError

INLINE_SECONDS: Final = 2.0
DEFAULT: Final = "1s x2; 10s x3; 1min x5; 15min x8; 2h x12; then dead-letter"
_UNITS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_LINE: Final = re.compile(r"(\d{1,9})(s|min|h|d) x(\d{1,4})", re.ASCII)
_ENDS: Final = {"then dead-letter": "stuck", "then wait-for-a-person": "waiting_human"}
_MOST_TRIES, _MOST_SECONDS = 200, 30 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """So many tries, each so many seconds after the one before."""

    seconds: int
    count: int


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Lines of delays, and the status of a run that used them all up."""

    lines: tuple[Line, ...]
    end: str

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a policy; raises ConfigurationError (French) when it is no policy of ours."""
        *written, end = [part.strip() for part in text.split(";")]
        lines = tuple(_line(line, text) for line in written)
        if end not in _ENDS or not lines:
            raise ConfigurationError(_wrong(text))
        policy = cls(lines=lines, end=_ENDS[end])
        if policy.tries - 1 > _MOST_TRIES or policy.seconds > _MOST_SECONDS:
            fault = f"Politique de reprise « {text[:80]} » : au plus {_MOST_TRIES} reprises et 30 jours."
            raise ConfigurationError(fault)
        return policy

    @cached_property
    def delays(self) -> tuple[int, ...]:
        """The seconds before each further try."""
        return tuple(line.seconds for line in self.lines for _ in range(line.count))

    @property
    def tries(self) -> int:
        """How many tries there are in all, the first one included."""
        return 1 + sum(line.count for line in self.lines)

    @property
    def seconds(self) -> int:
        """How long the last try comes after the first one."""
        return sum(line.seconds * line.count for line in self.lines)

    def delay_after(self, failures: int) -> int | None:
        """Return the delay in seconds after so many failed tries; None when there is none left."""
        return self.delays[failures - 1] if failures <= len(self.delays) else None

    def for_system(self, _profile: str, _operation: str) -> "RetryPolicy":
        """Return itself: the same patience with every system."""
        return self

    def written(self) -> str:
        """Return the policy in the form it is read from."""
        lines = "; ".join(f"{_short(line.seconds)} x{line.count}" for line in self.lines)
        end = next(text for text, status in _ENDS.items() if status == self.end)
        return f"{lines}; {end}"

    def sentence(self) -> str:
        """Return the policy as French people read it."""
        lines = ", puis ".join(
            f"{_every(line.seconds)}, {line.count} fois"
            if line.count > 1
            else f"une fois après {french_length(line.seconds)}"
            for line in self.lines
        )
        return f"{lines} ; puis {_FRENCH_ENDS[self.end]}"


class Level(StrEnum):
    """What decided a policy, from the least to the most specific."""

    DEFAULT = "default"
    HUB = "hub"
    PROFILE = "profile"
    OPERATION = "operation"


class Patience(Protocol):
    """How patient we are with each system."""

    def for_system(self, profile: str, operation: str) -> RetryPolicy:
        """Return the policy for an operation of a system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A policy and the level that decided it."""

    policy: RetryPolicy
    level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade:
    """The policies of a city; ``operations`` is keyed by (profile, operation)."""

    hub: RetryPolicy | None = None
    profiles: Mapping[str, RetryPolicy] = field(default_factory=dict)
    operations: Mapping[tuple[str, str], RetryPolicy] = field(default_factory=dict)

    def decide(self, profile: str, operation: str) -> Decided:
        """Return the most specific policy and its level."""
        found = self.operations.get((profile, operation))
        if found is not None:
            return Decided(policy=found, level=Level.OPERATION)
        found = self.profiles.get(profile)
        if found is not None:
            return Decided(policy=found, level=Level.PROFILE)
        if self.hub is not None:
            return Decided(policy=self.hub, level=Level.HUB)
        return Decided(policy=_OURS, level=Level.DEFAULT)

    def for_system(self, profile: str, operation: str) -> RetryPolicy:
        """Return the most specific policy."""
        return self.decide(profile, operation).policy


def french_length(seconds: int) -> str:
    """Return a length of time in French, in the largest unit that says it exactly."""
    for size, one, many in _FRENCH_UNITS:
        if seconds % size == 0:
            count = seconds // size
            return f"{count} {many if count > 1 else one}"
    return f"{seconds} secondes"


def _every(seconds: int) -> str:
    """Return « toutes les 5 minutes », « chaque seconde », « tous les 2 jours »."""
    length = french_length(seconds)
    count, _, unit = length.partition(" ")
    if count == "1":
        return f"chaque {unit}"
    return f"{'tous' if unit == 'jours' else 'toutes'} les {length}"


def _short(seconds: int) -> str:
    unit = next(name for name, size in reversed(_UNITS.items()) if seconds % size == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def _line(line: str, text: str) -> Line:
    read = _LINE.fullmatch(line)
    if not read:
        raise ConfigurationError(_wrong(text))
    if int(read[1]) == 0 or int(read[3]) == 0:
        fault = (
            f"Politique de reprise : « {line} » : un délai est d'au moins 1s, au moins une fois."
        )
        raise ConfigurationError(fault)
    return Line(seconds=int(read[1]) * _UNITS[read[2]], count=int(read[3]))


def _wrong(text: str) -> str:
    return (
        f"Politique de reprise « {text[:80]} » illisible : écrivez par exemple "
        "« 1s x2; 10s x3; 5min x10; then dead-letter » (délais d'au moins 1s, en s, min, h ou d)."
    )


_FRENCH_UNITS: Final = (
    (86400, "jour", "jours"),
    (3600, "heure", "heures"),
    (60, "minute", "minutes"),
    (1, "seconde", "secondes"),
)
_FRENCH_ENDS: Final = {"stuck": "mise au rebut", "waiting_human": "décision d'une personne"}
_OURS: Final = RetryPolicy.read(DEFAULT)
