"""What a text message weighs: its alphabet, its parts, and what a template could do without.

One character outside the GSM 7-bit alphabet (a typographic apostrophe, ``ê``) switches the whole
message to UCS-2 and more than halves what one part holds.

Alphabet: 3GPP TS 23.038 section 6.2.1; parts: TS 23.040 section 9.2.3.24.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

GSM_7: Final = "GSM-7"
UCS_2: Final = "UCS-2"
_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
_LIMITS: Final = {GSM_7: (160, 153), UCS_2: (70, 67)}
REPLACEMENTS: Final[Mapping[str, str]] = {
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{NO-BREAK SPACE}": " ",
    "\N{NARROW NO-BREAK SPACE}": " ",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}": '"',
    "\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}": '"',
    "œ": "oe",
}
_TABLE: Final = str.maketrans(dict(REPLACEMENTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What a text costs: ``units`` are septets or UTF-16 units, ``parts`` what is billed."""

    alphabet: str
    units: int
    parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """A template with its needless characters replaced, and what remains to be seen.

    ``replaced`` counts each character that was; ``foreign`` lists those that stay and make the
    message UCS-2.
    """

    text: str
    replaced: Mapping[str, int]
    foreign: tuple[str, ...]
    weight: Weight


def alphabet_of(text: str) -> str:
    """Return the smallest alphabet that holds a text."""
    return GSM_7 if set(text) <= _BASIC | _EXTENDED else UCS_2


def weigh(text: str) -> Weight:
    """Return the alphabet, the units and the parts of a text."""
    alphabet = alphabet_of(text)
    units = sum(_cost(character, alphabet) for character in text)
    return Weight(alphabet=alphabet, units=units, parts=len(split(text)))


def split(text: str) -> tuple[str, ...]:
    """Return the parts a text travels in; no character is ever cut in two."""
    alphabet = alphabet_of(text)
    alone, each = _LIMITS[alphabet]
    costs = [_cost(character, alphabet) for character in text]
    if sum(costs) <= alone:
        return (text,)
    parts, filled = [""], 0
    for character, cost in zip(text, costs, strict=True):
        if filled + cost > each:
            parts.append("")
            filled = 0
        parts[-1] += character
        filled += cost
    return tuple(parts)


def lint(text: str) -> Lint:
    """Return a template without the characters that cost a whole alphabet for nothing."""
    cleaned = text.translate(_TABLE)
    return Lint(
        text=cleaned,
        replaced=Counter(character for character in text if character in REPLACEMENTS),
        foreign=tuple(sorted(set(cleaned) - _BASIC - _EXTENDED)),
        weight=weigh(cleaned),
    )


def _cost(character: str, alphabet: str) -> int:
    if alphabet == GSM_7:
        return 2 if character in _EXTENDED else 1
    return 2 if ord(character) > 0xFFFF else 1
