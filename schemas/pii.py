"""The annotation of personal data: one marker on fields, read by masks, logs and exports.

A field without the marker counts as personal; ``NOT_PERSONAL`` must be written.
"""

from typing import Any, Final

CLASSES: Final = frozenset(
    {"identity", "contact", "civil_status", "reference", "location", "interest", "free_text"}
    | {"secret", "none"}
)
HIDDEN: Final = "••••••"


def pii(kind: str, mask: str = "hide") -> dict[str, Any]:
    """Return marshmallow metadata that marks a field; ``mask`` is hide, initial, tail4, domain."""
    if kind not in CLASSES or mask not in _MASKS:
        raise ValueError(kind, mask)
    return {"pii": {"class": kind, "mask": mask}, "x-parvis-pii": {"class": kind, "mask": mask}}


def masked(value: object, mask: str = "hide") -> str:
    """Return the text a reader without the right to reveal may see; its length says nothing."""
    return _MASKS[mask](str(value))


def _initial(text: str) -> str:
    return f"{text[:1]}{HIDDEN}" if text else HIDDEN


def _tail4(text: str) -> str:
    return f"{HIDDEN}{text[-4:]}" if len(text) > 8 else HIDDEN


def _domain(text: str) -> str:
    return f"{HIDDEN}@{text.rpartition('@')[2]}" if "@" in text else HIDDEN


_MASKS: Final = {
    "hide": lambda _text: HIDDEN,
    "initial": _initial,
    "tail4": _tail4,
    "domain": _domain,
}
NOT_PERSONAL: Final = {"pii": {"class": "none"}, "x-parvis-pii": {"class": "none"}}
