"""Points on the globe (WGS84) and the distance between them.

Distances serve to say which place is nearest: a sphere is enough (0.5 % off the ellipsoid at worst).
"""

from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple

EARTH_RADIUS_KM = 6371.0088  # mean radius of the IUGG


class Point(NamedTuple):
    """Latitude and longitude in degrees."""

    lat: float
    lon: float


def is_on_earth(lat: float, lon: float) -> bool:
    """Tell whether the pair is a place at all; false for NaN and infinities."""
    return -90.0 <= lat <= 90.0 and -180.0 <= lon <= 180.0


def great_circle_km(a: Point, b: Point) -> float:
    """Return the kilometres between two points along the surface (haversine)."""
    lat_a, lon_a, lat_b, lon_b = map(radians, (a.lat, a.lon, b.lat, b.lon))
    half_lat, half_lon = sin((lat_b - lat_a) / 2), sin((lon_b - lon_a) / 2)
    square = half_lat * half_lat + cos(lat_a) * cos(lat_b) * half_lon * half_lon
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(square)))


def rounded(lat: float, lon: float) -> Point:
    """Return the point to 3 decimals, about 110 m: enough for "nearest", too coarse for a door."""
    return Point(round(lat, 3) + 0.0, round(lon, 3) + 0.0)  # + 0.0 turns -0.0 into 0.0
