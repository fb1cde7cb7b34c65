"""What an administrator fills in for a system: settings, secrets, and the faults of a bad value.

One declaration feeds the form, the help, the check and the redaction. Titles, help and faults are
French: the administrator reads them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

UNITS: Final = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile(r"([1-9]\d{0,5})(ms|s|min|h|d)")
_EMAIL: Final = re.compile(r"[^@\s<>,;]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE)
_HOST: Final = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,253}")
_LINE: Final = re.compile(r"[^\x00-\x1f\x7f]{1,2000}")
TYPES: Final = {"integer": int, "boolean": bool}


@dataclass(frozen=True, slots=True)
class Setting:
    """One value an administrator gives; ``kind`` is a key of ``KINDS``."""

    name: str
    kind: str = "text"
    title: str = ""
    help: str = ""
    example: Any = None
    default: Any = None
    required: bool = True
    choices: tuple[str, ...] = ()

    @property
    def is_secret(self) -> bool:
        """Whether the value must never be shown."""
        return False


@dataclass(frozen=True, slots=True)
class Secret(Setting):
    """A setting whose value is never shown, logged or exported."""

    @property
    def is_secret(self) -> bool:
        """Whether the value must never be shown."""
        return True


def seconds(duration: str) -> float:
    """Return the length of a duration such as ``15min`` or ``500ms``, in seconds.

    Raises:
        ValueError: the text is no duration.
    """
    match = _DURATION.fullmatch(duration)
    if match is None:
        msg = "a duration is a whole number and a unit among ms, s, min, h, d"
        raise ValueError(msg)
    return int(match[1]) * UNITS[match[2]]


def faults(declared: Sequence[Setting], values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return one French sentence per missing, unknown or wrong value; never a value itself."""
    known = {setting.name: setting for setting in declared}
    found = [f"Réglage inconnu : « {name} »." for name in values if name not in known]
    for setting in declared:
        value = values.get(setting.name)
        if value is None or value == "":
            if setting.required and setting.default is None:
                found.append(f"« {setting.title} » ({setting.name}) est obligatoire.")
            continue
        fault = _fault(setting, value)
        if fault is not None:
            found.append(f"« {setting.title} » ({setting.name}) {fault}")
    return tuple(found)


def filled(declared: Sequence[Setting], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with the defaults of what was left out."""
    given = {name: value for name, value in values.items() if value is not None}
    return {setting.name: given.get(setting.name, setting.default) for setting in declared}


def _fault(setting: Setting, value: Any) -> str | None:
    wanted = TYPES.get(setting.kind, str)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        return f"n'est pas {KINDS[setting.kind][0]}."
    if setting.choices and value not in setting.choices:
        return f"doit être l'une de ces valeurs : {', '.join(setting.choices)}."
    return None if KINDS[setting.kind][1](value) else f"n'est pas {KINDS[setting.kind][0]}."


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        return False
    bare = not (parts.username or parts.password or parts.query or parts.fragment)
    printable = all("\x21" <= character <= "\x7e" for character in value)
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and bare
        and port_is_good
        and printable
    )


def _is_duration(value: str) -> bool:
    return _DURATION.fullmatch(value) is not None


def _is_line(value: str) -> bool:
    return _LINE.fullmatch(value) is not None


KINDS: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "text": ("un texte d'une seule ligne", _is_line),
    "url": ("une adresse http(s) complète, sans identifiant, question ni fragment", _is_url),
    "host": ("un nom de machine", lambda value: _HOST.fullmatch(value) is not None),
    "integer": ("un nombre entier positif", lambda value: 0 < value < 1_000_000_000),
    "duration": ("une durée comme « 15min » ou « 10s »", _is_duration),
    "path": ("un chemin de fichier ou de dossier", _is_line),
    "email": ("une adresse électronique", lambda value: _EMAIL.fullmatch(value) is not None),
    "boolean": ("oui ou non (true, false)", lambda _value: True),
}
