import secrets
import tempfile
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import structlog

from parvis import logs as product_logs
from schemas import clock
from tests.reliability.ground import Ground
from tests.reliability.play import Logs


@pytest.fixture(scope="session")
def ground(servers):
    """The city in a database of this session's own."""
    name, template, url = (
        f"parvis_{secrets.token_hex(6)}",
        servers.template("18"),
        servers.url("18"),
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    with tempfile.TemporaryDirectory(prefix="parvis-campaign-") as folder:
        made = Ground(url=url.rpartition("/")[0] + "/" + name, folder=Path(folder)).prepare()
        yield made
        made.close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def logs():
    """What the product writes while a campaign runs, as it would write it."""
    kept = Logs()
    product_logs.configure(stream=kept.stream)
    yield kept
    structlog.reset_defaults()
    clock.turn(timedelta())
