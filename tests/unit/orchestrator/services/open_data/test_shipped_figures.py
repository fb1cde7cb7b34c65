"""The figures of the shipped edition: a new edition of a file must change them knowingly."""

import hashlib
import re
import time
from collections import Counter
from datetime import date
from pathlib import Path
from statistics import median

import pytest

from orchestrator.services.open_data import SHIPPED_DATES, SOURCES, read_all, rules
from orchestrator.services.open_data.libraries import NAME

LIBRARIES, MUSEUMS = "bibliotheques_paca.csv", "musees_paca.json"
COMMUNES, CENTROIDS = "communes_paca.json", "communes_paca_centroides.csv"


def test_each_file_is_the_one_its_notice_describes(files):
    notice = (Path(__file__).parents[5] / "parvis" / "data" / "NOTICE.md").read_text("utf-8")
    for name, body in files.items():
        line = f"| `{name}` | {len(body)} | `{hashlib.sha256(body).hexdigest()}` |"
        assert line in notice


def test_the_notice_names_publisher_title_and_edition_of_each_source():
    notice = (Path(__file__).parents[5] / "parvis" / "data" / "NOTICE.md").read_text("utf-8")
    flat = notice.replace("`", "").replace("\n", " ").replace("  ", " ")
    for source in SOURCES:
        assert source.title.partition(",")[0] in flat
        assert source.shipped_edition.partition(",")[0] in flat
        assert source.licence.partition(" (")[0] in flat


@pytest.mark.parametrize(
    ("name", "rows"), [(COMMUNES, 946), (CENTROIDS, 946), (LIBRARIES, 709), (MUSEUMS, 121)]
)
def test_every_row_is_read_and_kept(reports, name, rows):
    assert (reports[name].rows_read, reports[name].rows_kept) == (rows, rows)


def test_reports_say_which_bytes_and_which_edition_were_read(reports, files):
    assert reports[COMMUNES].source_date == date(2026, 1, 1)
    assert reports[LIBRARIES].source_date is None
    for name, report in reports.items():
        assert report.sha256 == hashlib.sha256(files[name]).hexdigest()


def test_reading_everything_takes_less_than_half_a_second_of_processor(files, untraced):
    spent = []
    for _ in range(3):
        start = time.process_time()
        read_all(files, source_dates=SHIPPED_DATES)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.5


# --- libraries -----------------------------------------------------------------------------------


def test_what_was_corrected_refused_and_noted_in_the_libraries(reports):
    assert reports[LIBRARIES].counts() == {
        "accent-restored": 82,
        "backslash-removed": 4,
        "capitals-lowered": 126,
        "cedex-ignored": 30,
        "centroid-used": 49,
        "commune-name-differs": 4,
        "district-mapped": 1,
        "empty-text": 1,
        "far-from-commune": 5,
        "key-derived": 12,
        "postal-code-elsewhere": 24,
        "spaces-collapsed": 22,
        "zero-unknown": 37,
    }


def test_names_begin_without_their_accent_as_often_as_known(reports):
    found = [f for f in reports[LIBRARIES].of(rules.ACCENT_RESTORED) if f.column == NAME]
    begins = [
        f for f in found if re.match(r"(bibliotheque|mediatheque)\b", f.before, re.IGNORECASE)
    ]
    assert len(begins) == 74
    others = sorted(f.before[:17] for f in found if f not in begins)
    assert others == [
        "04 - MEDIATHEQUE ",
        "05 - Bibliotheque",
        "06 - Mediatheque ",
        "06 - Mediatheque ",
        "13 - Bibliotheque",
        "83 - Mediatheque ",
        "Ludotheque Munici",
    ]


def test_all_capitals_are_lowered_in_nine_names_and_most_addresses(reports):
    columns = Counter(f.column for f in reports[LIBRARIES].of(rules.CAPITALS_LOWERED))
    # 90 addresses are all capitals; "33 RD 7" and "BP 10" stay as they are
    assert columns == {NAME: 9, "Adresse": 88, "Libellé 2": 27, "Complément": 2}


def test_double_spaces_are_collapsed_in_five_names(reports):
    columns = Counter(f.column for f in reports[LIBRARIES].of(rules.SPACES_COLLAPSED))
    assert columns == {NAME: 5, "Adresse": 16, "Libellé 2": 1}


def test_697_libraries_keep_the_publishers_key_and_12_get_a_stable_one(data):
    numbered = [row for row in data.libraries if row.source_key]
    derived = [row for row in data.libraries if not row.source_key]
    assert (len(numbered), len(derived)) == (697, 12)
    assert all(row.id.isdecimal() for row in numbered)
    assert len({row.id for row in data.places}) == 709 + 121
    names = {row.id: row.name for row in derived}
    assert names["916f70c0-bbb7-592e-81be-4a54c1422806"] == "13 - Bibliothèque Departementale"


