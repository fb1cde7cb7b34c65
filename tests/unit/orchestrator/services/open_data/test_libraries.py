from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from orchestrator.services.open_data import PlaceKind, read_libraries, rules
from schemas.geo import Point


@pytest.fixture
def read(communes, centroids, library_file):
    def one(**changes):
        rows, report = read_libraries(library_file(changes), communes, centroids)
        return (rows[0] if rows else None), report

    return one


NAME = "Nom de l'établissement"


def test_a_plain_row_is_read_without_a_word(read):
    row, report = read()
    assert report.findings == ()
    assert (row.id, row.source_key, row.kind) == ("159", "159.0", PlaceKind.LIBRARY)
    assert (row.name, row.commune, row.postal_code) == ("Bibliothèque des Essais", "13055", "13001")
    assert (row.point, row.approximate) == (Point(43.3, 5.37), False)
    assert (row.weekly_hours, row.surface_m2, row.is_open_library) == (20.0, 140.0, True)


@pytest.mark.parametrize(
    ("code", "key"), [("159.0", "159"), ("159", "159"), ("0159.00", "159"), ("20498.0", "20498")]
)
def test_the_key_is_the_publishers_number_as_an_integer(read, code, key):
    assert read(Code_bib=code)[0].id == key


@pytest.mark.parametrize("code", ["159.5", "abc", "-1", "1e3", "=1"])
def test_a_key_that_is_no_number_refuses_the_row(read, code):
    row, report = read(Code_bib=code)
    assert row is None
    assert report.counts() == {"key-invalid": 1}
    assert (report.rows_read, report.rows_kept) == (1, 0)


def test_a_missing_key_is_derived_from_commune_and_name_whatever_their_spelling(read):
    row, report = read(Code_bib="")
    assert UUID(row.id).version == 5
    assert row.source_key is None
    assert [f.after for f in report.of(rules.KEY_DERIVED)] == [row.id]
    loud, _ = read(Code_bib="", **{NAME: "BIBLIOTHEQUE  DES ESSAIS"})
    assert loud.id == row.id
    assert read(Code_bib="", **{NAME: "Bibliothèque voisine"})[0].id != row.id


def test_the_second_row_of_one_key_is_refused(communes, centroids, library_file):
    body = library_file({}, {NAME: "Autre"}, {"Code_bib": "160"})
    rows, report = read_libraries(body, communes, centroids)
    assert [row.name for row in rows] == ["Bibliothèque des Essais", "Bibliothèque des Essais"]
    assert [f.line for f in report.of(rules.KEY_REPEATED)] == [3]


@pytest.mark.parametrize("name", ["", "   ", "...", "\u200b"])
def test_a_row_without_a_name_is_refused(read, name):
    row, report = read(**{NAME: name})
    assert row is None
    assert report.of(rules.NAME_MISSING)


def test_a_row_of_an_unknown_commune_is_refused(read):
    row, report = read(**{"Code insee commune": "99999"})
    assert row is None
    assert [f.before for f in report.of(rules.COMMUNE_UNKNOWN)] == ["99999"]


def test_a_district_and_a_former_code_become_the_commune(read):
    district, report = read(**{"Code insee commune": "13203"})
    assert district.commune == "13055"
    assert report.counts() == {"district-mapped": 1}
    former, report = read(
        **{
            "Code insee commune": "05120",
            "Ville": "Abriès",
            "CP": "05460",
            "Code département": "05",
        }
    )
    assert former.commune == "05001"
    assert {"former-code-mapped", "commune-name-differs"} <= set(report.counts())


def test_a_library_without_coordinates_stands_at_its_communes_centroid(read, centroids):
    row, report = read(Latitude="", Longitude="", geolocalisation="")
    assert (row.point, row.approximate) == (centroids["13055"], True)
    assert report.counts() == {"centroid-used": 1}


def test_impossible_coordinates_count_as_none(read, centroids):
    row, report = read(Latitude="433", geolocalisation="433, 5.37")
    assert (row.point, row.approximate) == (centroids["13055"], True)
    assert report.counts() == {"coordinates-invalid": 1, "centroid-used": 1}


def test_a_library_without_coordinates_nor_centroid_is_refused(communes, library_file):
    body = library_file({"Latitude": "", "Longitude": "", "geolocalisation": ""})
    rows, report = read_libraries(body, communes, {})
    assert rows == ()
    assert report.counts() == {"location-missing": 1}


