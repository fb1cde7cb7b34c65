import pytest

from mock_partners.sms_ovh.texts import is_gsm, segments


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("x" * 160, 1),
        ("x" * 161, 2),
        ("x" * 306, 2),
        ("x" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("x" * 152 + "€" + "x" * 10, 2),
        ("€" * 153, 3),  # a part holds 76 of them: one is never split
        ("ê" * 70, 1),
        ("ê" * 71, 2),
        ("ê" * 134, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 67, 3),  # 33 to a part, none split
    ],
)
def test_a_text_is_counted_in_messages(text, count):
    assert segments(text) == count


def test_eight_bits_make_it_unicode():
    assert (segments("x" * 71), segments("x" * 71, coding="8bit")) == (1, 2)


@pytest.mark.parametrize("letter", "àæéèùüÉÇÆÜìòñöäÄÖÑ€^{}[]~\\|")
def test_letters_of_the_short_alphabet(letter):
    assert is_gsm(letter)


@pytest.mark.parametrize("letter", "âçêëîïôœûÿÀÂÈÊËÎÏÔŒÙÛŸ«»\u2019…\u2013—°\u00a0\u202f")
def test_letters_that_switch_the_whole_message(letter):
    assert not is_gsm(letter)
    assert segments("x" * 70 + letter) == 2
