"""Reads ``musees_paca.json`` (Muséofile): the museums that bear the name "musée de France"."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from orchestrator.services.open_data import rules
from orchestrator.services.open_data.files import MEND_THE_LINE, Layout, json_objects, refused
from orchestrator.services.open_data.gazetteer import CommuneIndex
from orchestrator.services.open_data.places import (
    Centroids,
    commune_of,
    note_other_name,
    position,
    without_repeats,
)
from orchestrator.services.open_data.records import Record
from orchestrator.services.open_data.report import ImportReport, Ledger
from orchestrator.services.open_data.rows import CommuneRow, PlaceKind, PlaceRow
from orchestrator.services.open_data.sources import MUSEUMS
from orchestrator.services.open_data.text import first_letter_raised, folded
from orchestrator.services.open_data.values import coordinates, phone, postal_code, url
from schemas.geo import Point

KEY = "Identifiant Muséofile"
NAME = "Nom officiel du musée"
COMMUNE = "Commune"
POSTAL_CODE = "Code Postal"
REFERENCE = "REF_Deps"  # 5 characters of INSEE code, then a number
LAYOUT = Layout(
    file=MUSEUMS.file,
    longest={
        KEY: 10,
        "Région administrative": 60,
        "Département": 60,
        COMMUNE: 80,
        NAME: 200,
        "Adresse": 200,
        "Lieu": 200,
        POSTAL_CODE: 10,
        "Téléphone": 80,
        "URL": 500,
        "Latitude": 20,
        "Longitude": 20,
        REFERENCE: 10,
    },
    required=frozenset(),  # the publisher leaves a key out where it has no value
)
_WIDTHS = {POSTAL_CODE: 5, REFERENCE: 7}  # to restore the leading zeros of numbers
_KEY = re.compile(r"M[0-9]{4}")
_REFERENCE = re.compile(r"((?:[0-9]{2}|2[AB])[0-9]{3})[0-9]{2}")
_FARTHEST_KM = 20.0


def read_museums(
    body: bytes, communes: CommuneIndex, centroids: Centroids, *, source_date: date | None = None
) -> tuple[tuple[PlaceRow, ...], ImportReport]:
    """Return every museum of the file, and what was corrected or refused on the way."""
    ledger = Ledger(body, MUSEUMS, source_date)
    objects = json_objects(body, LAYOUT)
    records = [_as_record(line, item, ledger) for line, item in objects]
    rows = tuple(without_repeats(_museums(records, communes, centroids, source_date)))
    return rows, ledger.closed(rows_read=len(records), rows_kept=len(rows))


def _as_record(line: int, item: dict[str, Any], ledger: Ledger) -> Record:
    """Return the object as text: numbers get back the zeros that their type took from them."""
    cells: dict[str, str] = {}
    record = Record(line, cells, ledger)
    for column, value in item.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            cells[column] = str(value).zfill(_WIDTHS.get(column, 0))
            record.note(rules.NUMBER_AS_TEXT, column, str(value), cells[column])
        elif isinstance(value, str):
            cells[column] = value
        else:
            problem = f"valeur inattendue dans « {column} »"
            raise refused(MUSEUMS.file, problem, MEND_THE_LINE, line=line)
    return record


def _museums(
    records: list[Record],
    communes: CommuneIndex,
    centroids: Centroids,
    source_date: date | None,
) -> Iterator[tuple[Record, PlaceRow]]:
    for record in records:
        commune = _commune(record, communes)
        if commune is None:
            continue
        row = _museum(record, commune, centroids.get(commune.code), source_date)
        if row is not None:
            yield record, row


def _commune(record: Record, communes: CommuneIndex) -> CommuneRow | None:
    text = record.cell(REFERENCE)
    reference = _REFERENCE.fullmatch(text)
    if reference is not None:
        return commune_of(record, REFERENCE, reference[1], communes)
    if text:
        record.note(rules.REFERENCE_INVALID, REFERENCE, text)
    return _commune_by_name(record, communes)


def _commune_by_name(record: Record, communes: CommuneIndex) -> CommuneRow | None:
    """Return the one commune of that name; of several, the one that has the postal code."""
    name, code = record.cell(COMMUNE), record.cell(POSTAL_CODE)
    found = [communes.current[each] for each in communes.names.get(folded(name), ())]
    if len(found) > 1:
        found = [commune for commune in found if code in commune.postal_codes]
    if len(found) != 1:
        record.note(rules.COMMUNE_UNKNOWN, COMMUNE, name)
        return None
    record.note(rules.JOINED_BY_NAME, COMMUNE, name, found[0].code)
    return found[0]


def _museum(
    record: Record, commune: CommuneRow, centroid: Point | None, source_date: date | None
) -> PlaceRow | None:
    key, name = record.cell(KEY), _name(record)
    if not _KEY.fullmatch(key):
        record.note(rules.KEY_INVALID, KEY, key)
        return None
    point = coordinates(record, "Latitude", "Longitude")
    where = position(record, point, centroid, farthest_km=_FARTHEST_KM)
    if name is None or where is None:
        return None
    note_other_name(record, COMMUNE, commune)
    return PlaceRow(
        id=key,
        kind=PlaceKind.MUSEUM,
        name=name,
        commune=commune.code,
        venue=record.text("Lieu"),
        complement=None,
        address=record.text("Adresse"),
        postal_code=postal_code(record, POSTAL_CODE, commune),
        lat=where[0].lat,
        lon=where[0].lon,
        approximate=where[1],
        weekly_hours=None,
        is_public=True,
        phone=phone(record, "Téléphone"),
        url=url(record, "URL"),
        status=None,
        address_type=None,
        surface_m2=None,
        employees=None,
        volunteers=None,
        source=MUSEUMS.slug,
        source_key=key,
        source_date=source_date,
    )


def _name(record: Record) -> str | None:
    name = record.text(NAME)
    if name is None:
        record.note(rules.NAME_MISSING, NAME)
        return None
    raised = first_letter_raised(name)
    if raised != name:
        record.note(rules.FIRST_LETTER_RAISED, NAME, name, raised)
    return raised
