import pytest

from orchestrator.services.open_data import CommuneRow
from orchestrator.services.open_data.records import Record
from orchestrator.services.open_data.report import Ledger
from orchestrator.services.open_data.sources import LIBRARIES
from orchestrator.services.open_data.values import (
    coordinates,
    has_luhn_check,
    measure,
    phone,
    postal_code,
    url,
)
from schemas.geo import Point


def commune(code="13055", postal_codes=("13001", "13002")) -> CommuneRow:
    return CommuneRow(
        code=code,
        name="Essai",
        link=0,
        department=code[:2],
        region="93",
        siren=None,
        postal_codes=postal_codes,
        population=1,
        former_codes=(),
        source="test",
        source_date=None,
    )


def slugs(ledger: Ledger) -> list[str]:
    return [f.rule.slug for f in ledger.closed(rows_read=1, rows_kept=1).findings]


@pytest.fixture
def ledger():
    return Ledger(b"", LIBRARIES, None)


@pytest.fixture
def cells(ledger):
    return lambda *values: Record(2, dict(zip("ab", values, strict=False)), ledger)


@pytest.mark.parametrize(
    ("text", "value"),
    [("", None), ("0.0", 0.0), ("42.5", 42.5), ("168", 168.0), ("007", 7.0)],
)
def test_a_measure_is_a_plain_decimal_number(cells, ledger, text, value):
    assert measure(cells(text), "a", highest=168) == value
    assert slugs(ledger) == []


@pytest.mark.parametrize(
    "text", ["-1", "168.1", "nan", "inf", "1e3", "12,5", "0x10", "1_000", "٣", "vingt", "=1"]
)
def test_what_is_no_measure_is_refused_and_left_empty(cells, ledger, text):
    assert measure(cells(text), "a", highest=168) is None
    assert slugs(ledger) == ["number-invalid"]


@pytest.mark.parametrize(
    ("lat", "lon", "point", "told"),
    [
        ("43.3", "5.37", Point(43.3, 5.37), []),
        ("-21.1", "55.5", Point(-21.1, 55.5), []),
        ("43,3", "5,37", Point(43.3, 5.37), ["decimal-comma", "decimal-comma"]),
        ("", "", None, []),
        ("43.3", "", None, ["coordinates-invalid"]),
        ("", "5.37", None, ["coordinates-invalid"]),
        ("91", "5", None, ["coordinates-invalid"]),
        ("43", "181", None, ["coordinates-invalid"]),
        ("nan", "nan", None, ["coordinates-invalid"]),
        ("inf", "5", None, ["coordinates-invalid"]),
        ("43.3.1", "5", None, ["coordinates-invalid"]),
        ("nord", "est", None, ["coordinates-invalid"]),
    ],
)
def test_coordinates_are_a_whole_pair_on_earth_or_nothing(cells, ledger, lat, lon, point, told):
    assert coordinates(cells(lat, lon), "a", "b") == point
    assert slugs(ledger) == told


@pytest.mark.parametrize(
    ("text", "code", "value", "told"),
    [
        ("13002", "13055", "13002", []),
        ("", "13055", None, []),
        ("13231", "13055", "13231", ["postal-code-elsewhere"]),
        ("62060", "06098", None, ["postal-code-impossible"]),
        ("1300", "13055", None, ["postal-code-impossible"]),
        ("1300A", "13055", None, ["postal-code-impossible"]),
        ("20190", "2A004", "20190", ["postal-code-elsewhere"]),
        ("97490", "97411", "97490", ["postal-code-elsewhere"]),
        ("97200", "97411", None, ["postal-code-impossible"]),
    ],
)
def test_a_postal_code_belongs_to_the_communes_department(cells, ledger, text, code, value, told):
    assert postal_code(cells(text), "a", commune(code)) == value
    assert slugs(ledger) == told


def test_a_postal_code_of_another_department_is_right_when_the_commune_has_it(cells, ledger):
    saint_pierre = commune("04194", ("06260",))
    assert postal_code(cells("06260"), "a", saint_pierre) == "06260"
    assert slugs(ledger) == []


@pytest.mark.parametrize(
    ("text", "value", "told"),
    [
        ("01 99 00 12 34", "+33199001234", ["phone-normalised"]),
        ("0199 00 12 34", "+33199001234", ["phone-normalised"]),
        ("1 99 00 12 34", "+33199001234", ["phone-normalised"]),
        ("+33199001234", "+33199001234", []),
        ("", None, []),
        ("01 99 00 12 34 ( mairie)", None, ["phone-unreadable"]),
        ("01 99 00 12 34 - 01 99 00 12 35", None, ["phone-unreadable"]),
        ("01 99 00 12 34 poste 12", None, ["phone-unreadable"]),
        ("3199001234", None, ["phone-unreadable"]),
        ("01 99", None, ["phone-unreadable"]),
        ("en cours", None, ["phone-unreadable"]),
        ("=cmd()", None, ["phone-unreadable"]),
    ],
)
def test_telephones_are_written_in_e164_or_left_empty(cells, ledger, text, value, told):
    assert phone(cells(text), "a") == value
    assert slugs(ledger) == told


@pytest.mark.parametrize(
    ("text", "value", "told"),
    [
        ("www.example.org/fr?a=1", "https://www.example.org/fr?a=1", ["url-scheme-added"]),
        ("https://musee.example.org", "https://musee.example.org", []),
        ("http://example.org:8080/", "http://example.org:8080/", []),
        ("", None, []),
    ],
)
def test_web_addresses_get_their_scheme(cells, ledger, text, value, told):
    assert url(cells(text), "a") == value
    assert slugs(ledger) == told


@pytest.mark.parametrize(
    "text",
    [
        "en cours de réalisation",
        "www.example.org/Quoi Faire/image.jpg",
        "/www.example.org/musee",
        "javascript:alert(1)",
        "javascript://example.org/%0aalert(1)",
        "data:text/html,x",
        "ftp://example.org",
        "mailto:musee@example.org",
        "https://login@example.org/",
        "https://example.org:99999/",
        'www.example.org/"onclick=x',
        "www.example.org/<b>",
        "localhost",
        "10.0.0.1/admin",
        "https://[::1]/",
        "https://[",
        "https://-a.example.org",
    ],
)
def test_what_is_no_web_address_is_refused_and_left_empty(cells, ledger, text):
    assert url(cells(text), "a") is None
    assert slugs(ledger) == ["url-invalid"]


def test_a_code_with_blanks_around_it_is_read_and_told(cells, ledger):
    assert measure(cells(" 12 "), "a", highest=100) == 12
    assert slugs(ledger) == ["spaces-collapsed"]


def test_the_luhn_check_catches_one_wrong_digit():
    assert has_luhn_check("210400016")
    assert not has_luhn_check("210400017")
    assert not has_luhn_check("210400106")
