import time
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.services.open_data import (
    Candidates,
    CommuneIndex,
    LibraryFinder,
    nearest_places,
)
from schemas.geo import Point, great_circle_km

METRE = 0.001
points = st.builds(Point, st.floats(-90, 90), st.floats(-180, 180))
region = st.builds(Point, st.floats(43, 45.2), st.floats(4.2, 7.8))


@dataclass(frozen=True)
class Place:
    id: str
    point: Point
    approximate: bool = False


def places(spots):
    return [Place(str(number), spot) for number, spot in enumerate(spots)]


@pytest.fixture(scope="session")
def open_libraries(data):
    return [place for place in data.places if place.is_open_library]


@pytest.fixture(scope="session")
def finder(data) -> LibraryFinder:
    points = {row.commune: row.point for row in data.centroids}
    return LibraryFinder.of(CommuneIndex.of(data.communes), points, data.places)


def brute_force(origin, found, limit):
    return sorted(great_circle_km(origin, place.point) for place in found)[:limit]


@given(origin=points, spots=st.lists(points, max_size=30), limit=st.integers(0, 35))
@settings(deadline=None)
def test_the_nearest_are_those_that_brute_force_finds_anywhere_on_earth(origin, spots, limit):
    found = nearest_places(origin, Candidates(places(spots)), limit)
    expected = brute_force(origin, places(spots), limit)
    assert [near.distance_km for near in found] == pytest.approx(expected, abs=METRE)
    assert len({near.place.id for near in found}) == len(expected)


def test_the_nearest_libraries_are_those_that_brute_force_finds(open_libraries):
    candidates = Candidates(open_libraries)

    @given(origin=region, limit=st.integers(1, 10))
    @settings(deadline=None)
    def check(origin, limit):
        found = nearest_places(origin, candidates, limit)
        expected = brute_force(origin, open_libraries, limit)
        assert [near.distance_km for near in found] == pytest.approx(expected, abs=METRE)

    check()


def test_at_one_distance_a_known_address_comes_first_then_the_key_decides():
    spot = Point(43.3, 5.37)
    tied = [
        Place("2", spot, approximate=True),
        Place("9", spot),
        Place("1", spot, approximate=True),
        Place("3", spot),
    ]
    for order in (tied, tied[::-1]):
        found = nearest_places(Point(43.4, 5.4), Candidates(order), 4)
        assert [near.place.id for near in found] == ["3", "9", "1", "2"]


def test_no_candidate_gives_no_place():
    assert nearest_places(Point(43.3, 5.37), Candidates([]), 3) == ()


def test_the_date_line_is_no_border():
    fiji = places([Point(-17, 179.9), Point(-17, 170)])
    (near,) = nearest_places(Point(-17, -179.9), Candidates(fiji), 1)
    assert near.place.id == "0"
    assert near.distance_km < 22


def test_a_query_over_all_open_libraries_takes_less_than_a_millisecond(
    open_libraries, data, untraced
):
    candidates = Candidates(open_libraries)
    assert len(candidates) == 627
    best = 1.0
    for _ in range(5):
        start = time.process_time()
        for row in data.centroids[:100]:
            nearest_places(row.point, candidates, 3)
        best = min(best, (time.process_time() - start) / 100)
    assert best < 0.001


# --- the nearest open library of a commune -------------------------------------------------------


@pytest.mark.parametrize(
    ("commune", "name", "of"),
    [
        ("13055", "Bmvr Alcazar", "13055"),
        ("13001", "Bibliothèque Méjanes - Deux Ormes", "13001"),
        ("84129", "Médiathèque Municipale", "84129"),
        ("83050", "Médiathèque d'agglomération", "83050"),
        ("04070", "Médiathèque de Digne-Les-Bains", "04070"),
    ],
)
def test_familiar_towns_find_their_library(finder, commune, name, of):
    near = finder.nearest(commune)
    assert (near.place.name, near.place.commune) == (name, of)


def test_every_commune_of_the_region_finds_a_library_most_of_them_close(finder, data):
    found = [finder.nearest(row.code) for row in data.communes]
    assert all(near is not None for near in found)
    assert max(near.distance_km for near in found) < 30


def test_a_commune_without_library_finds_its_neighbours(finder, data):
    served = {place.commune for place in data.libraries}
    alone = [row.code for row in data.communes if row.code not in served]
    assert len(alone) == 337
    for code in alone:
        assert finder.nearest(code).place.commune != code


def test_a_location_counts_more_than_the_commune(finder):
    draguignan = Point(43.537, 6.464)
    near = finder.nearest("13055", draguignan)
    assert near.place.commune == "83050"
    assert near.distance_km == pytest.approx(great_circle_km(draguignan, near.place.point))


def test_a_location_serves_even_where_the_commune_is_unknown(finder):
    assert finder.nearest("99999", Point(43.537, 6.464)).place.commune == "83050"


def test_districts_and_former_codes_start_from_their_commune(finder, data):
    assert finder.nearest("13203") == finder.nearest("13055")
    row = next(row for row in data.communes if row.former_codes)
    assert finder.nearest(row.former_codes[0]) == finder.nearest(row.code)


def test_an_unknown_commune_without_location_finds_nothing(finder):
    assert finder.nearest("75056") is None
    assert finder.around("", limit=3) == ()


def test_only_open_public_libraries_are_proposed(finder, data):
    offered = {place.id for place in finder.libraries.places}
    assert len(offered) == 627
    assert not offered & {place.id for place in data.museums}
    assert not offered & {place.id for place in data.libraries if not place.is_public}


def test_a_region_without_any_library_finds_nothing(data):
    points = {row.commune: row.point for row in data.centroids}
    empty = LibraryFinder.of(CommuneIndex.of(data.communes), points, data.museums)
    assert empty.nearest("13055") is None


def test_an_approximate_library_is_told_as_such(finder):
    near = finder.nearest("13055")
    assert near.place.approximate
    assert near.distance_km == 0
