import pytest
from marshmallow import ValidationError

from schemas.fields import (
    E164,
    AgeBand,
    Bcp47,
    Count,
    Day,
    EmailAddress,
    HttpsAddress,
    InseeCode,
    InstitutionCode,
    JourneyName,
    LanguageTag,
    Location,
    Moment,
    OneOf,
    PlacementToken,
    Purpose,
    Season,
    Sha256,
    SignedCount,
    Slug,
    Text,
    Uuid,
    read_phone,
)
from schemas.strict import ListOf

KEPT = [
    (InseeCode(), ["13055", "2A004", "2B033", "97105", "01001"]),
    (E164(), ["+33639980001", "+33199001234", "+4915123456789", "+12025550123"]),
    (
        EmailAddress(),
        ["camille.exemple@example.org", "a+b@sub.example.org", "o'a_b@xn--e-9ia.example"],
    ),
    (LanguageTag(), ["fr", "fr-x-falc", "zh-hant-tw"]),
    (Bcp47(), ["fr", "fr-x-falc", "en", "ar"]),
    (AgeBand(), ["under_15", "15_17", "18_25", "26_64", "65_plus"]),
    (OneOf("a", "b"), ["a", "b"]),
    (Day(), ["2026-12-01", "2024-02-29"]),
    (Season(), ["2026-2027", "1999-2000"]),
    (Slug(), ["tennis", "lib_alcazar", "a1"]),
    (Purpose(), ["library.preregistration", "booking", "access_code.delivery"]),
    (PlacementToken(), ["AB12CD34", "00000000"]),
    (InstitutionCode(), ["999000111"]),
    (Sha256(), ["0123456789abcdef" * 4]),
    (Uuid(), ["0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c10"]),
    (JourneyName(), ["library.arrival"]),
    (HttpsAddress(), ["https://parvis.example.org/code", "https://parvis.example.org:8443"]),
    (Text(), ["Exemple", "D'Été-Noël", "李"]),
    (Count(), [0, 1, 2**31 - 1]),
    (SignedCount(), [-3, 0]),
    (ListOf(Slug()), [["aa"], ["aa", "bb"]]),
    (ListOf(Slug(), at_least=0), [[]]),
]

CHANGED = [
    (Bcp47(), "fr-FR", "fr"),
    (Bcp47(), "EN-gb", "en"),
    (Bcp47(), "FR-X-FALC", "fr-x-falc"),
    (Bcp47(), "pt-BR", "fr"),
    (LanguageTag(), "FR", "fr"),
    (EmailAddress(), "Camille@Example.ORG", "Camille@example.org"),
    (Text(), "  Exemple\n", "Exemple"),
    (Moment(), "2026-11-20t10:12:00+01:00", "2026-11-20T09:12:00.000Z"),
    (Location(), {"lat": 43.29649, "lon": 5.36978}, {"lat": 43.296, "lon": 5.37}),
    (Location(), {"lat": -90, "lon": 180}, {"lat": -90.0, "lon": 180.0}),
]

