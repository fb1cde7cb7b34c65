"""Nothing reaches an XML parser that was not looked at here first.

The library inflates whatever looks deflated, without a bound, and its two parsers need not agree on a
document with a DOCTYPE. Rules: SAML 2.0 Bindings 3.4.4 and 3.5.4; refused in half a millisecond.
"""

import base64
import binascii
import re
import zlib
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from identity.saml.codes import Code
from schemas.errors import SamlRefusedError
from schemas.logins import Binding

MOST_BYTES: Final = 256 * 1024
MOST_TEXT: Final = (MOST_BYTES * 4) // 3 + 4
DEEPEST: Final = 40
_LINE_ENDS: Final = re.compile(rb"[\r\n]")
_DECLARED: Final = re.compile(rb"""^<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")


def guarded_xml(text: str | bytes, binding: Binding) -> bytes:
    """Return the XML of a message as the browser brought it; raises SamlRefusedError otherwise."""
    raw = _decoded(text)
    if binding is Binding.REDIRECT:
        raw = _inflated(raw)
    return guarded_document(raw)


def guarded_document(raw: bytes) -> bytes:
    """Return a document that every parser reads alike: UTF-8, no DOCTYPE, not too deep."""
    if len(raw) > MOST_BYTES:
        raise SamlRefusedError(Code.TOO_LARGE)
    if not raw.lstrip(b" \t\r\n").startswith(b"<"):
        raise SamlRefusedError(Code.NOT_XML)
    _check_encoding(raw)
    _check_depth(_parsed(raw))
    return raw


def _decoded(text: str | bytes) -> bytes:
    if len(text) > MOST_TEXT:
        raise SamlRefusedError(Code.TOO_LARGE)
    try:
        given = text.encode("ascii") if isinstance(text, str) else text
        return base64.b64decode(_LINE_ENDS.sub(b"", given), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SamlRefusedError(Code.BAD_BASE64) from error


def _inflated(raw: bytes) -> bytes:
    stream = zlib.decompressobj(-15)
    try:
        found = stream.decompress(raw, MOST_BYTES)
    except zlib.error as error:
        raise SamlRefusedError(Code.INFLATE_LIMIT) from error
    if stream.unconsumed_tail or stream.unused_data or not stream.eof:
        raise SamlRefusedError(Code.INFLATE_LIMIT)
    return found


def _check_encoding(raw: bytes) -> None:
    declared = _DECLARED.match(raw.lstrip(b" \t\r\n"))
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SamlRefusedError(Code.NOT_UTF8) from error
    if declared and declared[1].lower() not in {b"utf-8", b"utf8"}:
        raise SamlRefusedError(Code.NOT_UTF8)
    if b"\0" in raw:  # UTF-16 without a mark is UTF-8 with zeroes, and parsers guess which
        raise SamlRefusedError(Code.NOT_UTF8)


def _parsed(raw: bytes) -> Element:
    try:
        root: Element = fromstring(raw, forbid_dtd=True)
    except DefusedXmlException as error:
        raise SamlRefusedError(Code.DOCTYPE) from error
    except (ParseError, ValueError) as error:
        raise SamlRefusedError(Code.NOT_XML) from error
    return root


def _check_depth(root: Element) -> None:
    level = [root]
    for _ in range(DEEPEST):
        level = [child for element in level for child in element]
        if not level:
            return
    raise SamlRefusedError(Code.TOO_DEEP)
