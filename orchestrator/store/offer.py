"""What the city offers, read at one revision; and the open data it stands on."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final, LiteralString

from psycopg.rows import DictRow

from orchestrator.services.open_data import (
    CentroidRow,
    CommuneRow,
    OpenData,
    PlaceKind,
    PlaceRow,
)
from orchestrator.services.open_data.sources import UNDATED
from orchestrator.services.ports.offer import (
    ImportCount,
    OfferRows,
    PartnerKeyRow,
    PartnerRow,
    ProfileRow,
    ServiceRow,
)
from orchestrator.store.configuration import note_revision
from orchestrator.store.connections import Connection, Database
from schemas import clock
from schemas.geo import Point

_COMMUNE_DETAILS: Final = ("region", "siren")
_PLACE_DETAILS: Final = (
    "venue",
    "complement",
    "phone",
    "url",
    "status",
    "address_type",
    "surface_m2",
    "employees",
    "volunteers",
    "source_key",
)
_PROFILES: Final = """
SELECT p.id, p.connector, p.state, p.settings, md5(p.settings::text || p.connector || coalesce((
         SELECT string_agg(s.name || s.updated_at::text, ',' ORDER BY s.name)
           FROM secret s, jsonb_each(p.settings) AS setting
          WHERE setting.value ->> 'secret' = s.name), '')) AS version
  FROM profile p WHERE p.retired_at IS NULL
"""
_SERVICES: Final = """
SELECT s.id, s.kind, s.name, s.territory, s.place_id, s.min_level, b.profile_id, b.settings AS binding
  FROM service s JOIN binding b ON b.service_id = s.id
 WHERE s.retired_at IS NULL ORDER BY s.id
"""
_KEYS: Final = """
SELECT partner_id, key_id AS id, scheme, secret_name, public_key FROM partner_key
 WHERE retired_at IS NULL ORDER BY created_at, key_id
"""


class OfferRowsReader:
    """Implements the port of the offer on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def revision(self) -> int:
        """Return the number of the newest revision (0: none yet)."""
        row = self._database.one("SELECT max(id) AS id FROM config_revision")
        return (row["id"] if row else None) or 0

    def load(self) -> OfferRows:
        """Return everything, consistent with one revision."""
        with self._database.transaction() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return _loaded(connection)


def _loaded(connection: Connection) -> OfferRows:
    last = connection.execute(
        "SELECT id, document FROM config_revision ORDER BY id DESC LIMIT 1"
    ).fetchone()
    document = last["document"] if last else {}
    communes = connection.execute("SELECT * FROM commune ORDER BY code").fetchall()
    territories = connection.execute("SELECT * FROM territory WHERE retired_at IS NULL")
    return OfferRows(
        revision=last["id"] if last else 0,
        city=document.get("city") or {},
        policies=document.get("policies") or {},
        territories={row["id"]: tuple(row["communes"]) for row in territories},
        profiles=tuple(_profile(row) for row in connection.execute(_PROFILES)),
        services=tuple(ServiceRow(**row) for row in connection.execute(_SERVICES)),
        partners=_partners(connection),
        communes=tuple(_commune(row) for row in communes),
        centroids={
            row["code"]: Point(row["latitude"], row["longitude"])
            for row in communes
            if row["latitude"] is not None
        },
        places=tuple(_place(row) for row in connection.execute("SELECT * FROM place ORDER BY id")),
        loaded_at=clock.utcnow(),
    )


def _profile(row: DictRow) -> ProfileRow:
    settings: Mapping[str, Any] = row.pop("settings")
    refs = {name: value["secret"] for name, value in settings.items() if isinstance(value, dict)}
    return ProfileRow(**row, settings=settings, secrets=refs)


def _partners(connection: Connection) -> tuple[PartnerRow, ...]:
    keys: dict[str, list[PartnerKeyRow]] = {}
    for row in connection.execute(_KEYS):
        keys.setdefault(row.pop("partner_id"), []).append(PartnerKeyRow(**row))
    rows = connection.execute("SELECT * FROM partner WHERE retired_at IS NULL ORDER BY id")
    return tuple(
        PartnerRow(
            id=row["id"],
            name=row["name"],
            allowed_events=frozenset(row["allowed_events"]),
            territories=tuple(row["territories"]),
            handover=row["handover"],
            keys=tuple(keys.get(row["id"], ())),
        )
        for row in rows
    )


def _commune(row: DictRow) -> CommuneRow:
    return CommuneRow(
        code=row["code"],
        name=row["name"],
        link=row["link"],
        department=row["department"],
        postal_codes=tuple(row["postal_codes"]),
        population=row["population"],
        former_codes=tuple(row["former_codes"]),
        source=row["source"],
        source_date=_date(row["source_date"]),
        **_details(row, _COMMUNE_DETAILS),
    )


def _place(row: DictRow) -> PlaceRow:
    return PlaceRow(
        id=row["id"],
        kind=PlaceKind(row["kind"]),
        name=row["name"],
        commune=row["commune"],
        address=row["address"],
        postal_code=row["postal_code"],
        lat=row["latitude"],
        lon=row["longitude"],
        approximate=row["is_approximate"],
        weekly_hours=row["weekly_hours"],
        is_public=row["is_public"],
        source=row["source"],
        source_date=_date(row["source_date"]),
        **_details(row, _PLACE_DETAILS),
    )


def _details(row: DictRow, names: Iterable[str]) -> dict[str, Any]:
    return {name: row["details"].get(name) for name in names}


def _date(text: str) -> date | None:
    return None if text == UNDATED else date.fromisoformat(text)


# --- open data ----------------------------------------------------------------------------------