REFUSED = [
    (InseeCode(), ["1305", "130555", "2C004", "2a004", "ABCDE", "13055\n", "\uff113055"]),
    (
        E164(),
        ["0639980001", "+33 639980001", "33639980001", "+0639980001", "+3363998000", "+331", "+"],
    ),
    (
        EmailAddress(),
        [
            "camille",
            "@example.org",
            "camille@",
            "camille@example",
            "a b@example.org",
            "a@example..org",
            ".a@example.org",
            "a.@example.org",
            "a@-example.org",
            "a@example.org\nBcc: b@example.org",
            "a@example.org,b@example.org",
            "é@example.org",
            "a@[127.0.0.1]",
            "a" * 65 + "@example.org",
            "a@" + "b." * 130 + "org",
        ],
    ),
    (LanguageTag(), ["français", "f", "fr_FR", "fr-", "french"]),
    (Bcp47(), ["français", ""]),
    (AgeBand(), ["16_17", "12", "1990-01-01"]),
    (OneOf("a"), ["b", "A", ""]),
    (
        Day(),
        ["2026-02-29", "2026-2-1", "20261201", "2026-W01-1", "01/12/2026", "2026-12-01T00:00:00Z"],
    ),
    (Moment(), ["2026-11-20T09:12Z", "2026-11-20", "demain"]),
    (Season(), ["2026-2028", "2026", "2027-2026", "2026/2027"]),
    (Slug(), ["Tennis", "a", "1a", "a-b", "a" * 41, "é"]),
    (Purpose(), ["a.b.c", "A", "", "a..b"]),
    (PlacementToken(), ["ab12cd34", "AB12CD3", "AB12CD345", "AB12CD3U", "OB12CD34"]),
    (InstitutionCode(), ["99900011", "9990001110", "99900011a"]),
    (Sha256(), ["0" * 63, "0" * 65, "G" * 64, "ABCDEF01" * 8]),
    (Uuid(), ["0197F2C4-7D1E-7C3A-9B40-2F6D1A5E8C10", "0197f2c47d1e7c3a9b402f6d1a5e8c10"]),
    (JourneyName(), ["Library", ".a", "a."]),
    (HttpsAddress(), ["http://a.example.org", "https://", "https://a.example.org/a b", "/code"]),
    (Text(at_most=5), ["", "   ", "Exemple", "a\x00b", "a\nb", "\ud800"]),
    (Count(), [-1, 2**31, 1.0, "1", True]),
    (SignedCount(), [-(2**31) - 1, 0.5]),
    (
        ListOf(Slug(), at_most=2),
        ["aa", [], ["aa", "aa"], ["aa", "bb", "cc"], {"aa": 1}, ["A"], [1]],
    ),
    (
        Location(),
        [
            {"lat": 43.2},
            {"lat": "43.2", "lon": 5.3},
            {"lat": 91, "lon": 5},
            {"lat": 43, "lon": -181},
            {"lat": True, "lon": 5},
            {"lat": float("nan"), "lon": 5},
            {"lat": float("inf"), "lon": 5},
            {"lat": 43, "lon": 5, "alt": 2},
            [43.2, 5.3],
        ],
    ),
]
FIELDS = [field for field, _ in KEPT] + [Moment(), Location()]


def rows(table):
    return [
        pytest.param(field, value, id=f"{type(field).__name__}-{row}-{number}")
        for row, (field, values) in enumerate(table)
        for number, value in enumerate(values)
    ]


@pytest.mark.parametrize(("field", "value"), rows(KEPT))
def test_a_good_value_is_kept_as_it_came(field, value):
    assert field.read(value) == value


@pytest.mark.parametrize(
    ("field", "value", "read"),
    CHANGED,
    ids=[f"{type(row[0]).__name__}-{n}" for n, row in enumerate(CHANGED)],
)
def test_a_value_is_brought_to_its_one_form(field, value, read):
    assert field.read(value) == read


@pytest.mark.parametrize(("field", "value"), rows(REFUSED))
def test_a_wrong_value_is_refused(field, value):
    with pytest.raises(ValidationError):
        field.read(value)


@pytest.mark.parametrize(
    ("field", "value"),
    rows([(field, [None, [None], {"a": 1}, object(), 1e300]) for field in FIELDS]),
)
def test_a_value_of_any_other_type_is_refused_in_words(field, value):
    with pytest.raises(ValidationError):
        field.read(value)


def test_a_refused_number_is_not_repeated():
    with pytest.raises(ValidationError) as caught:
        E164().read("06 39 98 00 01")
    assert "39 98" not in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("06 39 98 00 01", "+33639980001"),
        ("06.39.98.00.01", "+33639980001"),
        ("+33 6 39 98 00 01", "+33639980001"),
        ("0033639980001", "+33639980001"),
        ("12", None),
        ("", None),
        ("camille@example.org", None),
    ],
)
def test_a_number_as_people_type_it_is_read(typed, number):
    assert read_phone(typed) == number
