"""Makes the catalogues of translations: ``python -m web.layout.catalogues`` after changing a text.

Texts are written in French with the keyboard's apostrophe and plain spaces; the French catalogue
sets them as printers do. One catalogue per face, so that two faces never write in the same file.
A text without translation stays empty and is counted: the tests want none.
"""

import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from web.layout.languages import OFFERED
from web.layout.setup import TRANSLATIONS

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = {"citizen": ("web/layout", "web/citizen"), "console": ("web/console",)}
_METHODS: Final = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
_KEYWORDS: Final = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2)}
_UNDATED: Final = datetime(2026, 1, 1, tzinfo=UTC)
_NARROW, _WIDE = "\u202f", "\u00a0"


def extracted(domain: str) -> Catalog:
    """Return every text of a face, where it stands and what it says."""
    catalogue = Catalog(project="Parvis", charset="utf-8")
    for folder in FOLDERS[domain]:
        found = extract_from_dir(
            ROOT / folder, _METHODS, keywords=_KEYWORDS, comment_tags=(), strip_comment_tags=True
        )
        for name, _line, message, _comments, _context in sorted(found, key=lambda each: each[:2]):
            catalogue.add(message, locations=[(f"{folder}/{name}", 0)])
    return catalogue


def catalogue_path(domain: str, language: str) -> Path:
    """Return where the texts of one face in one language are kept."""
    return TRANSLATIONS / language / "LC_MESSAGES" / f"{domain}.po"


def read(domain: str, language: str) -> Catalog:
    """Return a catalogue as it is kept, an empty one when there is none yet."""
    path = catalogue_path(domain, language)
    if not path.exists():
        return Catalog(locale=language, domain=domain)
    with path.open("rb") as file:
        return read_po(file, locale=language, domain=domain)


def updated(domain: str, language: str) -> Catalog:
    """Return a catalogue brought up to date with the texts, French filled in."""
    kept = read(domain, language)
    catalogue = Catalog(locale=language, domain=domain, project="Parvis", charset="utf-8")
    for message in extracted(domain):
        if message.id:
            translation = _french(message) if language == "fr" else _kept(kept, message)
            catalogue.add(message.id, translation, locations=message.locations)
    return catalogue


def po_bytes(catalogue: Catalog) -> bytes:
    """Return a catalogue as text, the same bytes for the same content."""
    buffer = io.BytesIO()
    write_po(buffer, catalogue, width=0, omit_header=True, include_lineno=False, sort_output=True)
    header = (
        'msgid ""\nmsgstr ""\n'
        f'"Language: {catalogue.locale}\\n"\n'
        f'"Plural-Forms: {catalogue.plural_forms}\\n"\n'
        '"MIME-Version: 1.0\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    )
    return header.encode() + buffer.getvalue()


def mo_bytes(catalogue: Catalog) -> bytes:
    """Return a catalogue as the pages read it."""
    steady = read_po(io.BytesIO(po_bytes(catalogue)), locale=catalogue.locale)
    steady.creation_date = steady.revision_date = _UNDATED
    buffer = io.BytesIO()
    write_mo(buffer, steady)
    return buffer.getvalue()


def untranslated(catalogue: Catalog) -> list[str]:
    """Return the texts that have no translation."""
    return [str(message.id) for message in catalogue if message.id and not _is_filled(message)]


def typeset(text: str) -> str:
    """Return a French text with the apostrophes and spaces of print."""
    text = text.replace("'", "\u2019")
    text = re.sub(r"(?<=\d) (?=\d)", _WIDE, text)
    text = re.sub(r" ([;!?])", rf"{_NARROW}\1", text)
    return re.sub(r"« | ([:»])", lambda m: f"«{_WIDE}" if m[1] is None else f"{_WIDE}{m[1]}", text)


def main() -> int:
    """Bring every catalogue up to date; returns how many texts still lack a translation."""
    missing = 0
    for domain, language in _all():
        catalogue = updated(domain, language)
        if not len(catalogue):
            continue
        path = catalogue_path(domain, language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(po_bytes(catalogue))
        path.with_suffix(".mo").write_bytes(mo_bytes(catalogue))
        for text in untranslated(catalogue):
            missing += 1
            sys.stdout.write(f"{domain} {language}: {text}\n")
    return missing


def _all() -> Iterator[tuple[str, str]]:
    return ((domain, language) for domain in FOLDERS for language in OFFERED)


def _french(message: Message) -> str | tuple[str, ...]:
    if isinstance(message.id, tuple):
        return tuple(typeset(text) for text in message.id)
    return typeset(str(message.id))


def _kept(catalogue: Catalog, message: Message) -> str | tuple[str, ...]:
    known = catalogue.get(message.id)
    if known is None or not known.string:
        return ""
    return known.string if isinstance(known.string, str) else tuple(known.string)


def _is_filled(message: Message) -> bool:
    texts = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
    return all(texts) and not message.fuzzy


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
