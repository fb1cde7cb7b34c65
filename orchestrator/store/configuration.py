"""The rows of the city's configuration: read as entries, written as one revision.

Partners and placements are written here too, because a configuration is applied as a whole or not at
all.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from orchestrator.services.configuration_entries import CITY, POLICIES
from orchestrator.services.ports.offer import CityState, Entry, EntryKey, KnownData, Writing
from orchestrator.store.connections import Connection, Database
from schemas.errors import ConflictError

_LOCK: Final = 7_270_931
_MOVED: Final = "The configuration changed meanwhile: plan again."
_ENTRIES: Final = """
SELECT 'territory' AS kind, id AS name, jsonb_build_object('communes', communes) AS entry
  FROM territory WHERE retired_at IS NULL
UNION ALL
SELECT 'profile', id, jsonb_build_object('connector', connector, 'settings', settings)
  FROM profile WHERE retired_at IS NULL
UNION ALL
SELECT 'service', s.id, jsonb_build_object('kind', s.kind, 'name', s.name, 'territory', s.territory,
       'place', s.place_id, 'min_level', s.min_level, 'profile', b.profile_id, 'binding', b.settings)
  FROM service s JOIN binding b ON b.service_id = s.id WHERE s.retired_at IS NULL
UNION ALL
SELECT 'partner', id, jsonb_build_object('name', name, 'allowed_events', allowed_events,
       'territories', territories, 'handover', handover)
  FROM partner WHERE retired_at IS NULL
UNION ALL
SELECT 'partner_key', partner_id || '/' || key_id, jsonb_build_object('scheme', scheme, 'secret',
       CASE WHEN secret_name IS NOT NULL THEN jsonb_build_object('secret', secret_name) END,
       'public_key', public_key)
  FROM partner_key WHERE retired_at IS NULL
"""
_PLACEMENTS: Final = """
SELECT token, poster, place_name, commune, partner_id AS partner, campaign, status, valid_until
  FROM placement WHERE revoked_at IS NULL
"""
_LAST: Final = "SELECT id, document FROM config_revision ORDER BY id DESC LIMIT 1"


class ConfigurationRows:
    """Implements the port of the configuration on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def state(self) -> CityState:
        """Return the configuration in force."""
        with self._database.transaction() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            return _state(connection)

    def known_data(self) -> KnownData:
        """Return the codes of communes and places that the open data brought."""
        communes = self._database.all("SELECT code FROM commune")
        places = self._database.all("SELECT id, kind FROM place")
        return KnownData(
            communes=frozenset(row["code"] for row in communes),
            places={row["id"]: row["kind"] for row in places},
        )

    def write(self, writing: Writing) -> int:
        """Write everything or nothing; raises ConflictError when the ground moved."""
        with self._database.transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            last = connection.execute(_LAST).fetchone()
            if (last["id"] if last else 0) != writing.revision:
                raise ConflictError(_MOVED)
            zone = _zone(writing.document.get("city"))
            for (kind, name), entry in writing.put.items():
                if kind in _WRITERS:
                    _WRITERS[kind](connection, name, _with_moment(kind, entry, zone))
            for kind, name in writing.retire:
                _retire(connection, kind, name)
            return add_revision(
                connection,
                actor=writing.actor,
                document=writing.document,
                changes=writing.changes,
            )


def add_revision(
    connection: Connection,
    *,
    actor: str,
    document: Mapping[str, Any],
    changes: Mapping[str, Any],
) -> int:
    """Add a revision: every process reloads what it knows of the city within a second or two."""
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).digest()
    row = connection.execute(
        "INSERT INTO config_revision(actor, document, digest, changes)"
        " VALUES (%s, %s, %s, %s) RETURNING id",
        (actor, Jsonb(document), digest, Jsonb(changes)),
    ).fetchone()
    assert row is not None  # noqa: S101 - INSERT RETURNING gives one row
    return int(row["id"])


def note_revision(connection: Connection, *, actor: str, changes: Mapping[str, Any]) -> int:
    """Add a revision with the same document: something beside the file changed (data, a secret)."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    last = connection.execute(_LAST).fetchone()
    document = last["document"] if last else {}
    return add_revision(connection, actor=actor, document=document, changes=changes)


def _state(connection: Connection) -> CityState:
    last = connection.execute(_LAST).fetchone()
    document = last["document"] if last else {}
    entries: dict[EntryKey, Entry] = {}
    if document.get("city"):
        entries[CITY] = {"domain": None, **document["city"]}
    if document.get("policies"):
        entries[POLICIES] = {
            "retry": None,
            "profiles": {},
            "quiet_hours": {},
            **document["policies"],
        }
    for row in connection.execute(_ENTRIES):
        entries[row["kind"], row["name"]] = row["entry"]
    zone = _zone(document.get("city"))
    for row in connection.execute(_PLACEMENTS):
        token = row.pop("token")
        entries["placement", token] = _placement(row, zone)
    return CityState(revision=last["id"] if last else 0, entries=entries)


def _zone(city: Mapping[str, Any] | None) -> ZoneInfo:
    return ZoneInfo((city or {}).get("timezone", "Europe/Paris"))


def _placement(row: DictRow, zone: ZoneInfo) -> Entry:
    """Return a placement as written in the file: its last day, in the city's time."""
    until = row["valid_until"]
    last_day = until and (until.astimezone(zone).date() - timedelta(days=1)).isoformat()
    return {**row, "valid_until": last_day}


