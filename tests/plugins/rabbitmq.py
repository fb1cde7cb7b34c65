"""A RabbitMQ of this test session's own, each test with a vhost of its own."""

import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.plugins.requirements import require
from tools.rabbitmq import Cluster, programs

MOST_VHOSTS = 40


@pytest.fixture(scope="session")
def rabbitmq():
    """The session's cluster of one node."""
    if programs() is None:
        require("RabbitMQ", "les essais du bus", "apt-get install rabbitmq-server")
    with tempfile.TemporaryDirectory(prefix="parvis-bus-", ignore_cleanup_errors=True) as folder:
        vhosts = [f"v{number}" for number in range(MOST_VHOSTS)]
        cluster = Cluster(Path(folder), vhosts=vhosts)
        cluster.unused = iter(vhosts)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture
def broker_url(rabbitmq):
    """The address of a vhost nobody has used yet."""
    return rabbitmq.url + quote(next(rabbitmq.unused))
