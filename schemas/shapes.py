"""Readers of a configuration's shape: every fault found in one pass, each said where it stands.

A reader takes a value and its path and returns what it understood, or notes a French fault. Values
are never repeated in faults: one of them may be a secret put in the wrong place.
"""

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from schemas.located_yaml import Located, Path

CONFIG_ID: Final = re.compile(r"[a-z][a-z0-9_]{1,39}")
_LINE: Final = re.compile(r"[^\x00-\x1f\x7f]+")
ID_RULE: Final = (
    "un identifiant commence par une minuscule et ne contient que a-z, 0-9 et _ (2 à 40 caractères)"
)


class Faults:
    """What is wrong with a document, in its own words and places."""

    def __init__(self, located: Located) -> None:
        self._located = located
        self.found: list[str] = []

    def add(self, path: Path, sentence: str, *, of: str = "value") -> None:
        """Note a fault of the value (or of the key) at a path."""
        self.found.append(self._located.where(path, of=of) + sentence)


Read: TypeAlias = Callable[[Any, Path, Faults], Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a record; without a default it must be there."""

    read: Read
    default: Any = ...


def close(name: str, known: Collection[str]) -> str | None:
    """Return the known name that was probably meant."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return near[0] if near else None


def nearest(name: str, known: Collection[str]) -> str:
    """Return a question that proposes the nearest known name, or the names there are."""
    near = close(name, known)
    if near:
        return f" Vouliez-vous dire « {near} » ?"
    return f" Noms connus : {', '.join(sorted(known))}." if known else ""


def unknown_key(name: str, known: Collection[str]) -> str:
    """Return the sentence about a key nobody knows."""
    return f"clé inconnue « {name[:60]} ».{nearest(name, known)}"


def record(keys: Mapping[str, Key], build: Callable[..., Any]) -> Read:
    """Return a reader of a mapping with these keys, built by ``build(**values)``."""

    def read(value: Any, path: Path, faults: Faults) -> Any:
        if not isinstance(value, dict):
            faults.add(path, "un ensemble « clé: valeur » est attendu ici.")
            return None
        before = len(faults.found)
        values = _values(value, path, faults, keys)
        return build(**values) if len(faults.found) == before else None

    return read


def _values(
    value: Mapping[str, Any], path: Path, faults: Faults, keys: Mapping[str, Key]
) -> dict[str, Any]:
    unknown = [name for name in value if name not in keys]
    for name in unknown:
        faults.add((*path, name), unknown_key(name, keys), of="key")
    misspelt = {close(name, keys) for name in unknown}
    read: dict[str, Any] = {}
    for name, key in keys.items():
        if value.get(name) is not None:
            read[name] = key.read(value[name], (*path, name), faults)
        elif key.default is not ...:
            read[name] = key.default
        elif name not in misspelt:
            faults.add(path, f"« {name} » manque.")
    return read


def list_of(item: Read, *, least: int = 0) -> Read:
    """Return a reader of a list."""

    def read(value: Any, path: Path, faults: Faults) -> tuple[Any, ...]:
        if not isinstance(value, list):
            faults.add(path, "une liste est attendue ici.")
            return ()
        if len(value) < least:
            faults.add(path, "cette liste est vide.")
        return tuple(item(entry, (*path, index), faults) for index, entry in enumerate(value))

    return read


def mapping_of(item: Read) -> Read:
    """Return a reader of a mapping whose keys are identifiers."""

    def read(value: Any, path: Path, faults: Faults) -> dict[str, Any]:
        if not isinstance(value, dict):
            faults.add(path, "un ensemble « identifiant: … » est attendu ici.")
            return {}
        for name in value:
            if not CONFIG_ID.fullmatch(name):
                faults.add((*path, name), f"{ID_RULE}.", of="key")
        return {name: item(entry, (*path, name), faults) for name, entry in value.items()}

    return read


def text(value: Any, path: Path, faults: Faults, *, most: int = 200) -> str:
    """Read one line of text."""
    if isinstance(value, str) and len(value) <= most and _LINE.fullmatch(value):
        return value
    hint = " (mettez-le entre guillemets)" if isinstance(value, (int, bool)) else ""
    faults.add(path, f"un texte d'une ligne, d'au plus {most} caractères, est attendu{hint}.")
    return ""


def matching(pattern: str, sentence: str) -> Read:
    """Return a reader of text of one form."""
    compiled = re.compile(pattern)

    def read(value: Any, path: Path, faults: Faults) -> str:
        if isinstance(value, str) and compiled.fullmatch(value):
            return value
        faults.add(path, sentence)
        return ""

    return read


def checked(accept: Callable[[str], object], sentence: str) -> Read:
    """Return a reader of text that ``accept`` does not refuse (by ValueError or None)."""

    def read(value: Any, path: Path, faults: Faults) -> str:
        try:
            if isinstance(value, str) and accept(value) is not None:
                return value
        except (ValueError, OSError, LookupError):
            pass
        faults.add(path, sentence)
        return ""

    return read


def choice(*choices: str) -> Read:
    """Return a reader of one word among several."""

    def read(value: Any, path: Path, faults: Faults) -> str:
        if isinstance(value, str) and value in choices:
            return value
        faults.add(path, f"une de ces valeurs est attendue : {', '.join(choices)}.")
        return choices[0]

    return read


def integer(least: int, most: int) -> Read:
    """Return a reader of a whole number."""

    def read(value: Any, path: Path, faults: Faults) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        faults.add(path, f"un nombre entier de {least} à {most} est attendu.")
        return least

    return read


config_id: Final = matching(CONFIG_ID.pattern, f"{ID_RULE}.")
