"""From bytes to rows: what makes a whole file be refused.

A file is read entirely or not at all: wrong encoding, an unknown column, a cut end, an outsized
text refuse it with a French message that says where and what to do.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.services.open_data import rules
from orchestrator.services.open_data.records import Record
from orchestrator.services.open_data.report import Ledger, shown
from schemas.errors import ImportRefusedError

MAX_BYTES = 32 * 1024 * 1024  # about ten times the largest national file of the four
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_LOSS_MARKS = ("\N{REPLACEMENT CHARACTER}", "Ã©", "Ã¨")  # already decoded wrongly once
_SAVE_AGAIN = "Enregistrez-le à nouveau en UTF-8, ou reprenez le fichier du diffuseur."
FETCH_AGAIN = "Téléchargez-le à nouveau, en entier."
_NEW_EDITION = (
    "Le diffuseur a changé son format : mettez Parvis à jour avant de charger ce fichier."
)
MEND_THE_LINE = "Corrigez cette ligne, ou signalez-la au diffuseur."
_BLANKS = r"[ \t\r\n]*"
_OPENING = re.compile(rf"{_BLANKS}\[{_BLANKS}")
_SEPARATOR = re.compile(rf"{_BLANKS}(,{_BLANKS}(?!\])|(?=\]))")
_END = re.compile(rf"{_BLANKS}\]{_BLANKS}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a file may hold: each column with its longest text, and those it cannot lack.

    A column whose values are not text has no longest one (None).
    """

    file: str
    longest: Mapping[str, int | None]
    required: frozenset[str]


def refused(file: str, problem: str, remedy: str, *, line: int | None = None) -> ImportRefusedError:
    """Return the refusal of a whole file: where, what is wrong, what to do."""
    where = file if line is None else f"{file}, ligne {line}"
    return ImportRefusedError(f"{where} : {problem}. {remedy}")


def decoded(body: bytes, file: str) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark."""
    if len(body) > MAX_BYTES:
        problem = f"le fichier dépasse {MAX_BYTES // 1024 // 1024} Mio ({len(body)} octets)"
        raise refused(file, problem, "Vérifiez que c'est bien le fichier attendu.")
    if not body.strip():
        raise refused(file, "le fichier est vide", FETCH_AGAIN)
    if body.startswith(_UTF_16_MARKS) or b"\x00" in body:
        raise refused(file, "le fichier n'est pas du texte en UTF-8", _SAVE_AGAIN)
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        if error.reason == "unexpected end of data":
            raise refused(file, "la fin est coupée", FETCH_AGAIN, line=line) from error
        raise refused(file, "le fichier n'est pas en UTF-8", _SAVE_AGAIN, line=line) from error
    if any(mark in text for mark in _LOSS_MARKS):
        raise refused(file, "des accents ont été abîmés par une conversion", _SAVE_AGAIN)
    return text


# --- CSV ---------------------------------------------------------------------------------------


def csv_records(body: bytes, layout: Layout, *, delimiter: str, ledger: Ledger) -> list[Record]:
    """Return the rows of a CSV file with a header, whatever the order of its columns."""
    text = decoded(body, layout.file)
    if not text.endswith("\n"):
        raise refused(layout.file, "la dernière ligne est coupée", FETCH_AGAIN)
    lines = _csv_lines(text, delimiter, layout.file)
    header = _header(next(lines)[1], layout)
    records: list[Record] = []
    for line, cells in lines:
        record = Record(line, dict(zip(header, cells, strict=False)), ledger)
        if cells:
            _check_cells(cells, header, layout, line=line)
            records.append(record)
        else:
            record.note(rules.BLANK_LINE)
    if not records:
        raise refused(layout.file, "aucune ligne après l'en-tête", FETCH_AGAIN)
    return records


def _csv_lines(text: str, delimiter: str, file: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row with the line it begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        problem = "guillemets mal fermés ou cellule démesurée"
        raise refused(file, problem, FETCH_AGAIN, line=line) from error


def _header(cells: Sequence[str], layout: Layout) -> list[str]:
    header = [cell.strip() for cell in cells]
    _check_columns(header, layout, line=1)
    if len(set(header)) != len(header):
        raise refused(layout.file, "une colonne apparaît deux fois", _NEW_EDITION, line=1)
    return header


def _check_columns(found: Sequence[str], layout: Layout, *, line: int) -> None:
    unknown = [name for name in found if name not in layout.longest]
    if unknown:
        problem = f"colonne inconnue « {shown(unknown[0])} »"
        raise refused(layout.file, problem, _NEW_EDITION, line=line)
    missing = sorted(layout.required.difference(found))
    if missing:
        problem = f"colonne absente « {missing[0]} »"
        raise refused(layout.file, problem, _NEW_EDITION, line=line)


def _check_cells(cells: Sequence[str], header: Sequence[str], layout: Layout, *, line: int) -> None:
    if len(cells) != len(header):
        problem = f"{len(cells)} cellules au lieu de {len(header)} : la ligne est coupée"
        raise refused(layout.file, problem, FETCH_AGAIN, line=line)
    _check_lengths(dict(zip(header, cells, strict=True)), layout, line=line)


def _check_lengths(cells: Mapping[str, Any], layout: Layout, *, line: int) -> None:
    for column, value in cells.items():
        longest = layout.longest[column]
        if isinstance(value, str | int) and longest is not None and len(str(value)) > longest:
            problem = f"« {column} » dépasse {longest} caractères"
            raise refused(layout.file, problem, MEND_THE_LINE, line=line)


# --- JSON --------------------------------------------------------------------------------------


def json_objects(body: bytes, layout: Layout) -> list[tuple[int, dict[str, Any]]]:
    """Return (line, object) for each object of a file that is one JSON array of objects."""
    text = decoded(body, layout.file)
    found: list[tuple[int, dict[str, Any]]] = []
    try:
        for line, item in _items(text):
            found.append((line, _checked(item, layout, line=line)))
    except (ValueError, RecursionError) as error:
        after = f" après l'objet de la ligne {found[-1][0]}" if found else ""
        problem = f"le JSON est coupé ou abîmé{after}"
        raise refused(layout.file, problem, FETCH_AGAIN) from error
    if not found:
        raise refused(layout.file, "le tableau JSON est vide", FETCH_AGAIN)
    return found


def _checked(item: object, layout: Layout, *, line: int) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise refused(layout.file, "un objet JSON est attendu", _NEW_EDITION, line=line)
    _check_columns(list(item), layout, line=line)
    _check_lengths(item, layout, line=line)
    return item


def _items(text: str) -> Iterator[tuple[int, object]]:
    """Yield each item of the array with the line it begins on."""
    decoder = json.JSONDecoder(object_pairs_hook=_unrepeated, parse_constant=_no_constant)
    position = _after(_OPENING, text, 0)
    line, counted = 1, 0
    while not _END.match(text, position):
        line, counted = line + text.count("\n", counted, position), position
        item, position = decoder.raw_decode(text, position)
        yield line, item
        position = _after(_SEPARATOR, text, position)


def _after(mark: re.Pattern[str], text: str, position: int) -> int:
    """Return where the next item begins, after the mark that must come now."""
    found = mark.match(text, position)
    if found is None:
        message = f"no JSON array goes on like this at {position}"
        raise ValueError(message)
    return found.end()


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        message = "a key appears twice"
        raise ValueError(message)
    return members


def _no_constant(name: str) -> object:
    message = f"{name} is not JSON"
    raise ValueError(message)
