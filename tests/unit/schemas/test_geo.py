import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.geo import EARTH_RADIUS_KM, Point, great_circle_km, is_on_earth, rounded

points = st.builds(Point, st.floats(-90, 90), st.floats(-180, 180))


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [
        (Point(0, 0), Point(0, 90), math.pi / 2 * EARTH_RADIUS_KM),
        (Point(90, 0), Point(-90, 0), math.pi * EARTH_RADIUS_KM),
        (Point(43, 5), Point(44, 5), 111.195),
        (Point(43.2965, 5.3698), Point(48.8566, 2.3522), 660.5),  # Marseille to Paris
        (Point(0, 179.5), Point(0, -179.5), 111.195),
    ],
)
def test_known_distances_are_found(a, b, km):
    assert great_circle_km(a, b) == pytest.approx(km, rel=1e-3)


@given(points)
def test_a_point_is_at_no_distance_of_itself(a):
    assert great_circle_km(a, a) == 0


@given(points, points)
def test_there_and_back_are_the_same_and_never_longer_than_half_the_globe(a, b):
    there = great_circle_km(a, b)
    assert there == pytest.approx(great_circle_km(b, a), abs=1e-6)
    assert 0 <= there <= math.pi * EARTH_RADIUS_KM + 1e-6


@given(points, points, points)
def test_a_detour_is_never_shorter(a, b, c):
    straight = great_circle_km(a, c)
    assert straight <= great_circle_km(a, b) + great_circle_km(b, c) + 1e-3


def test_antipodes_do_not_break_the_arcsine():
    assert great_circle_km(Point(43.7, 7.25), Point(-43.7, -172.75)) == pytest.approx(
        math.pi * EARTH_RADIUS_KM, rel=1e-6
    )


@pytest.mark.parametrize(
    ("lat", "lon", "expected"),
    [
        (43.296482, 5.369779, Point(43.296, 5.37)),
        (-0.0001, -0.0004, Point(0, 0)),
        (90, -180, Point(90, -180)),
    ],
)
def test_a_location_is_rounded_to_three_decimals(lat, lon, expected):
    assert rounded(lat, lon) == expected


def test_zero_has_no_sign():
    assert str(rounded(-0.0001, -0.0)) == "Point(lat=0.0, lon=0.0)"


@given(points)
def test_rounding_moves_a_point_by_less_than_80_metres(point):
    assert great_circle_km(point, rounded(*point)) < 0.08


@pytest.mark.parametrize(
    ("lat", "lon"), [(90.1, 0), (0, 180.1), (math.nan, 0), (0, math.inf), (-91, 0)]
)
def test_what_is_off_the_globe_is_no_place(lat, lon):
    assert not is_on_earth(lat, lon)
    assert is_on_earth(90, -180)
