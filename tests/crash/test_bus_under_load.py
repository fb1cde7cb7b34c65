"""R1, R3, R4 on RabbitMQ: two workers, two relays, two schedulers; nodes killed, queues wiped."""

import itertools
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.crash.campaign import campaign, shuffled
from tests.plugins.requirements import require
from tools.rabbitmq import Cluster, programs

pytestmark = [pytest.mark.journey, pytest.mark.postgres, pytest.mark.rabbitmq]
VHOSTS = [f"campaign{number}" for number in range(4)]
QUEUE = "parvis.journey.v1"


class Bus:
    """A RabbitMQ of these campaigns' own, whose nodes may be killed and whose queues may be wiped."""

    def __init__(self, folder: Path, *, nodes: int) -> None:
        self.cluster = Cluster(folder, nodes=nodes, vhosts=VHOSTS)
        self.cluster.start()
        self._unused = iter(VHOSTS)
        self.vhost = ""

    def url(self) -> str:
        self.vhost = next(self._unused)
        return ";".join(node.url + quote(self.vhost) for node in self.cluster.nodes)

    def kill_node(self, number: int = 0) -> None:
        node = self.cluster.nodes[number % len(self.cluster.nodes)]
        node.kill()
        node.start(wait=0)

    def wipe(self) -> None:
        node = self.cluster.nodes[0]
        if node.speaks():
            node.control("delete_queue", "-p", self.vhost, QUEUE)


@pytest.fixture(scope="module")
def buses():
    if programs() is None:
        require("RabbitMQ", "les essais du bus", "apt-get install rabbitmq-server")
    with tempfile.TemporaryDirectory(prefix="parvis-bus-", ignore_cleanup_errors=True) as folder:
        made = []

        def build(nodes):
            made.append(Bus(Path(folder) / f"bus{len(made)}", nodes=nodes))
            return made[-1]

        yield build
        for bus in made:
            bus.cluster.stop()


@pytest.mark.timeout(420)
def test_nothing_is_lost_when_the_bus_and_all_around_it_are_killed_or_wiped(town, buses, seed):
    bus = buses(1)
    place = town(broker_url=bus.url())
    accidents = shuffled(
        seed,
        (2, lambda: place.kill("web")),
        (2, lambda: place.kill("worker")),
        (2, lambda: place.kill("worker2")),
        (2, lambda: place.kill("relay")),
        (1, lambda: place.kill("relay2")),
        (1, lambda: place.kill("scheduler")),
        (1, lambda: place.kill("postgres")),
        (1, bus.kill_node),
        (1, bus.wipe),
    )

    report = campaign(
        place,
        name="bus",
        seed=seed,
        events=400,
        per_second=35,
        accidents=accidents,
        every_seconds=1.0,
    )

    assert report.is_clean
    assert report.ok == report.acknowledged == report.attempt


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_nothing_is_lost_on_three_nodes_for_long(town, buses, seed):
    bus = buses(3)
    place = town(broker_url=bus.url())
    numbers = itertools.count()
    accidents = shuffled(
        seed,
        (40, lambda: place.kill("web")),
        (40, lambda: place.kill("worker")),
        (40, lambda: place.kill("worker2")),
        (30, lambda: place.kill("relay")),
        (20, lambda: place.kill("scheduler")),
        (30, lambda: place.kill("postgres")),
        (30, lambda: bus.kill_node(next(numbers))),
        (4, bus.wipe),
    )

    report = campaign(
        place,
        name="bus_long",
        seed=seed,
        events=10_000,
        drained_seconds=900,
        per_second=40,
        accidents=accidents,
        every_seconds=1.2,
    )

    assert report.is_clean
    assert report.ok == report.acknowledged == report.attempt
