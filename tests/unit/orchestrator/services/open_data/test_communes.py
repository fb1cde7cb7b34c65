import json

import pytest

from orchestrator.services.open_data import CommuneIndex, read_communes, resolve_commune, rules
from schemas.errors import ImportRefusedError

NEW = {
    "code": "04300",
    "nom": "Essai",
    "departement": "04",
    "region": "93",
    "zone": "metro",
    "type": "commune-actuelle",
}


def test_a_commune_may_lack_what_overseas_ones_lack(commune_file):
    rows, report = read_communes(commune_file(NEW))
    row = rows[-1]
    assert (row.link, row.siren, row.postal_codes, row.population) == (0, None, (), None)
    assert report.findings == ()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"code": "4300"}, "code de commune incorrect « 4300 »"),
        ({"code": "2C001"}, "code de commune incorrect"),
        ({"code": "13055"}, "le code 13055 apparaît deux fois"),
        ({"code": 4300}, "valeur inattendue dans « code »"),
        ({"nom": " "}, "n'a pas de nom"),
        ({"nom": "x" * 81}, "« nom » dépasse 80 caractères"),
        ({"nom": None}, "valeur inattendue dans « nom »"),
        ({"typeLiaison": 9}, "valeur inattendue dans « typeLiaison »"),
        ({"typeLiaison": "1"}, "valeur inattendue dans « typeLiaison »"),
        ({"population": -1}, "valeur inattendue dans « population »"),
        ({"population": True}, "valeur inattendue dans « population »"),
        ({"population": 1.5}, "valeur inattendue dans « population »"),
        ({"population": 10**30}, "valeur inattendue dans « population »"),
        ({"codesPostaux": "04300"}, "valeur inattendue dans « codesPostaux »"),
        ({"codesPostaux": [4300]}, "valeur inattendue dans « codesPostaux »"),
        ({"codesPostaux": ["04300 "]}, "valeur inattendue dans « codesPostaux »"),
        ({"anciensCodes": ["=1+1"]}, "valeur inattendue dans « anciensCodes »"),
        ({"maire": "x"}, "colonne inconnue « maire »"),
    ],
)
def test_a_fault_in_a_commune_refuses_the_file_with_its_line(commune_file, change, problem):
    body = commune_file(NEW | change)
    line = len(body[: body.rindex(b"{")].splitlines()) + 1
    with pytest.raises(ImportRefusedError) as caught:
        read_communes(body)
    assert str(caught.value).startswith(f"communes_paca.json, ligne {line} : ")
    assert problem in str(caught.value)


@pytest.mark.parametrize("column", ["code", "nom", "departement", "region", "type"])
def test_a_commune_without_what_identifies_it_refuses_the_file(commune_file, column):
    lacking = {key: value for key, value in NEW.items() if key != column}
    with pytest.raises(ImportRefusedError, match=f"colonne absente « {column} »"):
        read_communes(commune_file(lacking))


@pytest.mark.parametrize("siren", ["210400017", "21040001", "abcdefghi"])
def test_a_siren_that_fails_its_check_is_left_empty(commune_file, siren):
    rows, report = read_communes(commune_file(NEW | {"siren": siren}))
    assert rows[-1].siren is None
    assert [f.before for f in report.of(rules.SIREN_INVALID)] == [siren]


def test_what_is_not_a_commune_of_today_is_left_aside_and_noted(commune_file):
    district = NEW | {"code": "13201", "type": "arrondissement-municipal", "commune": "13055"}
    delegated = NEW | {"type": "commune-deleguee", "chefLieu": "04020"}
    rows, report = read_communes(commune_file(district, delegated))
    assert len(rows) == 5
    assert [f.before for f in report.of(rules.NOT_A_COMMUNE)] == [
        "arrondissement-municipal",
        "commune-deleguee",
    ]


def test_a_file_of_former_communes_only_is_refused():
    body = json.dumps([NEW | {"type": "commune-deleguee"}]).encode()
    with pytest.raises(ImportRefusedError, match="aucune commune actuelle"):
        read_communes(body)


def test_a_former_code_claimed_twice_or_in_use_stays_with_the_first(commune_file):
    claiming = NEW | {"anciensCodes": ["05120", "13055", "04301"]}
    rows, report = read_communes(commune_file(claiming))
    assert rows[-1].former_codes == ("04301",)
    assert [f.before for f in report.of(rules.FORMER_CODE_AMBIGUOUS)] == ["05120", "13055"]
    index = CommuneIndex.of(rows)
    assert resolve_commune("05120", index) == "05001"
    assert resolve_commune("13055", index) == "13055"
    assert resolve_commune("04301", index) == "04300"


def test_a_hostile_name_is_tidied_and_told(commune_file):
    rows, report = read_communes(commune_file(NEW | {"nom": "E\u202es\u0000sai\ud800"}))
    assert rows[-1].name == "Essai"
    assert report.counts() == {"invisible-removed": 1}
    assert all(f.sentence().isprintable() for f in report.findings)
