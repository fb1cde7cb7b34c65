import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidPayloadError, MalformedError
from schemas.strict_json import pointer, read_json


def nested(levels):
    return b"[" * levels + b"]" * levels


UNREADABLE = {
    "empty": b"",
    "blank": b"  ",
    "two values": b"{} {}",
    "cut short": b'{"a":',
    "single quotes": b"{'a':1}",
    "trailing comma": b"[1,]",
    "raw control character": b'"a\nb"',
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-16 without mark": '{"a":1}'.encode("utf-16-le"),
    "UTF-32": '{"a":1}'.encode("utf-32-be"),
    "latin-1": '{"a":"é"}'.encode("latin-1"),
    "raw surrogate": b'"\xed\xa0\x80"',
    "repeated member": b'{"a":1,"a":1}',
    "repeated member deep inside": b'{"x":[{"a":1,"b":2,"a":3}]}',
    "repeated member written in two ways": b'{"a":1,"\\u0061":2}',
    "NaN": b'{"a":NaN}',
    "Infinity": b"[Infinity]",
    "minus Infinity": b"-Infinity",
    "33 levels": nested(33),
    "a hundred thousand levels": nested(100_000),
    "a number of 5000 digits after a fault": b'{"a":1,"a":' + b"9" * 5000 + b"}",
}

UNFIT = {
    "2 to the 63rd": (b'{"a":9223372036854775808}', "#/a"),
    "2 to the 64th": (b'{"a":18446744073709551616}', "#/a"),
    "below 64 bits": (b'{"a":{"b":-9223372036854775809}}', "#/a/b"),
    "5000 digits": (b"[1," + b"9" * 5000 + b"]", "#/1"),
    "1e400": (b'{"a":[1,1e400]}', "#/a/1"),
    "minus 1e400": (b'{"a":-1e400}', "#/a"),
    "lone high surrogate": (b'{"a":"\\ud800"}', "#/a"),
    "lone low surrogate": (b'{"a":"x\\uDC00y"}', "#/a"),
    "surrogates in the wrong order": (b'["\\udc00\\ud800"]', "#/0"),
    "escaped non-character": (b'{"a":"\\uFFFE"}', "#/a"),
    "escaped FDD0": (b'{"a":"\\ufdd0"}', "#/a"),
    "non-character of another plane, escaped": (b'{"a":"\\ud83f\\udffe"}', "#/a"),
    "raw non-character": ('{"a":"\uffff"}'.encode(), "#/a"),
    "raw non-character of another plane": ('{"a":"\U0010ffff"}'.encode(), "#/a"),
    "in a name": (b'{"data":{"\\ud800":1}}', "#/data"),
    "names are escaped in the pointer": (b'{"a/b~c \xc3\xa9":1e400}', "#/a~1b~0c%20%C3%A9"),
}

READABLE = [
    b"null",
    b"1",
    b'"text"',
    b"[]",
    b'{"a":{"b":[1,2.5,-0.0,1e300,true,false,null]}}',
    b"9223372036854775807",
    b"-9223372036854775808",
    '{"a":"é € 😀 \xa0"}'.encode(),
    b'{"a":"\\ud83d\\ude00 \\u00e9 \\u0000"}',
    b' \r\n\t{"a":1} ',
    nested(32),
    b"[" + b"{}," * 400 + b"{}]",
]


@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE)
def test_what_two_readers_would_understand_differently_is_malformed(raw):
    with pytest.raises(MalformedError):
        read_json(raw)


@pytest.mark.parametrize(("raw", "place"), UNFIT.values(), ids=UNFIT)
def test_a_value_not_every_reader_can_hold_is_named_by_its_pointer(raw, place):
    with pytest.raises(InvalidPayloadError) as caught:
        read_json(raw)
    assert [where for where, _ in caught.value.errors] == [place]
    assert caught.value.slug == "invalid-event"


@pytest.mark.parametrize("raw", READABLE)
def test_everything_else_reads_as_python_reads_it(raw):
    assert read_json(raw) == json.loads(raw)


def test_two_faults_are_both_said():
    with pytest.raises(InvalidPayloadError) as caught:
        read_json(b'{"a":1e400,"b":["\\ud800"]}')
    assert {where for where, _ in caught.value.errors} == {"#/a", "#/b/0"}


def test_a_fault_never_repeats_the_value():
    with pytest.raises(MalformedError) as caught:
        read_json(b'{"nom":"Exemple","nom":"Exemple"}')
    assert "Exemple" not in str(caught.value)


def test_a_pointer_of_the_whole_document_is_the_bare_fragment():
    assert pointer(()) == "#"


@given(st.binary(max_size=60))
def test_whatever_the_bytes_only_our_errors_leave(raw):
    with contextlib.suppress(MalformedError, InvalidPayloadError):
        read_json(raw)


TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@given(TREES, st.booleans())
def test_a_document_is_read_or_refused_for_its_characters_alone(tree, is_ascii):
    raw = json.dumps(tree, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    try:
        assert read_json(raw) == tree
    except (InvalidPayloadError, MalformedError):
        text = json.dumps(tree, ensure_ascii=False)
        assert any(
            0xD800 <= (code := ord(letter)) < 0xE000
            or 0xFDD0 <= code <= 0xFDEF
            or code & 0xFFFE == 0xFFFE
            for letter in text
        )
