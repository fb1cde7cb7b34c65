"""Text rules of the importers: tidy what a person reads, guess nothing.

Every step that changes a text is named by the rule it belongs to, so that the report can tell.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator

from orchestrator.services.open_data import rules
from orchestrator.services.open_data.report import Rule

Step = tuple[Rule, Callable[[str], str]]

FORMULA_STARTS = ("=", "+", "-", "@")
_ACCENTED = {
    "bibliotheque": "bibliothèque",
    "mediatheque": "médiathèque",
    "ludotheque": "ludothèque",
}
_UNACCENTED_WORD = re.compile(rf"\b(?:{'|'.join(_ACCENTED)})\b", re.IGNORECASE)
_ARTICLES = ("à", "au", "aux", "de", "des", "du", "et", "la", "le", "les", "un", "une")
_SMALL_WORDS = frozenset((*_ARTICLES, "bis", "en", "lès", "par", "pour", "sous", "sur", "ter"))
_ABBREVIATIONS = frozenset(("BP", "CD", "CS", "RD", "RN", "ZA", "ZAC", "ZI"))
_ORDINAL = re.compile(r"\d+(?:E|ER|ÈRE|ERE|ÈME|EME)")
_APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}"
_WORD = re.compile(rf"[^\W_]+([{_APOSTROPHES}]?)")
_TRAILING_BACKSLASH = re.compile(r"[\s\\]*\\[\s\\]*$")
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")


def folded(text: str) -> str:
    """Return the text for comparing and searching: no accent, no case, words and single spaces."""
    low = unicodedata.normalize("NFKD", text).casefold().replace("œ", "oe").replace("æ", "ae")
    plain = unicodedata.normalize("NFKD", low)  # lowering may compose again
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return _NOT_ALPHANUMERIC.sub(" ", letters).strip()


def french_title(text: str) -> str:
    """Return an all-capitals text as a French title; accents are not guessed."""
    return _WORD.sub(_cased, text)


def _cased(match: re.Match[str]) -> str:
    word = match[0]
    is_first = not any(letter.isalnum() for letter in match.string[: match.start()])
    is_elided = len(word) == 2 and bool(match[1])  # d' l'
    if word in _ABBREVIATIONS:
        return word
    is_small = is_elided or word.lower() in _SMALL_WORDS
    if (is_small and not is_first) or _ORDINAL.fullmatch(word):
        return word.lower()
    return word.capitalize()


def is_all_capitals(text: str) -> bool:
    """Tell whether the text has letters and all of them are capitals."""
    return text.isupper()


def _without_invisible(text: str) -> str:
    """Drop controls and formats (NUL, bidirectional marks ...); tabs and line ends are spaces."""
    if text.isprintable():
        return text
    return "".join(
        letter for letter in text if letter.isspace() or unicodedata.category(letter)[0] != "C"
    )


def _with_accents(text: str) -> str:
    def accented(match: re.Match[str]) -> str:
        word = _ACCENTED[match[0].lower()]
        if match[0].isupper():
            return word.upper()
        return word.capitalize() if match[0][0].isupper() else word

    return _UNACCENTED_WORD.sub(accented, text)


def first_letter_raised(text: str) -> str:
    """Return the text with a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


TIDY: tuple[Step, ...] = (
    (rules.INVISIBLE_REMOVED, _without_invisible),  # first: what it parted may compose
    (rules.UNICODE_FORM, lambda text: unicodedata.normalize("NFC", text)),
    (rules.SPACES_COLLAPSED, lambda text: " ".join(text.split())),
)
READABLE: tuple[Step, ...] = (
    *TIDY,
    (rules.BACKSLASH_REMOVED, lambda text: _TRAILING_BACKSLASH.sub("", text)),
    (rules.CAPITALS_LOWERED, lambda text: french_title(text) if is_all_capitals(text) else text),
    (rules.ACCENT_RESTORED, _with_accents),
)


def changes(text: str, steps: Iterable[Step]) -> Iterator[tuple[Rule, str, str]]:
    """Yield (rule, before, after) for each step that changes the text, in order."""
    for rule, step in steps:
        after = step(text)
        if after != text:
            yield rule, text, after
            text = after