def test_the_public_set_is_679_of_which_627_have_hours_and_598_a_point(data):
    public = [row for row in data.libraries if row.is_public]
    open_ones = [row for row in public if row.is_open_library]
    assert len(public) == 679
    assert len(open_ones) == 627
    assert sum(not row.approximate for row in open_ones) == 598


def test_open_buildings_that_are_not_for_readers_are_six_annexes_and_ten_by_name(data):
    buildings = [row for row in data.libraries if row.address_type == "Bâtiment ouvert"]
    hidden = [row for row in buildings if not row.is_public]
    annexes = [row for row in hidden if row.status == "Bibliothèque départementale annexe"]
    assert (len(buildings), len(annexes), len(hidden) - len(annexes)) == (695, 6, 10)
    assert sum(not row.approximate for row in buildings) == 655


def test_609_communes_have_a_library_and_337_have_none(data):
    served = {row.commune for row in data.libraries}
    assert len(served) == 609
    assert len({commune.code for commune in data.communes} - served) == 337


def test_49_libraries_without_coordinates_stand_at_their_communes_centroid(data):
    points = {row.commune: row.point for row in data.centroids}
    approximate = [row for row in data.libraries if row.approximate]
    assert len(approximate) == 49
    assert sum(row.address_type == "Bâtiment ouvert" for row in approximate) == 40
    assert all(row.point == points[row.commune] for row in approximate)
    shared = Counter(row.point for row in data.libraries if not row.approximate)
    assert sum(count > 1 for count in shared.values()) == 5


def test_the_farthest_library_is_25_km_from_its_commune_and_keeps_its_point(data, reports):
    far = reports[LIBRARIES].of(rules.FAR_FROM_COMMUNE)
    assert sorted(f.before for f in far) == ["10.2 km", "10.5 km", "11.3 km", "12.3 km", "25.0 km"]
    (reading_point,) = [row for row in data.libraries if "Comps sur Artuby" in row.name]
    assert (reading_point.commune, reading_point.approximate) == ("83050", False)


def test_weekly_hours_are_known_for_640_libraries(data):
    hours = [row.weekly_hours for row in data.libraries]
    assert hours.count(None) == 31
    assert hours.count(0.0) == 38
    filled = [value for value in hours if value is not None]
    assert (median(filled), max(filled)) == (15.0, 58.0)
    known = [value for value in filled if value]
    assert len(known) == 640
    assert sum(value % 1 != 0 for value in known) == 89
    assert sum(value * 4 % 1 != 0 for value in known) == 9


def test_the_other_columns_are_filled_as_often_as_known(data):
    rows = data.libraries
    assert sum(row.surface_m2 is not None for row in rows) == 678 - 37
    assert sum(row.address is not None for row in rows) == 656 - 1  # one is "- - -"
    assert sum(row.venue is not None for row in rows) == 129
    assert sum(row.complement is not None for row in rows) == 131
    assert sum(row.employees is not None for row in rows) == 674
    assert sum(row.employees == 0 and row.volunteers == 0 for row in rows) == 60
    assert all(row.postal_code for row in rows)


def test_libraries_by_department_status_and_type(data):
    departments = {commune.code: commune.department for commune in data.communes}
    assert Counter(departments[row.commune] for row in data.libraries) == {
        "13": 138,
        "83": 136,
        "06": 129,
        "84": 122,
        "05": 93,
        "04": 91,
    }
    assert Counter(row.status for row in data.libraries) == {
        "Bibliothèque municipale": 517,
        "Bibliothèque intercommunale": 106,
        "Bibliothèque municipale classée": 43,
        "Bibliothèque associative": 25,
        "Bibliothèque SIVOM": 6,
        "Bibliothèque départementale": 6,
        "Bibliothèque départementale annexe": 6,
    }
    assert Counter(row.address_type for row in data.libraries) == {
        "Bâtiment ouvert": 695,
        "Bibliothèque départementale": 6,
        "Lieu uniquement administratif": 5,
        "Inconnue": 2,
        "Bibliobus": 1,
    }


def test_familiar_towns_have_the_libraries_they_should(data):
    found = Counter(row.commune for row in data.libraries)
    assert found["06088"] == 16
    assert found["13055"] == 11  # with the departmental one, booked under a district
    assert (found["84007"], found["13001"]) == (10, 6)
    names = {row.name for row in data.libraries}
    assert {"Médiathèque Colette", "Bmvr Alcazar", "Bmvr de Nice - Direction"} <= names