_PUT_COMMUNES: Final = """
WITH row AS (
  SELECT * FROM jsonb_to_recordset(%s) AS r(code text, name text, link int, department text,
    population int, postal_codes text[], former_codes text[], latitude double precision,
    longitude double precision, details jsonb, source text, source_date text)),
put AS (
  INSERT INTO commune AS old (code, name, link, department, population, postal_codes, former_codes,
         latitude, longitude, details, source, source_date)
  SELECT code, name, link, department, population, postal_codes, former_codes, latitude, longitude,
         details, source, source_date FROM row
  ON CONFLICT (code) DO UPDATE SET name = excluded.name, link = excluded.link,
    department = excluded.department, population = excluded.population,
    postal_codes = excluded.postal_codes, former_codes = excluded.former_codes,
    latitude = excluded.latitude, longitude = excluded.longitude, details = excluded.details,
    source = excluded.source, source_date = excluded.source_date, imported_at = parvis_now()
  WHERE (old.name, old.link, old.department, old.population, old.postal_codes, old.former_codes,
         old.latitude, old.longitude, old.details, old.source, old.source_date)
    IS DISTINCT FROM (excluded.name, excluded.link, excluded.department, excluded.population,
         excluded.postal_codes, excluded.former_codes, excluded.latitude, excluded.longitude,
         excluded.details, excluded.source, excluded.source_date)
  RETURNING xmax = 0 AS is_new)
SELECT count(*) FILTER (WHERE is_new) AS created, count(*) FILTER (WHERE NOT is_new) AS changed,
       (SELECT count(*) FROM row) - count(*) AS same,
       (SELECT count(*) FROM commune c WHERE NOT EXISTS (SELECT FROM row WHERE row.code = c.code))
         AS absent
  FROM put
"""
_PUT_PLACES: Final = """
WITH row AS (
  SELECT * FROM jsonb_to_recordset(%s) AS r(id text, kind text, name text, commune text,
    address text, postal_code text, latitude double precision, longitude double precision,
    is_approximate boolean, weekly_hours double precision, is_public boolean, details jsonb,
    source text, source_date text)),
put AS (
  INSERT INTO place AS old (id, kind, name, commune, address, postal_code, latitude, longitude,
         is_approximate, weekly_hours, is_public, details, source, source_date)
  SELECT id, kind, name, commune, address, postal_code, latitude, longitude, is_approximate,
         weekly_hours, is_public, details, source, source_date FROM row
  ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, name = excluded.name,
    commune = excluded.commune, address = excluded.address, postal_code = excluded.postal_code,
    latitude = excluded.latitude, longitude = excluded.longitude,
    is_approximate = excluded.is_approximate, weekly_hours = excluded.weekly_hours,
    is_public = excluded.is_public, details = excluded.details, source = excluded.source,
    source_date = excluded.source_date, imported_at = parvis_now()
  WHERE (old.kind, old.name, old.commune, old.address, old.postal_code, old.latitude,
         old.longitude, old.is_approximate, old.weekly_hours, old.is_public, old.details,
         old.source, old.source_date)
    IS DISTINCT FROM (excluded.kind, excluded.name, excluded.commune, excluded.address,
         excluded.postal_code, excluded.latitude, excluded.longitude, excluded.is_approximate,
         excluded.weekly_hours, excluded.is_public, excluded.details, excluded.source,
         excluded.source_date)
  RETURNING xmax = 0 AS is_new)
SELECT count(*) FILTER (WHERE is_new) AS created, count(*) FILTER (WHERE NOT is_new) AS changed,
       (SELECT count(*) FROM row) - count(*) AS same,
       (SELECT count(*) FROM place p WHERE NOT EXISTS (SELECT FROM row WHERE row.id = p.id))
         AS absent
  FROM put
"""


class OpenDataRows:
    """Implements the port of the open data on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def import_open_data(self, data: OpenData, *, actor: str) -> Mapping[str, ImportCount]:
        """Write communes and places; idempotent on their keys, one transaction."""
        centroids = {row.commune: row for row in data.centroids}
        communes = [_commune_json(row, centroids.get(row.code)) for row in data.communes]
        places = [_place_json(row) for row in data.places]
        with self._database.transaction() as connection:
            counts = {
                "communes": _put(connection, _PUT_COMMUNES, communes),
                "places": _put(connection, _PUT_PLACES, places),
            }
            if any(count.created or count.changed for count in counts.values()):
                totals = {name: [count.created, count.changed] for name, count in counts.items()}
                note_revision(connection, actor=actor, changes={"open_data": totals})
        return counts


def _put(
    connection: Connection, sql: LiteralString, rows: Sequence[Mapping[str, Any]]
) -> ImportCount:
    row = connection.execute(sql, (json.dumps(rows),)).fetchone()
    return ImportCount(**(row or {}))


def _commune_json(row: CommuneRow, centroid: CentroidRow | None) -> dict[str, Any]:
    members = ("code", "name", "link", "department", "population", "postal_codes", "former_codes")
    return {
        **_members(row, members),
        "latitude": centroid and centroid.lat,
        "longitude": centroid and centroid.lon,
        **_common(row, _COMMUNE_DETAILS),
    }


def _place_json(row: PlaceRow) -> dict[str, Any]:
    members = (
        "id",
        "kind",
        "name",
        "commune",
        "address",
        "postal_code",
        "weekly_hours",
        "is_public",
    )
    return {
        **_members(row, members),
        "latitude": row.lat,
        "longitude": row.lon,
        "is_approximate": row.approximate,
        **_common(row, _PLACE_DETAILS),
    }


def _common(row: CommuneRow | PlaceRow, details: Iterable[str]) -> dict[str, Any]:
    dated = row.source_date.isoformat() if row.source_date else UNDATED
    return {"details": _members(row, details), "source": row.source, "source_date": dated}


def _members(row: object, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
