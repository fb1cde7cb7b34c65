"""What differs between an object as wanted and as found: pure, and only about what is wanted.

Members that Keycloak adds by itself, or that an administrator of the realm chose, are not looked at.
Values whose names speak of secrets are never told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

MARK: Final = "parvis.managed"
"""Attribute that says which installation made an object."""
_SECRETS: Final = ("secret", "password", "certificate")
_LONGEST_SHOWN: Final = 60
_NOTHING: Final[tuple[Any, ...]] = (None, "", [], {}, False)


class Change(StrEnum):
    """What became, or would become, of an object."""

    CREATED = "created"
    CHANGED = "changed"
    FOREIGN = "foreign"
    LEFT_OVER = "left_over"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One object that is not as wanted; ``details`` are French sentences without secrets."""

    realm: str
    change: Change
    what: str
    details: tuple[str, ...] = ()


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence for each wanted member that is otherwise in what was found."""
    return tuple(_differences(wanted, found, ""))


def merged(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was found with the wanted members put over it."""
    together = dict(found)
    for name, value in wanted.items():
        there = together.get(name)
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            together[name] = merged(there, value)
        else:
            together[name] = value
    return together


def is_marked(attributes: Mapping[str, Any] | None, marks: Iterable[str]) -> bool:
    """Tell whether attributes carry the mark of one of the given installations."""
    value = (attributes or {}).get(MARK)
    values = value if isinstance(value, list) else [value]
    return len(values) == 1 and values[0] in set(marks)


def _differences(wanted: Mapping[str, Any], found: Mapping[str, Any], above: str) -> Iterable[str]:
    for name, value in wanted.items():
        path, there = f"{above}{name}", found.get(name)
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            yield from _differences(value, there, f"{path}.")
        elif not _is_same(value, there):
            yield _told(path, value, there)


def _is_same(wanted: Any, found: Any) -> bool:
    # Keycloak leaves out what is empty, and keeps no order in lists of names
    if wanted in _NOTHING:
        return found in _NOTHING
    if isinstance(wanted, list) and isinstance(found, list) and _are_names(wanted, found):
        return sorted(wanted) == sorted(found)
    return bool(wanted == found) and isinstance(wanted, bool) == isinstance(found, bool)


def _are_names(*lists: list[Any]) -> bool:
    return all(isinstance(item, str) for names in lists for item in names)


def _told(path: str, wanted: Any, found: Any) -> str:
    if any(word in path.lower() for word in _SECRETS):
        return f"{path} diffère"
    return f"{path} : {_shown(wanted)} voulu, {_shown(found)} trouvé"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "oui" if value else "non"
    if value in _NOTHING:
        return "rien"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"« {text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + '…'} »"
