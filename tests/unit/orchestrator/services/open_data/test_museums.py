import pytest

from orchestrator.services.open_data import PlaceKind, read_museums, rules
from schemas.geo import Point


@pytest.fixture
def read(communes, centroids, museum_file):
    def one(changes=None):
        rows, report = read_museums(museum_file(changes or {}), communes, centroids)
        return (rows[0] if rows else None), report

    return one


NAME, REFERENCE = "Nom officiel du musée", "REF_Deps"


def test_a_plain_object_is_read(read):
    row, report = read()
    assert (row.id, row.source_key, row.kind) == ("M0001", "M0001", PlaceKind.MUSEUM)
    assert (row.name, row.commune, row.point) == ("Musée des essais", "13055", Point(43.3, 5.37))
    assert (row.approximate, row.is_open_library, row.weekly_hours) == (False, False, None)
    assert (row.phone, row.url, row.address, row.venue) == (None, None, None, None)
    assert report.counts() == {"decimal-comma": 2, "first-letter-raised": 1}


def test_numbers_get_their_leading_zeros_back(read):
    row, report = read({"Code Postal": 4140, REFERENCE: 402001, "Commune": "Barles"})
    assert (row.commune, row.postal_code) == ("04020", "04140")
    told = {f.column: (f.before, f.after) for f in report.of(rules.NUMBER_AS_TEXT)}
    assert told == {"Code Postal": ("4140", "04140"), REFERENCE: ("402001", "0402001")}


def test_coordinates_may_be_numbers(read):
    row, report = read({"Latitude": 43.3, "Longitude": 5.37})
    assert row.point == Point(43.3, 5.37)
    assert len(report.of(rules.NUMBER_AS_TEXT)) == 2


def test_a_district_reference_is_marseille(read):
    row, report = read({REFERENCE: "1320191"})
    assert row.commune == "13055"
    assert [f.before for f in report.of(rules.DISTRICT_MAPPED)] == ["13201"]


def test_without_reference_the_commune_is_found_by_its_name(read):
    row, report = read({REFERENCE: None, "Commune": "MARSEILLE"})
    assert row.commune == "13055"
    assert report.of(rules.JOINED_BY_NAME)


def test_a_name_that_two_communes_share_is_decided_by_the_postal_code(read):
    row, _ = read({REFERENCE: None, "Commune": "Aiglun", "Code Postal": "84120"})
    assert row.commune == "84089"
    row, report = read({REFERENCE: None, "Commune": "Aiglun", "Code Postal": "13001"})
    assert row is None
    assert report.of(rules.COMMUNE_UNKNOWN)


@pytest.mark.parametrize("commune", ["Nulle-Part", "", None])
def test_a_museum_of_no_known_commune_is_refused(read, commune):
    row, report = read({REFERENCE: None, "Commune": commune})
    assert row is None
    assert [f.rule for f in report.findings] == [rules.COMMUNE_UNKNOWN]


def test_an_unreadable_reference_is_told_and_the_name_serves(read):
    row, report = read({REFERENCE: "13-055"})
    assert row.commune == "13055"
    assert {"reference-invalid", "joined-by-name"} <= set(report.counts())


def test_a_reference_to_an_unknown_commune_is_refused(read):
    row, report = read({REFERENCE: "9999901"})
    assert row is None
    assert report.counts() == {"commune-unknown": 1}


@pytest.mark.parametrize("key", ["m0001", "M001", "0001", "M0001x", "", None])
def test_a_museum_without_its_identifier_is_refused(read, key):
    row, report = read({"Identifiant Muséofile": key})
    assert row is None
    assert report.of(rules.KEY_INVALID)


def test_a_museum_without_a_name_is_refused(read):
    row, report = read({NAME: None})
    assert row is None
    assert report.of(rules.NAME_MISSING)


def test_the_second_museum_of_one_identifier_is_refused(communes, centroids, museum_file):
    rows, report = read_museums(museum_file({}, {}), communes, centroids)
    assert len(rows) == 1
    assert len(report.of(rules.KEY_REPEATED)) == 1


def test_a_point_beyond_20_km_is_not_believed(read, centroids):
    row, report = read({"Latitude": "43,5"})
    assert (row.point, row.approximate) == (centroids["13055"], True)
    assert [f.before for f in report.of(rules.FAR_POINT_REPLACED)] == ["22.6 km"]


def test_a_point_between_10_and_20_km_is_noted(read):
    row, report = read({"Latitude": "43,4"})
    assert row.approximate is False
    assert [f.before for f in report.of(rules.FAR_FROM_COMMUNE)] == ["11.5 km"]


def test_a_museum_without_coordinates_stands_at_the_centroid(read, centroids):
    row, _ = read({"Latitude": None, "Longitude": None})
    assert (row.point, row.approximate) == (centroids["13055"], True)


def test_telephone_and_web_address_are_normalised(read):
    row, _ = read({"Téléphone": 199001234, "URL": "www.example.org/musee"})
    assert (row.phone, row.url) == ("+33199001234", "https://www.example.org/musee")


def test_an_impossible_postal_code_is_left_empty_and_the_commune_kept(read):
    row, report = read({"Code Postal": 62060})
    assert (row.commune, row.postal_code) == ("13055", None)
    assert report.of(rules.POSTAL_CODE_IMPOSSIBLE)


def test_findings_name_the_line_the_object_begins_on(communes, centroids, museum_file):
    body = museum_file({}, {"Identifiant Muséofile": "M0002", "Code Postal": 62060})
    _, report = read_museums(body, communes, centroids)
    (finding,) = report.of(rules.POSTAL_CODE_IMPOSSIBLE)
    assert body.decode().splitlines()[finding.line - 1] == "{"
    assert finding.line > 2
