import pytest

from orchestrator.services.idempotency import key_of
from schemas.errors import MalformedError


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (None, None),
        ('"8e03978e-40d5"', "8e03978e-40d5"),
        ("8e03978e-40d5", "8e03978e-40d5"),
        (' "a b" ', "a b"),
        (r'"a\"b\\c"', r"a\"b\c".replace(r"\"", '"')),
        ('"' + "x" * 128 + '"', "x" * 128),
        ("x" * 128, "x" * 128),
    ],
    ids=repr,
)
def test_a_key_is_a_text_in_quotes_or_bare(header, key):
    assert key_of(header) == key


@pytest.mark.parametrize(
    "header",
    [
        "",
        '""',
        '"',
        '"a',
        'a"',
        '"a";p=1',
        '"a", "b"',
        "a,b",
        "a b",
        '"' + "x" * 129 + '"',
        "x" * 129,
        '"é"',
        "é",
        '"a\tb"',
        r'"a\b"',
        "\x00",
    ],
    ids=repr,
)
def test_anything_else_is_malformed(header):
    with pytest.raises(MalformedError):
        key_of(header)
