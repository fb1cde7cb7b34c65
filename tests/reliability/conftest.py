import secrets
import tempfile
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from parvis import logs as product_logs
from schemas import clock
from tests.reliability.ground import Ground
from tests.reliability.play import Logs


@pytest.fixture(scope="session")
def city_database(servers):
    """The address of a database with the city in it, to be copied: nobody stays connected to it."""
    with _copied(servers.url("18"), servers.template("18")) as url:
        with tempfile.TemporaryDirectory(prefix="parvis-campaign-") as folder:
            Ground(url=url, folder=Path(folder)).prepare()
        yield url


@pytest.fixture(scope="session")
def ground(servers, city_database):
    """The city in a database of this session's own."""
    with (
        _copied(servers.url("18"), city_database.rpartition("/")[2]) as url,
        tempfile.TemporaryDirectory(prefix="parvis-campaign-") as folder,
    ):
        made = Ground(url=url, folder=Path(folder))
        yield made
        made.close()


@contextmanager
def _copied(server, template):
    name = f"parvis_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.rpartition("/")[0] + "/" + name
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def logs(own_logging):
    """What the product writes while a campaign runs, as it would write it."""
    kept = Logs()
    product_logs.configure(stream=kept.stream)
    yield kept
    clock.turn(timedelta())
