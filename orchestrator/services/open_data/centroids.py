"""Reads ``communes_paca_centroides.csv``: the middle of each commune."""

from collections.abc import Mapping
from datetime import date

from orchestrator.services.open_data import rules
from orchestrator.services.open_data.files import FETCH_AGAIN, Layout, csv_records, refused
from orchestrator.services.open_data.gazetteer import CommuneIndex
from orchestrator.services.open_data.places import commune_of
from orchestrator.services.open_data.records import Record
from orchestrator.services.open_data.report import Finding, ImportReport, Ledger
from orchestrator.services.open_data.rows import CentroidRow, CommuneRow
from orchestrator.services.open_data.sources import CENTROIDS
from orchestrator.services.open_data.values import coordinates

_COLUMNS = {
    "code_insee": 5,
    "nom": 80,
    "departement": 3,
    "siren": 9,
    "population": 9,
    "codes_postaux": 600,
    "lat": 20,
    "lon": 20,
}
LAYOUT = Layout(file=CENTROIDS.file, longest=_COLUMNS, required=frozenset(_COLUMNS))
_MISSING_AT_MOST = 0.01  # communes newer than the outlines; more than that is a cut file


def read_centroids(
    body: bytes, communes: CommuneIndex, *, source_date: date | None = None
) -> tuple[tuple[CentroidRow, ...], ImportReport]:
    """Return one centroid per commune; a file that leaves many communes out is refused."""
    ledger = Ledger(body, CENTROIDS, source_date)
    records = csv_records(body, LAYOUT, delimiter=",", ledger=ledger)
    rows: dict[str, CentroidRow] = {}
    for record in records:
        row = _centroid(record, communes, source_date)
        if row is not None and row.commune in rows:
            record.note(rules.KEY_REPEATED, "code_insee", row.commune)
        elif row is not None:
            rows[row.commune] = row
    _report_missing(rows, communes, ledger, line=records[-1].line)
    return tuple(rows.values()), ledger.closed(rows_read=len(records), rows_kept=len(rows))


def _centroid(
    record: Record, communes: CommuneIndex, source_date: date | None
) -> CentroidRow | None:
    commune = commune_of(record, "code_insee", record.cell("code_insee"), communes)
    if commune is None:
        return None
    point = coordinates(record, "lat", "lon")
    if point is None:
        record.note(rules.LOCATION_MISSING, "lat, lon", commune.code)
        return None
    _compare(record, commune)
    return CentroidRow(
        commune=commune.code,
        lat=point.lat,
        lon=point.lon,
        source=CENTROIDS.slug,
        source_date=source_date,
    )


def _compare(record: Record, commune: CommuneRow) -> None:
    """Report what the file says otherwise than the communes' own, which is what we keep."""
    known = {
        "nom": commune.name,
        "departement": commune.department,
        "siren": commune.siren or "",
        "population": "" if commune.population is None else str(commune.population),
        "codes_postaux": " ".join(commune.postal_codes),
    }
    for column, value in known.items():
        if record.cell(column) != value:
            record.note(rules.CENTROID_DIFFERS, column, record.raw(column), value)


def _report_missing(
    rows: Mapping[str, CentroidRow], communes: CommuneIndex, ledger: Ledger, *, line: int
) -> None:
    missing = [code for code in communes.current if code not in rows]
    if len(missing) > _MISSING_AT_MOST * len(communes.current):
        problem = f"{len(missing)} communes n'ont pas de centroïde : le fichier paraît coupé"
        raise refused(CENTROIDS.file, problem, FETCH_AGAIN)
    for code in missing:
        rule = rules.CENTROID_MISSING
        ledger.add(Finding(line=line, rule=rule, column="code_insee", before=code))
