"""What reaches a parser, and by which word the rest is refused."""

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.saml.codes import Code
from identity.saml.guard import MOST_BYTES, MOST_TEXT, guarded_document, guarded_xml
from schemas.errors import SamlRefusedError
from schemas.logins import Binding

GOOD = b"<a><b>\xc3\xa9</b></a>"
EVERY = (Binding.POST, Binding.REDIRECT)


def carried(raw, binding):
    """A document as a browser brings it."""
    if binding is Binding.REDIRECT:
        deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        raw = deflater.compress(raw) + deflater.flush()
    return base64.b64encode(raw).decode()


def refusal(text, binding=Binding.POST):
    with pytest.raises(SamlRefusedError) as caught:
        guarded_xml(text, binding)
    return caught.value.code


@pytest.mark.parametrize("binding", EVERY)
def test_a_document_in_order_passes_as_it_is(binding):
    assert guarded_xml(carried(GOOD, binding), binding) == GOOD


def test_base64_in_lines_is_read():
    text = base64.encodebytes(GOOD * 1 + b"<!--" + b"x" * 90 + b"-->").decode()
    assert "\n" in text
    assert guarded_xml(text.replace("\n", "\r\n"), Binding.POST).startswith(GOOD)


@pytest.mark.parametrize("binding", EVERY)
def test_a_text_that_is_too_long_is_not_even_decoded(binding):
    assert refusal("A" * (MOST_TEXT + 1), binding) == Code.TOO_LARGE


def test_the_largest_document_passes_and_one_byte_more_does_not():
    frame = len(b"<a></a>")
    largest = b"<a>" + b"x" * (MOST_BYTES - frame) + b"</a>"

    assert guarded_document(largest) == largest
    with pytest.raises(SamlRefusedError) as caught:
        guarded_document(largest.replace(b"<a>", b"<a>x"))
    assert caught.value.code == Code.TOO_LARGE


@pytest.mark.parametrize("text", ["", "====", "a", "PGE+!", "PGEvPg==PGEvPg==", "\u00e9", "%3Ca"])
def test_what_is_no_base64_is_refused(text):
    assert refusal(text) in {Code.BAD_BASE64, Code.NOT_XML}


@pytest.mark.parametrize("text", ["====", "a", "PGE+!", "\u00e9", "PGEv Pg=="])
def test_base64_is_strict(text):
    assert refusal(text) == Code.BAD_BASE64


def test_a_bomb_by_redirect_stops_at_the_limit():
    assert (
        refusal(carried(b"<a>" + b" " * 50_000_000 + b"</a>", Binding.REDIRECT), Binding.REDIRECT)
        == Code.INFLATE_LIMIT
    )


def test_what_is_posted_is_never_inflated():
    assert refusal(carried(GOOD, Binding.REDIRECT), Binding.POST) == Code.NOT_XML


def test_a_stream_that_is_cut_or_goes_on_is_refused():
    raw = base64.b64decode(carried(GOOD, Binding.REDIRECT))
    for other in (raw[:-1], raw + b"more", b"", GOOD):
        text = base64.b64encode(other).decode()
        assert refusal(text, Binding.REDIRECT) == Code.INFLATE_LIMIT


@pytest.mark.parametrize(
    "raw",
    [
        "<a>é</a>".encode("latin-1"),
        b"<?xml version='1.0' encoding='utf-16'?><a/>",
        b'<?xml version="1.0" encoding="UTF-7"?><a/>',
        b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>',
        "<a/>".encode("utf-16-le"),
        "<?xml version='1.0'?><a/>".encode("utf-16-le"),
        b"<a>\xed\xa0\x80</a>",
    ],
)
def test_only_utf8_is_read(raw):
    assert refusal(carried(raw, Binding.POST)) == Code.NOT_UTF8


@pytest.mark.parametrize(
    "raw", ["<a/>".encode("utf-16"), "<a/>".encode("utf-32"), b"\xef\xbb\xbf<a/>"]
)
def test_a_byte_order_mark_is_no_xml_here(raw):
    assert refusal(carried(raw, Binding.POST)) == Code.NOT_XML


@pytest.mark.parametrize("name", ["UTF-8", "utf-8"])
def test_a_declaration_may_name_utf8(name):
    raw = f'<?xml version="1.0" encoding="{name}"?><a/>'.encode()
    assert guarded_xml(carried(raw, Binding.POST), Binding.POST) == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a SYSTEM "http://elsewhere.test/a.dtd"><a/>',
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://elsewhere.test/x"> %x;]><a/>',
        b"<?xml version='1.0'?>\n<!-- first --><!DOCTYPE a><a/>",
    ],
)
@pytest.mark.parametrize("binding", EVERY)
def test_every_doctype_is_refused(raw, binding):
    assert refusal(carried(raw, binding), binding) == Code.DOCTYPE


@pytest.mark.parametrize(
    "raw", [b"", b"  ", b"text", b"<a>", b"<a/><b/>", b"<a>&x;</a>", b"<a b='1' b='2'/>"]
)
def test_what_is_not_one_document_is_refused(raw):
    assert refusal(carried(raw, Binding.POST)) == Code.NOT_XML


def test_ten_thousand_levels_are_too_deep():
    raw = b"<a>" * 10_000 + b"</a>" * 10_000
    assert refusal(carried(raw, Binding.POST)) == Code.TOO_DEEP


@given(raw=st.binary(max_size=400))
def test_whatever_comes_is_read_or_refused_by_a_word(raw):
    for binding in EVERY:
        for text in (raw.decode("latin-1"), base64.b64encode(raw).decode(), carried(raw, binding)):
            assert judged(text, binding) in {None, *Code}


def judged(text, binding):
    """The word a text is refused by, or None; anything else that is raised fails the test."""
    try:
        guarded_xml(text, binding)
    except SamlRefusedError as error:
        return error.code
    return None
