import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.sms_text import GSM_7, UCS_2, lint, split, weigh

WEIGHTS = [
    ("", GSM_7, 0, 1),
    ("a" * 160, GSM_7, 160, 1),
    ("a" * 161, GSM_7, 161, 2),
    ("a" * 306, GSM_7, 306, 2),
    ("a" * 307, GSM_7, 307, 3),
    ("€" * 80, GSM_7, 160, 1),
    ("a" + "€" * 80, GSM_7, 161, 2),
    ("€" * 153, GSM_7, 306, 3),  # 76 of them fill a part: the 77th would be cut
    ("^{}[]~\\|\f", GSM_7, 18, 1),
    ("àæéèùüÉÇÆÜìòñöäÄÖÑ", GSM_7, 18, 1),
    ("@£$¥Øø\r\nÅåΔ_ΦΓΛΩΠΨΣΘΞß¤¡§¿", GSM_7, 26, 1),
    ("ê" * 70, UCS_2, 70, 1),
    ("ê" * 71, UCS_2, 71, 2),
    ("ê" * 134, UCS_2, 134, 2),
    ("ê" * 135, UCS_2, 135, 3),
    ("😀" * 35, UCS_2, 70, 1),
    ("😀" * 36, UCS_2, 72, 2),
    ("😀" * 67, UCS_2, 134, 3),  # 33 of them fill a part: the 34th would be cut
    ("€" * 69 + "ê", UCS_2, 70, 1),
]
OUTSIDE = "âçêëîïôœûÿÀÂÈÊËÎÏÔŒÙÛŸ«»\u2019…\u2013\u2014°\u00a0\u202f\x1b`"


@pytest.mark.parametrize(("text", "alphabet", "units", "parts"), WEIGHTS)
def test_a_text_weighs_what_the_gateway_will_bill(text, alphabet, units, parts):
    weight = weigh(text)
    assert (weight.alphabet, weight.units, weight.parts) == (alphabet, units, parts)


@pytest.mark.parametrize("character", OUTSIDE)
def test_one_character_outside_the_alphabet_switches_the_whole_message(character):
    assert weigh("Bonjour" + character).alphabet == UCS_2


def test_no_character_is_cut_in_two():
    assert [len(part) for part in split("€" * 153)] == [76, 76, 1]
    assert [len(part) for part in split("😀" * 67)] == [33, 33, 1]


@given(st.text(alphabet="ab€^é", max_size=400) | st.text(alphabet="aê😀", max_size=200))
def test_the_parts_are_the_text_and_none_is_too_heavy(text):
    parts = split(text)
    assert "".join(parts) == text
    limit = {GSM_7: 153, UCS_2: 67}[weigh(text).alphabet]
    assert len(parts) == 1 or max(weigh_as(part, text) for part in parts) <= limit


def weigh_as(part, text):
    if weigh(text).alphabet == GSM_7:
        return weigh(part).units
    return len(part.encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("l\u2019été", "l'été"),
        ("code\u00a0: 1\u202f234", "code : 1 234"),
        ("suite…", "suite..."),
        ("a \u2013 b \u2014 c", "a - b - c"),
        ("«Bienvenue»", '"Bienvenue"'),
        ("cœur", "coeur"),
    ],
)
def test_a_template_loses_what_costs_an_alphabet_for_nothing(text, cleaned):
    linted = lint(text)
    assert linted.text == cleaned
    assert linted.weight.alphabet == GSM_7
    assert linted.foreign == ()
    assert linted.replaced


def test_other_letters_stay_and_are_shown():
    linted = lint("Fête à Aix, forêt, ça va…")
    assert linted.text == "Fête à Aix, forêt, ça va..."
    assert linted.foreign == ("ç", "ê")
    assert linted.replaced == {"…": 1}
    assert linted.weight.alphabet == UCS_2


def test_what_is_replaced_is_counted():
    assert lint("a\u2019b\u2019c").replaced == {"\u2019": 2}
