import _socket
import os
import secrets
import tempfile
from pathlib import Path

import psycopg
import pytest

from orchestrator.store import migrate
from orchestrator.store.connections import Database
from orchestrator.store.vault import Vault
from parvis.embedded_postgres import EmbeddedPostgres
from schemas.keys import HubKeys

pytest_plugins = ["tests.plugins.requirements"]

MASTER_KEY = bytes(range(32))


@pytest.fixture(scope="session")
def postgres_url():
    """The server of this run: the one given, or the wheel's."""
    given = os.environ.get("PARVIS_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="parvis-test-") as folder:
        server = EmbeddedPostgres(
            Path(folder) / "postgres",
            settings={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"},
            port=_free_port(),
        )
        server.start()
        yield server.url
        server.stop()


@pytest.fixture(scope="session")
def template_database(postgres_url):
    """A database with every migration applied, to copy from."""
    name = f"parvis_template_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
        )
    migrate.upgrade(_with_database(postgres_url, name))
    return name


@pytest.fixture
def database_url(postgres_url, template_database):
    """The address of a fresh, migrated, empty database."""
    name = f"parvis_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template_database}")
        yield _with_database(postgres_url, name)
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def database(database_url):
    """The store's view of a fresh database."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def vault():
    return Vault([MASTER_KEY])


@pytest.fixture(scope="session")
def hub_keys():
    return HubKeys.derive(MASTER_KEY)


def _with_database(url, name):
    return url.rpartition("/")[0] + "/" + name


def _free_port():
    """A free port, asked below the layer that keeps tests from the network."""
    probe = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
    probe.close()
    return port
