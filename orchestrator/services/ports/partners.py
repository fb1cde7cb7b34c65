"""What intake needs to know of the city: who may send, which texts people agree to, where they live.

All of it is small and read far more often than it changes: the services keep copies in memory.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from schemas.consent_proof import Notices
from schemas.signatures import VerifyKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """An organisation that sends events; ``keys`` are its live keys by their short name."""

    id: str
    name: str
    allowed_events: frozenset[str]
    keys: Mapping[str, VerifyKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPurpose:
    """A purpose as partners read it; ``title`` and ``text`` by language."""

    id: str
    version: int
    title: Mapping[str, str]
    text: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentCatalogue:
    """The purposes and every text ever shown for them."""

    purposes: Sequence[PublishedPurpose]
    notices: Notices


class PartnerBook(Protocol):
    """The rows of partners and of their keys."""

    def partners(self) -> Mapping[str, Partner]:
        """Return every partner that is not retired, with its live keys, by id."""


class Secrets(Protocol):
    """The secrets of the configuration."""

    def values(self, names: Collection[str]) -> Mapping[str, str]:
        """Return the values of the names that have one."""


class ConsentTexts(Protocol):
    """The catalogue of purposes and notices."""

    def catalogue(self) -> ConsentCatalogue:
        """Return all of it."""


class Communes(Protocol):
    """The official geographic code, as far as we hold it."""

    def resolve(self, code: str) -> str | None:
        """Return the code of today's commune, or None when no commune has or had this code."""


class FoundPlacement(Protocol):
    """What scans need of a placement."""

    @property
    def token(self) -> str:
        """The token its counters are kept under."""


class Scans(Protocol):
    """The day's counters of placements; they know no person."""

    def find(self, token: str) -> FoundPlacement | None:
        """Return a placement, or the one that took its place."""

    def count_scan(self, token: str, *, day: date, language: str, browser: str) -> None:
        """Add one to the day's counter."""


class Meter(Protocol):
    """Figures for the people who watch the hub."""

    def received(self, partner: str, message_type: str, result: str) -> None:
        """Count one event by what became of it."""
