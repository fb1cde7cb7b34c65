"""JSON read strictly: nothing gets through that two readers would understand differently.

Python's ``json`` keeps the last of two equal keys, reads ``NaN``, any depth and any number, and
half a surrogate pair. A body that has one of these is refused here, once, before anybody else
looks at it. The common case pays for the parse and a few searches in C; only a body that fails one
of them is walked value by value, to say where.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeAlias
from urllib.parse import quote

from schemas.errors import InvalidPayloadError, MalformedError

MAX_DEPTH: Final = 32
_CONTAINERS: Final = frozenset({dict, list})
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    f"{chr(plane | 0xFFFE)}{chr(plane | 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
)
_BAD_CHARACTER = re.compile(f"[\ud800-\udfff{NONCHARACTERS}]")
_BAD_ESCAPE = re.compile(r"\\u(?:d[89a-f]|fd[de]|fff[ef])", re.IGNORECASE)

Tokens: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a body: where (the path of keys), what, and whether it makes JSON ambiguous."""

    path: Tokens
    sentence: str
    is_malformed: bool


def pointer(path: Tokens) -> str:
    """Return the JSON Pointer fragment of a path: ``("data", "a/b")`` gives ``#/data/a~1b``."""
    return "#" + "".join("/" + _token(step) for step in path)


def _token(step: str | int) -> str:
    text = str(step)[:80].replace("~", "~0").replace("/", "~1")
    return quote(text, safe="~!$&'()*+,;=:@", errors="replace")


def read_json(raw: bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        MalformedError: the bytes are no unambiguous JSON in UTF-8, or nest too deep.
        InvalidPayloadError: numbers or characters that not every reader can hold.
    """
    value, faults = parse(raw)
    if faults:
        refuse(faults)
    return value


def refuse(faults: tuple[Fault, ...]) -> NoReturn:
    """Raise what these faults deserve."""
    for fault in faults:
        if fault.is_malformed:
            detail = f"{fault.sentence} ({pointer(fault.path)})"
            raise MalformedError(detail)
    raise InvalidPayloadError(pairs(faults), slug="invalid-event")


def pairs(faults: tuple[Fault, ...]) -> tuple[tuple[str, str], ...]:
    """Return faults as a problem's ``errors`` carries them."""
    return tuple((pointer(fault.path), fault.sentence) for fault in faults)


def parse(raw: bytes) -> tuple[Any, tuple[Fault, ...]]:
    """Return the value and its faults; raises MalformedError when there is no value at all."""
    text = _text(raw)
    try:
        value = _QUICK.decode(text)
    except _UnfitError:
        return _slow(text)
    except (ValueError, RecursionError) as error:
        raise MalformedError("Le corps n'est pas un document JSON.") from error
    is_plain = _is_shallow(raw, value) and _has_plain_characters(raw, text)
    return (value, ()) if is_plain else _slow(text)


def _text(raw: bytes) -> str:
    if raw.startswith(b"\xef\xbb\xbf"):
        raise MalformedError("Le corps commence par une marque d'ordre des octets (BOM).")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("Le corps n'est pas en UTF-8.") from error


def _is_shallow(raw: bytes, value: Any) -> bool:
    """Tell whether nothing nests deeper than allowed; few brackets prove it at once."""
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return True
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for node in level for inner in _members(node) if type(inner) in _CONTAINERS]
        if not level:
            return True
    return False


def _members(node: Any) -> Iterable[Any]:
    if type(node) is dict:
        return node.values()
    return node if type(node) is list else ()


def _has_plain_characters(raw: bytes, text: str) -> bool:
    """Tell whether two searches already prove every string free of forbidden characters."""
    if b"\\u" in raw and _BAD_ESCAPE.search(text):
        return False
    return len(raw) == len(text) or not _BAD_CHARACTER.search(text)


# --- the quick parse: any doubt ends it ---------------------------------------------------------


class _UnfitError(Exception):
    """The quick parse met something to look at closely."""


def _unfit(_literal: str) -> NoReturn:
    raise _UnfitError


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) != len(members):
        raise _UnfitError
    return value


def _integer(literal: str) -> int:
    if len(literal) > 18:
        raise _UnfitError
    return int(literal)


def _number(literal: str) -> float:
    value = float(literal)
    if value in (float("inf"), float("-inf")):
        raise _UnfitError
    return value


_QUICK: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_unfit
)


# --- the slow parse: faults stay in the value as marks, then a walk names their places ----------


@dataclass(frozen=True, slots=True)
class _Mark:
    sentence: str
    is_malformed: bool


class _Doubled(dict[str, Any]):
    """An object one of whose keys came twice."""


_NOT_JSON = _Mark("NaN et Infinity ne sont pas du JSON.", is_malformed=True)
_TOO_LARGE = _Mark("Ce nombre ne tient pas sur 64 bits.", is_malformed=False)


def _marked_object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    return value if len(value) == len(members) else _Doubled(value)


def _marked_integer(literal: str) -> int | _Mark:
    if len(literal) > 20:
        return _TOO_LARGE
    return value if _LOWEST <= (value := int(literal)) <= _HIGHEST else _TOO_LARGE


def _marked_number(literal: str) -> float | _Mark:
    value = float(literal)
    return _TOO_LARGE if value in (float("inf"), float("-inf")) else value


_SLOW: Final = json.JSONDecoder(
    object_pairs_hook=_marked_object,
    parse_int=_marked_integer,
    parse_float=_marked_number,
    parse_constant=lambda _literal: _NOT_JSON,
)


def _slow(text: str) -> tuple[Any, tuple[Fault, ...]]:
    try:
        value = _SLOW.decode(text)
    except (ValueError, RecursionError) as error:
        raise MalformedError("Le corps n'est pas un document JSON.") from error
    return value, tuple(_faults(value))


def _faults(value: Any) -> Iterator[Fault]:
    """Walk a value without recursion and yield what is wrong, with its place."""
    pending: list[tuple[Tokens, Any]] = [((), value)]
    while pending:
        path, node = pending.pop()
        yield from _own_faults(path, node)
        if isinstance(node, (dict, list)) and len(path) < MAX_DEPTH:
            members = node.items() if isinstance(node, dict) else enumerate(node)
            pending.extend(((*path, key), member) for key, member in members)


def _own_faults(path: Tokens, node: Any) -> Iterator[Fault]:
    if isinstance(node, _Mark):
        yield Fault(path, node.sentence, node.is_malformed)
    elif isinstance(node, str):
        if _BAD_CHARACTER.search(node):
            yield Fault(path, "Ce texte contient un caractère interdit.", is_malformed=False)
    elif isinstance(node, (dict, list)):
        yield from _container_faults(path, node)


def _container_faults(path: Tokens, node: dict[str, Any] | list[Any]) -> Iterator[Fault]:
    if len(path) >= MAX_DEPTH:
        sentence = f"Le document a plus de {MAX_DEPTH} niveaux."
        yield Fault(path[:4], sentence, is_malformed=True)
    if isinstance(node, _Doubled):
        yield Fault(path, "Un nom de membre est répété dans cet objet.", is_malformed=True)
    if isinstance(node, dict) and any(_BAD_CHARACTER.search(key) for key in node):
        yield Fault(path, "Un nom de membre contient un caractère interdit.", is_malformed=False)
