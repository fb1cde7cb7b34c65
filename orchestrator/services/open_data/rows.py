"""What the importers give: one frozen row per commune, centroid and place."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from schemas.geo import Point


class PlaceKind(StrEnum):
    """What a place is."""

    LIBRARY = "library"
    MUSEUM = "museum"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommuneRow:
    """A commune of today; ``link`` (0 to 8, INSEE's TNCC) says which article its name takes."""

    code: str
    name: str
    link: int
    department: str
    region: str
    siren: str | None
    postal_codes: tuple[str, ...]
    population: int | None
    former_codes: tuple[str, ...]
    source: str
    source_date: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CentroidRow:
    """The middle of a commune, good for "nearest", not for "is this point inside"."""

    commune: str
    lat: float
    lon: float
    source: str
    source_date: date | None

    @property
    def point(self) -> Point:
        """Return the pair."""
        return Point(self.lat, self.lon)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRow:
    """A library or a museum of the directory.

    ``id`` is the publisher's number (libraries: an integer as text; museums: M and 4 digits), or a
    UUIDv5 of commune and name where the publisher has none (``source_key`` is then None).
    ``approximate`` coordinates are the centre of the commune. ``is_public`` says that a citizen may
    be sent there; ``weekly_hours`` of None or 0 means that no opening is known.
    """

    id: str
    kind: PlaceKind
    name: str
    commune: str
    venue: str | None
    complement: str | None
    address: str | None
    postal_code: str | None
    lat: float
    lon: float
    approximate: bool
    weekly_hours: float | None
    is_public: bool
    phone: str | None
    url: str | None
    status: str | None
    address_type: str | None
    surface_m2: float | None
    employees: float | None
    volunteers: float | None
    source: str
    source_key: str | None
    source_date: date | None

    @property
    def point(self) -> Point:
        """Return the pair."""
        return Point(self.lat, self.lon)

    @property
    def is_open_library(self) -> bool:
        """Tell whether "the nearest open library" may be this one: public, with opening hours."""
        return self.kind is PlaceKind.LIBRARY and self.is_public and bool(self.weekly_hours)
