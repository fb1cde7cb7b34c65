"""Reads ``bibliotheques_paca.csv``: the public libraries, and which of them a citizen is sent to.

The publisher's national file reads the same way (it has a byte order mark, ours has none).
"""

import math
import re
from collections.abc import Iterator
from datetime import date
from uuid import UUID, uuid5

from orchestrator.services.open_data import rules
from orchestrator.services.open_data.files import Layout, csv_records
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
from orchestrator.services.open_data.sources import LIBRARIES
from orchestrator.services.open_data.text import folded
from orchestrator.services.open_data.values import coordinates, measure, postal_code
from schemas.geo import Point

NAME = "Nom de l'établissement"
INSEE = "Code insee commune"
_COLUMNS = {
    "CP": 10,
    "Code_bib": 12,
    "Surface": 12,
    "Amplitude horaire": 10,
    NAME: 200,
    "Libellé 2": 200,
    "Complément": 200,
    "Adresse": 200,
    "Code région": 6,
    "Région": 60,
    "Code département": 3,
    "Département": 60,
    "Ville": 80,
    "Cedex": 40,
    INSEE: 5,
    "Population commune": 12,
    "Longitude": 20,
    "Latitude": 20,
    "Statut": 80,
    "Type adresse": 80,  # the publisher writes it with a trailing space
    "Nombre de salariés": 12,
    "Nombre de bénévoles": 12,
    "geolocalisation": 50,
}
LAYOUT = Layout(file=LIBRARIES.file, longest=_COLUMNS, required=frozenset(_COLUMNS))
PLACE_NAMESPACE = UUID("0a9b15d3-bad6-5991-9f4b-a4c237953549")  # of the name urn:parvis:place
_KEY = re.compile(r"([0-9]{1,9})(?:\.0+)?")
_HOURS_IN_A_WEEK = 168.0
_OPEN_BUILDING = "Bâtiment ouvert"
_FOR_LIBRARIES_ONLY = "Bibliothèque départementale"  # they serve libraries, not readers
_NOT_FOR_READERS = re.compile(
    r"\b(?:mediabus|bibliobus|reserve|transversaux|hors les murs|fermee|service)\b"
)


def read_libraries(
    body: bytes, communes: CommuneIndex, centroids: Centroids, *, source_date: date | None = None
) -> tuple[tuple[PlaceRow, ...], ImportReport]:
    """Return every library of the file, public or not, and what was corrected or refused."""
    ledger = Ledger(body, LIBRARIES, source_date)
    records = csv_records(body, LAYOUT, delimiter=";", ledger=ledger)
    rows = tuple(without_repeats(_libraries(records, communes, centroids, source_date)))
    return rows, ledger.closed(rows_read=len(records), rows_kept=len(rows))


def _libraries(
    records: list[Record],
    communes: CommuneIndex,
    centroids: Centroids,
    source_date: date | None,
) -> Iterator[tuple[Record, PlaceRow]]:
    for record in records:
        commune = commune_of(record, INSEE, record.cell(INSEE), communes)
        if commune is None:
            continue
        row = _library(record, commune, centroids.get(commune.code), source_date)
        if row is not None:
            yield record, row


def _library(
    record: Record, commune: CommuneRow, centroid: Point | None, source_date: date | None
) -> PlaceRow | None:
    name = record.text(NAME)
    if name is None:
        record.note(rules.NAME_MISSING, NAME)
        return None
    key = _key(record, commune, name)
    point = coordinates(record, "Latitude", "Longitude")
    where = position(record, point, centroid, farthest_km=math.inf)
    if key is None or where is None:
        return None
    _note_contradictions(record, commune)
    return PlaceRow(
        id=key,
        kind=PlaceKind.LIBRARY,
        name=name,
        commune=commune.code,
        venue=record.text("Libellé 2"),
        complement=record.text("Complément"),
        address=record.text("Adresse"),
        postal_code=postal_code(record, "CP", commune),
        lat=where[0].lat,
        lon=where[0].lon,
        approximate=where[1],
        weekly_hours=measure(record, "Amplitude horaire", highest=_HOURS_IN_A_WEEK),
        is_public=_is_for_readers(record, name),
        phone=None,
        url=None,
        status=record.cell("Statut") or None,
        address_type=record.cell("Type adresse") or None,
        surface_m2=_surface(record),
        employees=measure(record, "Nombre de salariés", highest=10_000),
        volunteers=measure(record, "Nombre de bénévoles", highest=10_000),
        source=LIBRARIES.slug,
        source_key=record.cell("Code_bib") or None,
        source_date=source_date,
    )


def _key(record: Record, commune: CommuneRow, name: str) -> str | None:
    text = record.cell("Code_bib")
    if not text:
        derived = str(uuid5(PLACE_NAMESPACE, f"{commune.code} {folded(name)}"))
        record.note(rules.KEY_DERIVED, "Code_bib", after=derived)
        return derived
    found = _KEY.fullmatch(text)
    if found is None:
        record.note(rules.KEY_INVALID, "Code_bib", text)
        return None
    return str(int(found[1]))


def _is_for_readers(record: Record, name: str) -> bool:
    """Tell whether a citizen may be sent there: the type alone does not say it."""
    is_building = record.cell("Type adresse") == _OPEN_BUILDING
    serves_readers = not record.cell("Statut").startswith(_FOR_LIBRARIES_ONLY)
    return is_building and serves_readers and not _NOT_FOR_READERS.search(folded(name))


def _surface(record: Record) -> float | None:
    surface = measure(record, "Surface", highest=1_000_000)
    if surface == 0:
        record.note(rules.ZERO_UNKNOWN, "Surface", record.raw("Surface"))
    return surface or None


def _note_contradictions(record: Record, commune: CommuneRow) -> None:
    """Report what contradicts the commune or the coordinates that we keep."""
    note_other_name(record, "Ville", commune)
    if record.cell("Code département") != commune.department:
        record.note(rules.DEPARTMENT_DIFFERS, "Code département", record.raw("Code département"))
    if record.raw("Cedex"):
        record.note(rules.CEDEX_IGNORED, "Cedex", record.raw("Cedex"))
    pair = ", ".join(filter(None, (record.raw("Latitude"), record.raw("Longitude"))))
    if record.raw("geolocalisation") != pair:
        record.note(rules.COORDINATES_DIFFER, "geolocalisation", record.raw("geolocalisation"))