def _with_moment(kind: str, entry: Entry, zone: ZoneInfo) -> Entry:
    """Return the entry with the moment its last day is over."""
    if kind != "placement" or entry["valid_until"] is None:
        return entry
    after = datetime.fromisoformat(entry["valid_until"]).date() + timedelta(days=1)
    return {**entry, "valid_until": datetime.combine(after, time(), zone)}


def _put_territory(connection: Connection, name: str, entry: Entry) -> None:
    connection.execute(
        "INSERT INTO territory(id, communes) VALUES (%(id)s, %(communes)s)"
        " ON CONFLICT (id) DO UPDATE SET communes = excluded.communes, retired_at = NULL",
        {"id": name, **entry},
    )


def _put_profile(connection: Connection, name: str, entry: Entry) -> None:
    connection.execute(
        "INSERT INTO profile(id, connector, settings) VALUES (%(id)s, %(connector)s, %(settings)s)"
        " ON CONFLICT (id) DO UPDATE SET connector = excluded.connector,"
        " settings = excluded.settings, retired_at = NULL,"
        " state = CASE profile.state WHEN 'retired' THEN 'live' ELSE profile.state END",
        {"id": name, "connector": entry["connector"], "settings": Jsonb(entry["settings"])},
    )


def _put_service(connection: Connection, name: str, entry: Entry) -> None:
    connection.execute(
        "INSERT INTO service(id, kind, name, territory, place_id, min_level)"
        " VALUES (%(id)s, %(kind)s, %(name)s, %(territory)s, %(place)s, %(min_level)s)"
        " ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, name = excluded.name,"
        " territory = excluded.territory, place_id = excluded.place_id,"
        " min_level = excluded.min_level, retired_at = NULL",
        {**entry, "id": name, "binding": None},
    )
    connection.execute(
        "INSERT INTO binding(service_id, profile_id, settings) VALUES (%s, %s, %s)"
        " ON CONFLICT (service_id) DO UPDATE SET profile_id = excluded.profile_id,"
        " settings = excluded.settings",
        (name, entry["profile"], Jsonb(entry["binding"])),
    )


def _put_partner(connection: Connection, name: str, entry: Entry) -> None:
    connection.execute(
        "INSERT INTO partner(id, name, allowed_events, territories, handover)"
        " VALUES (%(id)s, %(name)s, %(allowed_events)s, %(territories)s, %(handover)s)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
        " allowed_events = excluded.allowed_events, territories = excluded.territories,"
        " handover = excluded.handover, retired_at = NULL",
        {**entry, "id": name},
    )


def _put_partner_key(connection: Connection, name: str, entry: Entry) -> None:
    partner, _, key = name.partition("/")
    secret = entry["secret"] and entry["secret"]["secret"]
    connection.execute(
        "INSERT INTO partner_key(partner_id, key_id, scheme, secret_name, public_key)"
        " VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (partner_id, key_id) DO UPDATE SET scheme = excluded.scheme,"
        " secret_name = excluded.secret_name, public_key = excluded.public_key, retired_at = NULL",
        (partner, key, entry["scheme"], secret, entry["public_key"]),
    )


def _put_placement(connection: Connection, token: str, entry: Entry) -> None:
    connection.execute(
        "INSERT INTO placement(token, poster, place_name, commune, partner_id, campaign, status,"
        " valid_until) VALUES (%(token)s, %(poster)s, %(place_name)s, %(commune)s, %(partner)s,"
        " %(campaign)s, %(status)s, %(valid_until)s)"
        " ON CONFLICT (token) DO UPDATE SET poster = excluded.poster,"
        " place_name = excluded.place_name, commune = excluded.commune,"
        " partner_id = excluded.partner_id, campaign = excluded.campaign,"
        " status = excluded.status, valid_until = excluded.valid_until, revoked_at = NULL",
        {**entry, "token": token},
    )


_WRITERS: Final[Mapping[str, Callable[[Connection, str, Entry], None]]] = {
    "territory": _put_territory,
    "profile": _put_profile,
    "service": _put_service,
    "partner": _put_partner,
    "partner_key": _put_partner_key,
    "placement": _put_placement,
}


def _retire(connection: Connection, kind: str, name: str) -> None:
    match kind:
        case "territory":
            connection.execute(
                "UPDATE territory SET retired_at = parvis_now() WHERE id = %s", (name,)
            )
        case "profile":
            connection.execute(
                "UPDATE profile SET retired_at = parvis_now(), state = 'retired' WHERE id = %s",
                (name,),
            )
        case "service":
            connection.execute(
                "UPDATE service SET retired_at = parvis_now() WHERE id = %s", (name,)
            )
        case "partner":
            connection.execute(
                "UPDATE partner SET retired_at = parvis_now() WHERE id = %s", (name,)
            )
        case "partner_key":
            connection.execute(
                "UPDATE partner_key SET retired_at = parvis_now()"
                " WHERE partner_id = %s AND key_id = %s",
                (name.partition("/")[0], name.partition("/")[2]),
            )
        case "placement":
            connection.execute(
                "UPDATE placement SET revoked_at = parvis_now(), status = 'withdrawn'"
                " WHERE token = %s",
                (name,),
            )
