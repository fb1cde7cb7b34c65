"""Languages: French is the source; a page speaks another one only when its address asks for it.

``?lang=`` travels in every link of a page, so that choosing a language needs no cookie. A language
is offered once its catalogue is complete; easy French and Arabic have their place here already.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from babel import Locale
from flask import has_request_context, request


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language of the pages: its tag on the wire, its catalogue, its own name for itself."""

    tag: str
    catalogue: str
    name: str

    @property
    def direction(self) -> str:
        """Return ``ltr`` or ``rtl``."""
        return str(Locale.parse(self.catalogue).text_direction)


LANGUAGES: Final = (
    Language(tag="fr", catalogue="fr", name="Français"),
    Language(tag="en", catalogue="en_GB", name="English"),
    Language(tag="fr-x-falc", catalogue="fr@falc", name="Français facile"),
    Language(tag="ar", catalogue="ar", name="العربية"),
)
OFFERED: Final = ("fr", "en")


def current() -> Language:
    """Return the language this request is answered in."""
    asked = request.args.get("lang", "") if has_request_context() else ""
    tag = asked if asked in OFFERED else OFFERED[0]
    return next(language for language in LANGUAGES if language.tag == tag)


def offered() -> tuple[Language, ...]:
    """Return the languages a reader may switch to."""
    return tuple(language for language in LANGUAGES if language.tag in OFFERED)


def locale() -> Locale:
    """Return the current language as Babel wants it."""
    return Locale.parse(current().catalogue)


def same_page_in(language: Language) -> str:
    """Return the query that shows this page in a language, whatever else its address says kept."""
    kept = [(name, value) for name, value in request.args.items(multi=True) if name != "lang"]
    return "?" + urlencode([*kept, ("lang", language.tag)])


def keep_language(_endpoint: str, values: dict[str, object]) -> None:
    """Carry the chosen language over to an address that is being built."""
    if has_request_context() and current().tag != OFFERED[0]:
        values.setdefault("lang", current().tag)
