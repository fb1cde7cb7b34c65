"""What libraries and museums share: which commune, and where."""

from collections.abc import Iterable, Iterator, Mapping

from orchestrator.services.open_data import rules
from orchestrator.services.open_data.gazetteer import DISTRICTS, CommuneIndex, resolve_commune
from orchestrator.services.open_data.records import Record
from orchestrator.services.open_data.rows import CommuneRow, PlaceRow
from schemas.geo import Point, great_circle_km

Centroids = Mapping[str, Point]
_FAR_KM = 10.0


def commune_of(record: Record, column: str, code: str, communes: CommuneIndex) -> CommuneRow | None:
    """Return the commune that the code of a cell means, be it a district's or a former one."""
    found = resolve_commune(code, communes)
    if found is None:
        record.note(rules.COMMUNE_UNKNOWN, column, code)
        return None
    if found != code:
        rule = rules.DISTRICT_MAPPED if code in DISTRICTS else rules.FORMER_CODE_MAPPED
        record.note(rule, column, code, found)
    return communes.current[found]


def note_other_name(record: Record, column: str, commune: CommuneRow) -> None:
    """Report a commune written otherwise than its official name."""
    name = record.cell(column)
    if name and name != commune.name:
        record.note(rules.COMMUNE_NAME_DIFFERS, column, name, commune.name)


def position(
    record: Record, point: Point | None, centroid: Point | None, *, farthest_km: float
) -> tuple[Point, bool] | None:
    """Return where the place is and whether that is approximate; None when nobody knows.

    A point farther than ``farthest_km`` from the commune's centroid is not believed.
    """
    if centroid is None:
        if point is not None:
            return point, False  # nothing to compare it with
        record.note(rules.LOCATION_MISSING)
        return None
    if point is None:
        record.note(rules.CENTROID_USED)
        return centroid, True
    distance = great_circle_km(point, centroid)
    if distance > farthest_km:
        record.note(rules.FAR_POINT_REPLACED, before=f"{distance:.1f} km")
        return centroid, True
    if distance > _FAR_KM:
        record.note(rules.FAR_FROM_COMMUNE, before=f"{distance:.1f} km")
    return point, False


def without_repeats(rows: Iterable[tuple[Record, PlaceRow]]) -> Iterator[PlaceRow]:
    """Yield each place once; a later row with the same key is refused."""
    seen: set[str] = set()
    for record, row in rows:
        if row.id in seen:
            record.note(rules.KEY_REPEATED, before=row.id)
        else:
            seen.add(row.id)
            yield row
