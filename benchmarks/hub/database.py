"""The product's database for a measure: migrated, a city of stub systems, people who agreed, a past.

A measure never starts on empty tables: the server would plan its statements for them.
"""

import base64
import json
import secrets
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.hub.city import OFFICES, PEOPLE, SYSTEMS, person_of
from orchestrator.store import migrate
from orchestrator.store.connections import Database
from orchestrator.store.consent import ConsentRows
from orchestrator.store.partitions import make_ahead

PURPOSE: Final = "library.preregistration"
_PEOPLE: Final = """
WITH who AS (SELECT id, 'bench-' || n AS reference
               FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS t(id, n)),
     c AS (INSERT INTO citizen(id, state) SELECT id, 'announced' FROM who),
     p AS (INSERT INTO pseudonym(citizen_id, service, pseudonym)
           SELECT id, 'journal', reference FROM who)
INSERT INTO consent_record(record_id, subject_ref, controller, purposes, recipients, notice_version,
       notice_sha256, locale, ui_evidence, collected_by, event_type, event_time)
SELECT gen_random_uuid(), reference, 'ville', ARRAY[%(purpose)s], '{}', '1', '', 'fr', '{}',
       '/partners/bench', 'given', now() - interval '1 day' FROM who"""


def prepare(url: str, *, partner_url: str, path: str = "fast", read_timeout: str = "10s") -> None:
    """Migrate a database and lay out the city; ``path`` names how fast its offices answer."""
    migrate.upgrade(url)
    database = Database(url)
    ConsentRows(database).seed()
    make_ahead(database)
    database.close()
    with psycopg.connect(url, autocommit=True) as connection:
        people = [person_of(number) for number in range(PEOPLE)]
        connection.execute(_PEOPLE, {"ids": people, "purpose": PURPOSE})
        for name in (*OFFICES, *SYSTEMS):
            way = name if name in SYSTEMS else path
            settings = {
                "base_url": f"{partner_url}/{way}",
                "allow_private": True,
                "read_timeout": read_timeout,
            }
            connection.execute(
                "INSERT INTO profile(id, connector, settings) VALUES (%s, 'bench_city', %s)",
                (name, json.dumps(settings)),
            )
            connection.execute(
                "INSERT INTO service(id, kind, name) VALUES (%s, 'library', %s)", (name, name)
            )
            connection.execute(
                "INSERT INTO binding(service_id, profile_id, settings) VALUES (%s, %s, '{}')",
                (name, name),
            )
        _note_revision(connection)


def use_path(url: str, *, partner_url: str, path: str, read_timeout: str = "10s") -> None:
    """Let the offices answer another way; running processes read it within a second."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "UPDATE profile SET settings = settings || %s::jsonb WHERE id = ANY(%s)",
            (
                json.dumps({"base_url": f"{partner_url}/{path}", "read_timeout": read_timeout}),
                list(OFFICES),
            ),
        )
        _note_revision(connection)


def settings_of(folder: Path, url: str) -> dict[str, str]:
    """Return the environment of the product's processes, with keys made once for the folder."""
    for name, value in (
        ("master", base64.b64encode(secrets.token_bytes(32)).decode()),
        ("cookies", secrets.token_hex(32)),
    ):
        path = folder / name
        if not path.exists():
            path.write_text(value)
            path.chmod(0o600)
    return {
        "PARVIS_MODE": "demo",
        "PARVIS_DATABASE_URL": url,
        "PARVIS_MASTER_KEY_FILE": str(folder / "master"),
        "PARVIS_SECRET_KEY_FILE": str(folder / "cookies"),
        "PARVIS_PUBLIC_URL": "http://127.0.0.1:8000",
        "PARVIS_DATA_DIR": str(folder),
    }


def _note_revision(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    connection.execute(
        "INSERT INTO config_revision(actor, document, digest, changes)"
        " VALUES ('bench', '{}', '', '{}')"
    )
