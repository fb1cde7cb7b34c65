import _socket
import os
import secrets
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from orchestrator.store import migrate
from orchestrator.store.connections import Database
from orchestrator.store.vault import Vault
from parvis.embedded_postgres import EmbeddedPostgres
from schemas.keys import HubKeys

pytest_plugins = [
    "tests.plugins.requirements",
    "tests.plugins.rabbitmq",
    "tests.plugins.keycloak",
    "tests.plugins.hub",
    "tests.plugins.quiet_logs",
]

settings.register_profile("any machine", deadline=None)  # a slow one proves nothing
settings.load_profile("any machine")
MASTER_KEY = bytes(range(32))
ROOM_BYTES = 4 * 1024**3


class Servers:
    """The PostgreSQL servers of this run, each started when first asked for."""

    def __init__(self, folder):
        self._folder = folder
        self._running = {}
        self._templates = {}

    def url(self, version):
        """The given server's address, else the wheel's 18 or Debian's 15 of our own."""
        given = os.environ.get("PARVIS_TEST_DATABASE_URL")
        if given:
            return given
        if version not in self._running:
            server = EmbeddedPostgres(
                self._folder / version,
                settings={
                    "fsync": "off",
                    "synchronous_commit": "off",
                    "full_page_writes": "off",
                    "max_connections": "200",  # campaigns keep theirs from test to test
                },
                port=_free_port(),
                programs=_debian_15() if version == "15" else None,
            )
            server.start()
            self._running[version] = server
        return self._running[version].url

    def template(self, version):
        """A database with every migration applied, to copy from."""
        if version not in self._templates:
            name, url = f"parvis_template_{secrets.token_hex(4)}", self.url(version)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(
                    f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
                )
            migrate.upgrade(_with_database(url, name))
            self._templates[version] = name
        return self._templates[version]

    def stop(self):
        for server in self._running.values():
            server.stop()


def pytest_generate_tests(metafunc):
    """Tests of the store run on both servers a city may have; those that need Keycloak too, on one."""
    both = "integration" in metafunc.definition.path.parts
    both = both and "keycloak" not in metafunc.fixturenames
    if both and "postgres_version" in metafunc.fixturenames:
        metafunc.parametrize("postgres_version", ["18", "15"])


@pytest.fixture(scope="session")
def servers():
    with tempfile.TemporaryDirectory(prefix="parvis-test-", dir=_memory()) as folder:
        running = Servers(Path(folder))
        yield running
        running.stop()


@pytest.fixture
def postgres_version():
    return "18"


@pytest.fixture(scope="session")
def fresh_database(servers):
    """Make a fresh, migrated, empty database that lives as long as a block; its address."""

    @contextmanager
    def made(version="18"):
        name, template = f"parvis_{secrets.token_hex(6)}", servers.template(version)
        url = servers.url(version)
        with psycopg.connect(url, autocommit=True) as connection:
            # files copied: a third of the time that writing every page to the log takes
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
            yield _with_database(url, name)
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    return made


@pytest.fixture
def database_url(fresh_database, postgres_version):
    """The address of a fresh, migrated, empty database."""
    with fresh_database(postgres_version) as url:
        yield url


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


def _memory():
    """Where files live in memory, if there is room: databases are made and dropped by the hundred."""
    memory = Path("/dev/shm")  # noqa: S108 - the folder made in it has a name of its own
    if memory.is_dir() and os.access(memory, os.W_OK):
        return memory if shutil.disk_usage(memory).free > ROOM_BYTES else None
    return None


def _with_database(url, name):
    return url.rpartition("/")[0] + "/" + name


def _free_port():
    """A free port, asked below the layer that keeps tests from the network."""
    probe = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
    probe.close()
    return port


def _debian_15():
    from tests.plugins.requirements import postgresql_15

    return postgresql_15()
