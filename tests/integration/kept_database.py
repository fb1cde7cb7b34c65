"""One database for many tests of a run, emptied after each: a fresh one costs more than most tests."""

import secrets

import psycopg
import pytest

from orchestrator.store.connections import Database

TABLES = (
    *("run", "step", "signal", "outbox", "exchange", "message", "inbox", "data_key", "dead_letter"),
    *("human_task", "replay_item", "replay", "access_code", "preregistration"),
)


@pytest.fixture(scope="session")
def kept(servers):
    """The addresses of the databases made so far, by version of PostgreSQL."""
    made = {}
    yield made
    for url in made.values():
        server, _, name = url.rpartition("/")
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def database_url(servers, kept, postgres_version):
    """The address of a migrated database without rows (instead of a fresh one)."""
    if postgres_version not in kept:
        name, template = f"parvis_{secrets.token_hex(6)}", servers.template(postgres_version)
        url = servers.url(postgres_version)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        kept[postgres_version] = f"{url.rpartition('/')[0]}/{name}"
    yield kept[postgres_version]
    database = Database(kept[postgres_version])
    database.run("; ".join(f"DELETE FROM {table}" for table in TABLES))
    database.close()
