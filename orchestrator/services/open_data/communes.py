"""Reads ``communes_paca.json`` (Code officiel géographique): the communes everything joins on.

The whole national file of the same publisher reads the same way; its delegated and associated
communes and its municipal districts are left aside, their codes resolve to their commune.
Everything joins on these rows: a fault in what identifies a commune refuses the file.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from orchestrator.services.open_data import rules
from orchestrator.services.open_data.files import MEND_THE_LINE, Layout, json_objects, refused
from orchestrator.services.open_data.records import Record
from orchestrator.services.open_data.report import ImportReport, Ledger, shown
from orchestrator.services.open_data.rows import CommuneRow
from orchestrator.services.open_data.sources import COMMUNES
from orchestrator.services.open_data.values import INSEE_CODE, POSTAL_CODE, has_luhn_check
from schemas.errors import ImportRefusedError

_TEXTS = {
    "code": 5,
    "nom": 80,
    "zone": 10,
    "arrondissement": 4,
    "departement": 3,
    "region": 3,
    "type": 30,
    "siren": 9,
    "chefLieu": 5,  # of delegated and associated communes, in the national file
    "commune": 5,  # of municipal districts, in the national file
}
_INTEGERS = {"typeLiaison": 8, "rangChefLieu": 9, "population": 20_000_000}
_LISTS = {"codesPostaux": POSTAL_CODE, "anciensCodes": INSEE_CODE}
LAYOUT = Layout(
    file=COMMUNES.file,
    longest={**_TEXTS, **dict.fromkeys([*_INTEGERS, *_LISTS])},
    required=frozenset({"code", "nom", "departement", "region", "type"}),
)
_SIREN = re.compile(r"[0-9]{9}")
CURRENT = "commune-actuelle"


def read_communes(
    body: bytes, *, source_date: date | None = None
) -> tuple[tuple[CommuneRow, ...], ImportReport]:
    """Return the communes of today, and what was corrected or refused on the way."""
    ledger = Ledger(body, COMMUNES, source_date)
    objects = json_objects(body, LAYOUT)
    rows: dict[str, CommuneRow] = {}
    records: dict[str, Record] = {}
    for line, item in objects:
        _check_types(item, line)
        record = Record(line, {name: str(item.get(name, "")) for name in _TEXTS}, ledger)
        if item["type"] != CURRENT:
            record.note(rules.NOT_A_COMMUNE, "type", item["type"])
            continue
        row = _commune(record, item, source_date)
        if row.code in rows:
            problem = f"le code {row.code} apparaît deux fois"
            raise _faulty(problem, line)
        rows[row.code], records[row.code] = row, record
    if not rows:
        raise _faulty("aucune commune actuelle dans le fichier", 1)
    communes = tuple(_unambiguous(rows, records))
    return communes, ledger.closed(rows_read=len(objects), rows_kept=len(rows))


def _commune(record: Record, item: Mapping[str, Any], source_date: date | None) -> CommuneRow:
    code, name = record.cell("code"), record.cell("nom")
    if not INSEE_CODE.fullmatch(code):
        problem = f"code de commune incorrect « {shown(code)} »"
        raise _faulty(problem, record.line)
    if not name:
        problem = f"la commune {code} n'a pas de nom"
        raise _faulty(problem, record.line)
    return CommuneRow(
        code=code,
        name=name,
        link=item.get("typeLiaison", 0),  # absent for overseas collectivities
        department=record.cell("departement"),
        region=record.cell("region"),
        siren=_siren(record),
        postal_codes=tuple(item.get("codesPostaux", ())),
        population=item.get("population"),
        former_codes=tuple(item.get("anciensCodes", ())),
        source=COMMUNES.slug,
        source_date=source_date,
    )


def _siren(record: Record) -> str | None:
    text = record.cell("siren")
    if text and not (_SIREN.fullmatch(text) and has_luhn_check(text)):
        record.note(rules.SIREN_INVALID, "siren", text)
        return None
    return text or None


def _check_types(item: Mapping[str, Any], line: int) -> None:
    for column, value in item.items():
        if column in _TEXTS:
            is_right = isinstance(value, str)
        elif column in _INTEGERS:
            is_right = type(value) is int and 0 <= value <= _INTEGERS[column]
        else:
            is_right = _is_list_of_codes(value, _LISTS[column])
        if not is_right:
            problem = f"valeur inattendue dans « {column} »"
            raise _faulty(problem, line)


def _is_list_of_codes(value: object, form: re.Pattern[str]) -> bool:
    return isinstance(value, list) and all(
        isinstance(code, str) and form.fullmatch(code) for code in value
    )


def _unambiguous(
    rows: Mapping[str, CommuneRow], records: Mapping[str, Record]
) -> Iterator[CommuneRow]:
    """Yield the communes without the former codes that cannot say which commune they mean."""
    owners: dict[str, str] = {}
    for code, row in rows.items():
        kept = []
        for old in row.former_codes:
            if old in rows or owners.setdefault(old, code) != code:
                records[code].note(rules.FORMER_CODE_AMBIGUOUS, "anciensCodes", old)
            else:
                kept.append(old)
        yield replace(row, former_codes=tuple(kept)) if len(kept) < len(row.former_codes) else row


def _faulty(problem: str, line: int) -> ImportRefusedError:
    return refused(COMMUNES.file, problem, MEND_THE_LINE, line=line)
