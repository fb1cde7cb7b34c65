"""A RabbitMQ of this test session's own; each test has a vhost to itself, wiped afterwards."""

import tempfile
from collections import deque
from pathlib import Path

import pytest

from orchestrator.broker.connection import Broker
from orchestrator.broker.topology import EXCHANGES, QUEUES
from tests.plugins.requirements import require
from tools.rabbitmq import Cluster, programs

VHOSTS = 12
OTHERS_QUEUE = "city.system"  # what tests bind as another system of the city would


class Bus(Cluster):
    """One node with vhosts to lend."""

    def __init__(self, folder):
        vhosts = [f"v{number}" for number in range(VHOSTS)]
        super().__init__(folder, vhosts=vhosts)
        self.free = deque(vhosts)
        self.spent = set()


def pytest_collection_modifyitems(items):
    """The first test that asks waits for the node's start, which a busy machine draws out."""
    for item in items:
        asks = "rabbitmq" in getattr(item, "fixturenames", ())
        if asks and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(90))


@pytest.fixture(scope="session")
def rabbitmq():
    """The session's node."""
    if programs() is None:
        require("RabbitMQ", "les essais du bus", "apt-get install rabbitmq-server")
    with tempfile.TemporaryDirectory(prefix="parvis-bus-", ignore_cleanup_errors=True) as folder:
        bus = Bus(Path(folder))
        try:
            bus.start()
            yield bus
        finally:
            bus.stop()


@pytest.fixture
def broker_url(rabbitmq):
    """The address of an empty vhost."""
    vhost = rabbitmq.free.popleft()
    url = rabbitmq.url + vhost
    yield url
    if url not in rabbitmq.spent:
        _wipe(url)
        rabbitmq.free.append(vhost)


def _wipe(url):
    link = Broker(url).open("wipe")
    channel = link.channel()
    for name in (*(queue.name for queue in QUEUES), OTHERS_QUEUE):
        channel.queue_delete(name)
    for exchange in EXCHANGES:
        channel.exchange_delete(exchange.name)
    link.close()
