"""The places nearest to a point, fast enough to ask for every arrival.

Points become unit vectors once; a query compares squared chords, which order as great circles do
and need no trigonometry. Commune borders play no part.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import cos, radians, sin
from typing import Generic, Protocol, Self, TypeVar

from orchestrator.services.open_data.gazetteer import CommuneIndex, resolve_commune
from orchestrator.services.open_data.rows import PlaceRow
from schemas.geo import Point, great_circle_km


class Located(Protocol):
    """What a place must tell to be compared."""

    @property
    def id(self) -> str:
        """Return the key that breaks ties."""

    @property
    def point(self) -> Point:
        """Return where it is; the commune's centroid when ``approximate``."""

    @property
    def approximate(self) -> bool:
        """Tell whether the point is only the commune's centroid."""


P = TypeVar("P", bound=Located)


@dataclass(frozen=True, slots=True, kw_only=True)
class NearPlace(Generic[P]):
    """A place and how far it is; as rough as its point when that is approximate."""

    place: P
    distance_km: float


class Candidates(Generic[P]):
    """Places made ready to be compared: make them once, ask often."""

    def __init__(self, places: Iterable[P]) -> None:
        # At the same distance a known address comes before a centroid, then the key decides.
        self.places = tuple(sorted(places, key=lambda place: (place.approximate, place.id)))
        self.vectors = tuple(
            (*_unit_vector(place.point), rank) for rank, place in enumerate(self.places)
        )

    def __len__(self) -> int:
        """Return how many places there are."""
        return len(self.places)


def _unit_vector(point: Point) -> tuple[float, float, float]:
    lat, lon = radians(point.lat), radians(point.lon)
    return cos(lat) * cos(lon), cos(lat) * sin(lon), sin(lat)


def nearest_places(
    origin: Point, candidates: Candidates[P], limit: int
) -> tuple[NearPlace[P], ...]:
    """Return the ``limit`` nearest places, nearest first; the same question, the same answer."""
    x, y, z = _unit_vector(origin)
    chords = [
        ((a - x) * (a - x) + (b - y) * (b - y) + (c - z) * (c - z), rank)
        for a, b, c, rank in candidates.vectors
    ]
    nearest = (candidates.places[rank] for _, rank in heapq.nsmallest(limit, chords))
    return tuple(
        NearPlace(place=place, distance_km=great_circle_km(origin, place.point))
        for place in nearest
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryFinder:
    """Answers "which open library is nearest?" for an arrival; made once per edition of the data."""

    communes: CommuneIndex
    centroids: Mapping[str, Point]
    libraries: Candidates[PlaceRow]

    @classmethod
    def of(
        cls,
        communes: CommuneIndex,
        centroids: Mapping[str, Point],
        places: Iterable[PlaceRow],
    ) -> Self:
        """Keep the libraries a citizen may be sent to: public and with opening hours."""
        open_libraries = Candidates(place for place in places if place.is_open_library)
        return cls(communes=communes, centroids=centroids, libraries=open_libraries)

    def nearest(self, commune: str, location: Point | None = None) -> NearPlace[PlaceRow] | None:
        """Return the nearest open library, from the location or else the commune's centroid.

        The commune's code may be a district's or a former one. None when neither the location nor
        the commune says where to start, or when there is no library at all.
        """
        found = self.around(commune, location, limit=1)
        return found[0] if found else None

    def around(
        self, commune: str, location: Point | None = None, *, limit: int
    ) -> tuple[NearPlace[PlaceRow], ...]:
        """Return the nearest open libraries, nearest first."""
        origin = location or self.centroids.get(resolve_commune(commune, self.communes) or "")
        return nearest_places(origin, self.libraries, limit) if origin else ()