def test_a_point_is_kept_when_there_is_no_centroid_to_compare_it_with(communes, library_file):
    rows, report = read_libraries(library_file({}), communes, {})
    assert (rows[0].approximate, report.findings) == (False, ())


def test_a_library_far_from_its_commune_is_noted_and_keeps_its_point(read):
    row, report = read(Latitude="43.5", geolocalisation="43.5, 5.37")
    assert (row.point, row.approximate) == (Point(43.5, 5.37), False)
    assert [f.before for f in report.of(rules.FAR_FROM_COMMUNE)] == ["22.6 km"]


def test_a_geolocation_that_says_otherwise_is_noted(read):
    row, report = read(geolocalisation="1.0, 2.0")
    assert row.point == Point(43.3, 5.37)
    assert report.counts() == {"coordinates-differ": 1}


@pytest.mark.parametrize(
    ("changes", "is_public"),
    [
        ({}, True),
        ({"Type adresse": "Lieu uniquement administratif"}, False),
        ({"Type adresse": ""}, False),
        ({"Statut": "Bibliothèque départementale"}, False),
        ({"Statut": "Bibliothèque départementale annexe"}, False),
        ({"Statut": "Bibliothèque associative"}, True),
        ({NAME: "Médiabus"}, False),
        ({NAME: "MEDIABUS DES ESSAIS"}, False),
        ({NAME: "Bibliobus"}, False),
        ({NAME: "Réserve centrale"}, False),
        ({NAME: "BM - Services transversaux"}, False),
        ({NAME: "Service Hors les murs"}, False),
        ({NAME: "Bibliothèque hors les murs"}, False),
        ({NAME: "Bibliothèque (fermée depuis avril 2021)"}, False),
        ({NAME: "Bibliothèque du service archéologique"}, False),
        ({NAME: "Bibliothèque des Réservés"}, True),  # whole words only
        ({NAME: "Bibliothèque de la Fermette"}, True),
        ({NAME: "Bibliothèque de Murs"}, True),
    ],
)
def test_who_a_citizen_may_be_sent_to(read, changes, is_public):
    assert read(**changes)[0].is_public is is_public


@pytest.mark.parametrize(("hours", "is_open"), [("20.0", True), ("0.0", False), ("", False)])
def test_a_public_library_without_known_hours_is_not_an_open_one(read, hours, is_open):
    row, _ = read(**{"Amplitude horaire": hours})
    assert (row.is_public, row.is_open_library) == (True, is_open)


def test_more_hours_than_a_week_has_are_refused(read):
    row, report = read(**{"Amplitude horaire": "169"})
    assert row.weekly_hours is None
    assert report.counts() == {"number-invalid": 1}


def test_no_surface_is_an_unknown_one(read):
    row, report = read(Surface="0.0")
    assert row.surface_m2 is None
    assert report.counts() == {"zero-unknown": 1}


def test_the_cedex_column_is_ignored_and_a_wrong_department_noted(read):
    row, report = read(**{"Cedex": "CEDEX 4", "Code département": "83"})
    assert "CEDEX" not in repr(row)
    assert report.counts() == {"cedex-ignored": 1, "department-differs": 1}


def test_hostile_cells_stay_text_and_are_told(read):
    row, report = read(
        **{
            NAME: "=Hyperlink(1)",
            "Adresse": "1 rue '); DROP TABLE place;--",
            "Complément": "\x1b[31mrouge\u202e",
            "Libellé 2": "<img src=x onerror=alert(1)>",
        }
    )
    assert row.name == "=Hyperlink(1)"
    assert row.address == "1 rue '); DROP TABLE place;--"
    assert row.complement == "[31mrouge"
    assert row.venue == "<img src=x onerror=alert(1)>"
    assert report.counts() == {"formula-like": 1, "invisible-removed": 1}
    assert all(finding.sentence().isprintable() for finding in report.findings)


def test_reading_twice_gives_the_same_rows(communes, centroids, library_file):
    body = library_file({}, {"Code_bib": ""})
    assert read_libraries(body, communes, centroids) == read_libraries(body, communes, centroids)


def test_rows_bear_their_source_and_its_date(communes, centroids, library_file):
    (row,), report = read_libraries(
        library_file({}), communes, centroids, source_date=date(2026, 3, 1)
    )
    assert (row.source, row.source_date) == ("culture.libraries", date(2026, 3, 1))
    assert report.source_date == date(2026, 3, 1)
    assert replace(row, source_date=None).source_date is None
