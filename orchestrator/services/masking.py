"""Bodies as a reader without the right to reveal may see them: their shape, and masks for values.

What may be read is decided by the annotation of the schema alone; a member no schema knows is
masked. Names of members are shown while they look like names, since some systems key by person.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from orchestrator.services.ports.views import Body
from schemas import events
from schemas.pii import HIDDEN, masked
from schemas.strict import ListOf, Part, Read

MOST_LINES: Final = 400
_DEEPEST: Final = 12
_DETAIL: Final = re.compile(r"HTTP \d{3}|[A-Za-z][A-Za-z_ ',.:;-]{0,119}")
_NAME: Final = re.compile(r"[a-z][A-Za-z_]{0,39}[0-9]{0,2}", re.ASCII)
_SEGMENT: Final = re.compile(r"v\d{1,2}|\d{1,2}\.\d{1,2}|[a-z]+(?:_[a-z]+)*", re.ASCII)
_WORDS: Final = re.compile(r"[a-z][a-z_]*", re.ASCII)
_ENVELOPE: Final = frozenset(
    {"specversion", "id", "type", "time", "datacontenttype", "recordedtime"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedLine:
    """One line of a body: how deep it stands, its name, and what may be shown of its value."""

    depth: int
    name: str | None
    text: str
    is_masked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedBody:
    """A body ready to be shown; ``state`` as in ``Body``."""

    state: str
    lines: Sequence[MaskedLine] = ()
    is_cut: bool = False


def mask_message(body: Body, type_name: str) -> MaskedBody:
    """Return an event as it came, masked by the schema of its type."""
    if body.state != "kept":
        return MaskedBody(state=body.state)
    known = events.catalogue().get(type_name)
    value = body.value
    if not isinstance(value, Mapping):
        return _shown(_lines(value, None, None, 0))
    lines: list[MaskedLine] = []
    for name, member in value.items():
        if name == "data" and known is not None:
            lines += _lines(member, Part(known.schema), "data", 0)
        elif name in _ENVELOPE:
            lines.append(_line(0, name, _written(member), is_masked=False))
        else:
            lines += _lines(member, None, _name(str(name)), 0)
    return _shown(lines)


def mask_exchange(body: Body) -> MaskedBody:
    """Return one side of an exchange: the names of what was said, never the values."""
    if body.state != "kept":
        return MaskedBody(state=body.state)
    value = body.value
    content = value.get("body") if isinstance(value, Mapping) else value
    lines: list[MaskedLine] = []
    if isinstance(value, Mapping) and value.get("query"):
        lines += _lines(_form(str(value["query"])), None, "query", 0)
    lines += _lines(_read(content), None, None, 0) if content else []
    return _shown(lines) if lines else MaskedBody(state="none")


def mask_address(address: str) -> str:
    """Return where a call went: parts of its path that may name a person are left out."""
    way, space, target = address.partition(" ")
    host, slash, path = target.partition("/")
    if not space or not slash:
        return address
    segments = (part if _SEGMENT.fullmatch(part) or not part else "…" for part in path.split("/"))
    return f"{way} {host}/{'/'.join(segments)}"


def mask_detail(detail: object) -> str | None:
    """Return the technical words of an error when they are ours: a status or a short code."""
    text = str(detail or "").partition("\n")[0].strip()
    return text if _DETAIL.fullmatch(text) else None


def _lines(value: Any, field: Read | None, name: str | None, depth: int) -> Iterator[MaskedLine]:
    """Walk a value together with the field that describes it, if any."""
    if depth >= _DEEPEST:
        yield _line(depth, name, HIDDEN, is_masked=True)
    elif isinstance(value, Mapping):
        if name is not None or not value:
            yield _line(depth, name, "" if value else "{}", is_masked=False)
        members = field.schema.members if isinstance(field, Part) else {}
        for key, member in value.items():
            shown = key if key in members else _name(str(key))
            yield from _lines(member, members.get(key), shown, depth + (name is not None))
    elif isinstance(value, (list, tuple)):
        item = field.item if isinstance(field, ListOf) else None
        yield _line(depth, name, "" if value else "[]", is_masked=False)
        for member in value:
            yield from _lines(member, item, "-", depth + 1)
    else:
        yield _value(value, field, name, depth)


def _value(value: Any, field: Read | None, name: str | None, depth: int) -> MaskedLine:
    note = (field.metadata if field is not None else {}).get("pii", {})
    if note.get("class") == "none":
        return _line(depth, name, _written(value), is_masked=False)
    return _line(depth, name, masked(value, note.get("mask", "hide")), is_masked=True)


def _line(depth: int, name: str | None, text: str, *, is_masked: bool) -> MaskedLine:
    return MaskedLine(depth=depth, name=name, text=text, is_masked=is_masked)


def _shown(lines: Iterable[MaskedLine]) -> MaskedBody:
    found = list(lines)
    return MaskedBody(state="kept", lines=found[:MOST_LINES], is_cut=len(found) > MOST_LINES)


def _name(name: str) -> str:
    return name if _NAME.fullmatch(name) else HIDDEN


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _read(content: Any) -> Any:
    """Return a body as members when it has any: JSON, or a form."""
    if not isinstance(content, str):
        return content
    try:
        return json.loads(content)
    except ValueError:
        return _form(content)


def _form(content: str) -> Any:
    pairs = parse_qsl(content) if "=" in content and "\n" not in content.strip() else []
    is_form = bool(pairs) and all(_WORDS.match(name) for name, _ in pairs)
    return dict(pairs) if is_form else content
