"""YAML for people who mend it: each value with its line and column, and nothing clever.

No tags, no anchors, no repeated keys. Only ``true``, ``false``, ``null`` and plain decimal numbers
are more than text: ``04112`` stays a commune's code, ``no`` stays a word, ``12:30`` stays an hour.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from schemas.errors import ConfigurationError

Path: TypeAlias = tuple[str | int, ...]
Place: TypeAlias = tuple[int, int]

MAX_CHARACTERS: Final = 1_000_000
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_WORDS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", "")),
}
_TAG: Final = "tag:yaml.org,2002:"
_SCALARS: Final = frozenset(
    _TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A value and where each key and value of it stands (line and column, from 1)."""

    value: Any
    keys: Mapping[Path, Place] = field(default_factory=dict)
    values: Mapping[Path, Place] = field(default_factory=dict)

    def where(self, path: Path, *, of: str = "value") -> str:
        """Return ``ligne 3, colonne 5 : `` for a path, or for the nearest one above it."""
        for length in range(len(path), -1, -1):
            near = path[:length]
            first = self.keys if of == "key" and length == len(path) else self.values
            place = first.get(near)
            if place is not None:
                return f"ligne {place[0]}, colonne {place[1]} : "
        return f"{dotted(path)} : " if path else ""


def dotted(path: Path) -> str:
    """Return a path as people write it: ``services[0].profile``."""
    parts = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return parts.removeprefix(".")


def read(text: str) -> Located:
    """Read one YAML document.

    Raises:
        ConfigurationError: it is no YAML, too long, or uses what we refuse (French, with its line).
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigurationError("Le fichier est trop long pour une configuration.")
    try:
        root = yaml.compose(text, Loader=_Loader)
        reader = _NodeReader()
        value = reader.value(root, ()) if root is not None else None
    except yaml.MarkedYAMLError as error:
        raise ConfigurationError(_unreadable(error)) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError("Le fichier n'est pas du YAML lisible.") from error
    return Located(value=value, keys=reader.keys, values=reader.values)


class _Loader(yaml.SafeLoader):
    """Composes nodes, and refuses aliases before they can multiply."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise ConfigurationError(_at(mark) + "les ancres et alias ne sont pas acceptés.")
        return super().compose_node(parent, index)


class _NodeReader:
    """Turns nodes into plain values and notes where they stood."""

    def __init__(self) -> None:
        self.keys: dict[Path, Place] = {}
        self.values: dict[Path, Place] = {}

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.values[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            return _scalar(node)
        raise ConfigurationError(
            _at(node.start_mark) + "les étiquettes YAML ne sont pas acceptées."
        )

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else ""
            if not key or key == "<<":
                raise ConfigurationError(_at(key_node.start_mark) + "cette clé n'est pas un mot.")
            if key in found:
                raise ConfigurationError(
                    _at(key_node.start_mark) + f"« {key} » apparaît deux fois."
                )
            self.keys[*path, key] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            found[key] = self.value(value_node, (*path, key))
        return found


def _scalar(node: yaml.ScalarNode) -> str | int | bool | None:
    text = str(node.value)
    if node.style is not None:  # quoted or folded: text, whatever it looks like
        return text
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.fullmatch(text) else text


def _at(mark: yaml.Mark) -> str:
    return f"ligne {mark.line + 1}, colonne {mark.column + 1} : "


def _unreadable(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = _at(mark) if mark is not None else ""
    return where + "YAML illisible ; vérifiez le retrait, les deux-points et les guillemets."
