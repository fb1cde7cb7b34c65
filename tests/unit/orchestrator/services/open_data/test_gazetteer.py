import pytest

from orchestrator.services.open_data import (
    CommuneIndex,
    commune_with_preposition,
    display_name,
    resolve_commune,
)
from orchestrator.services.open_data.gazetteer import DISTRICTS


@pytest.fixture(scope="session")
def index(data) -> CommuneIndex:
    return CommuneIndex.of(data.communes)


@pytest.mark.parametrize(
    ("code", "commune"),
    [
        ("13055", "13055"),
        ("13201", "13055"),
        ("13216", "13055"),
        ("13200", None),
        ("13217", None),
        ("75101", None),  # Paris is not in the regional file
        ("00000", None),
        ("", None),
        (" 13055", None),
        ("13055\n", None),
    ],
)
def test_a_code_means_the_commune_of_today(index, code, commune):
    assert resolve_commune(code, index) == commune


def test_every_former_code_finds_its_commune(index, data):
    expected = {old: row.code for row in data.communes for old in row.former_codes}
    assert len(expected) == 70
    assert {old: resolve_commune(old, index) for old in expected} == expected


def test_districts_of_the_three_cities_find_their_city():
    assert len(DISTRICTS) == 16 + 9 + 20
    assert {DISTRICTS[code] for code in ("75101", "75120")} == {"75056"}
    assert {DISTRICTS[code] for code in ("69381", "69389")} == {"69123"}
    assert {DISTRICTS[code] for code in ("13201", "13216")} == {"13055"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("04020", "de Barles"),
        ("04001", "d'Aiglun"),
        ("04036", "du Brusquet"),
        ("04033", "d'Ubaye-Serre-Ponçon"),
        ("13055", "de Marseille"),
        ("13001", "d'Aix-en-Provence"),
        ("13028", "de La Ciotat"),
        ("13011", "des Baux-de-Provence"),
        ("84054", "de L'Isle-sur-la-Sorgue"),
    ],
)
def test_de_and_the_name_of_a_commune_are_said_in_french(index, code, expected):
    row = index.current[code]
    assert commune_with_preposition(row.name, row.link) == expected


@pytest.mark.parametrize(
    ("name", "link", "expected"),
    [
        ("La Brillanne", 3, "de La Brillanne"),
        ("Les Mées", 4, "des Mées"),
        ("L'Escale", 5, "de L'Escale"),
        ("Aux Marais", 6, "des Marais"),
        ("Los Masos", 8, "de Los Masos"),
        ("Brusquet", 2, "de Brusquet"),  # the link says "Le", the name does not
        ("Ailleurs", 42, "de Ailleurs"),
    ],
)
def test_every_article_has_its_preposition(name, link, expected):
    assert commune_with_preposition(name, link) == expected


def test_no_commune_is_said_with_a_hole_or_a_double_article(data):
    for row in data.communes:
        said = commune_with_preposition(row.name, row.link)
        assert said.startswith(("de ", "d'", "du ", "des "))
        assert not said.startswith(("de Le ", "de Les ", "du Le ", "des Les "))


@pytest.mark.parametrize(
    ("place", "commune", "expected"),
    [
        ("Bibliothèque municipale", "Barles", "Bibliothèque municipale (Barles)"),
        ("Médiathèque de Sorgues", "Sorgues", "Médiathèque de Sorgues"),
        ("Bibliothèque De LA GRAVE", "La Grave", "Bibliothèque De LA GRAVE"),
        ("Bibliothèque des Arcades", "Les Arcs", "Bibliothèque des Arcades (Les Arcs)"),
    ],
)
def test_a_shared_name_is_shown_with_its_commune(place, commune, expected):
    assert display_name(place, commune) == expected