def test_no_name_is_left_in_capitals_or_without_a_known_accent(data):
    for row in data.libraries:
        assert not row.name.isupper()
        assert not re.search(r"\b(biblio|media|ludo)theque\b", row.name, re.IGNORECASE)
        assert "  " not in row.name
        assert "\\" not in row.name


# --- museums -------------------------------------------------------------------------------------


def test_what_was_corrected_refused_and_noted_in_the_museums(reports):
    assert reports[MUSEUMS].counts() == {
        "commune-name-differs": 6,
        "decimal-comma": 242,
        "district-mapped": 6,
        "far-from-commune": 3,
        "far-point-replaced": 2,
        "first-letter-raised": 120,
        "joined-by-name": 2,
        "number-as-text": 78 + 75 + 1,
        "phone-normalised": 116,
        "phone-unreadable": 3,
        "postal-code-elsewhere": 11,
        "postal-code-impossible": 1,
        "url-invalid": 3,
        "url-scheme-added": 113,
    }


def test_museums_by_department(data):
    departments = {commune.code: commune.department for commune in data.communes}
    assert Counter(departments[row.commune] for row in data.museums) == {
        "13": 41,
        "06": 33,
        "84": 19,
        "83": 17,
        "04": 9,
        "05": 2,
    }


def test_museum_columns_are_filled_as_often_as_known(data):
    rows = data.museums
    assert sum(row.address is not None for row in rows) == 117
    assert sum(row.venue is not None for row in rows) == 48
    assert sum(row.phone is not None for row in rows) == 119 - 3
    assert sum(row.url is not None for row in rows) == 116 - 3
    assert sum(row.postal_code is not None for row in rows) == 121 - 1
    assert sum(row.approximate for row in rows) == 2


def test_museum_values_have_the_form_that_others_count_on(data):
    for row in data.museums:
        assert re.fullmatch(r"M\d{4}", row.id)
        assert row.phone is None or re.fullmatch(r"\+33\d{9}", row.phone)
        assert row.url is None or row.url.startswith("https://")
        assert row.postal_code is None or re.fullmatch(r"\d{5}", row.postal_code)
        assert row.name[0].isupper()


def test_the_two_museums_on_wrong_points_are_the_known_ones(data, reports):
    distances = [f.before for f in reports[MUSEUMS].of(rules.FAR_POINT_REPLACED)]
    assert distances == ["86.0 km", "66.9 km"]
    assert {row.id for row in data.museums if row.approximate} == {"M0905", "M0865"}


def test_five_names_are_shared_by_seventeen_museums(data):
    names = Counter(row.name for row in data.museums)
    shared = {name: count for name, count in names.items() if count > 1}
    assert (len(shared), sum(shared.values()), shared["Musée municipal"]) == (5, 17, 5)


# --- communes ------------------------------------------------------------------------------------


def test_nothing_had_to_be_corrected_in_the_communes_and_their_centroids(reports):
    assert reports[COMMUNES].findings == ()
    assert reports[CENTROIDS].findings == ()


def test_communes_by_department_and_by_article(data):
    assert Counter(row.department for row in data.communes) == {
        "04": 198,
        "06": 163,
        "05": 162,
        "83": 153,
        "84": 151,
        "13": 119,
    }
    assert Counter(row.link for row in data.communes) == {0: 722, 1: 96, 2: 40, 3: 69, 4: 13, 5: 6}


def test_population_of_the_communes(data):
    population = {row.code: row.population for row in data.communes}
    assert sum(population.values()) == 5_218_960
    assert population["13055"] == 886_040
    assert sum(value < 100 for value in population.values()) == 89


def test_postal_codes_and_communes_are_many_to_many(data):
    sharing = Counter(code for row in data.communes for code in row.postal_codes)
    assert len(sharing) == 400
    assert sum(count > 1 for count in sharing.values()) == 138
    assert sharing["04200"] == 19
    several = {row.name: len(row.postal_codes) for row in data.communes if row.postal_codes[1:]}
    assert (len(several), several["Marseille"]) == (21, 16)


def test_ten_names_occur_twice_but_never_in_one_department(data):
    names = Counter(row.name for row in data.communes)
    assert sum(count == 2 for count in names.values()) == 10
    assert max(names.values()) == 2
    assert len({(row.name, row.department) for row in data.communes}) == 946


def test_46_communes_have_70_former_codes(data):
    former = [row.former_codes for row in data.communes if row.former_codes]
    assert (len(former), sum(map(len, former))) == (46, 70)


def test_centroids_stay_within_the_region(data):
    assert {row.commune for row in data.centroids} == {row.code for row in data.communes}
    lats, lons = [row.lat for row in data.centroids], [row.lon for row in data.centroids]
    assert (min(lats), max(lats)) == (43.07572, 45.06004)
    assert (min(lons), max(lons)) == (4.46415, 7.65051)
