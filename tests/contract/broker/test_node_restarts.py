"""A node that is killed and comes back: what was confirmed is there, everybody reconnects alone."""

import gevent
import pytest

from orchestrator.broker.connection import Broker
from orchestrator.broker.publisher import ConfirmedPublisher
from orchestrator.broker.waker import BrokerWaker
from orchestrator.runtime.relay import Relay
from orchestrator.runtime.worker import Worker
from orchestrator.store.outbox import Outbox
from parvis.metrics import Meter
from schemas import ids
from tests.contract.broker.bus import until
from tests.plugins.requirements import require
from tools.rabbitmq import Cluster, programs

pytestmark = [pytest.mark.rabbitmq, pytest.mark.postgres, pytest.mark.timeout(150)]


class Executor:
    """Counts what it is given; every run takes a moment."""

    def __init__(self):
        self.seen = []

    def execute(self, run_id, *, redelivered, until):
        gevent.sleep(0.01)
        self.seen.append(run_id)
        return True


@pytest.fixture
def cluster(tmp_path):
    """Nodes of this test's own."""
    if programs() is None:
        require("RabbitMQ", "les essais du bus", "apt-get install rabbitmq-server")
    made = []

    def start(nodes):
        made.append(Cluster(tmp_path, nodes=nodes))
        made[-1].start()
        return made[-1]

    yield start
    for one in made:
        one.stop()


def hub_on(url, database):
    executor = Executor()
    waker = BrokerWaker(Broker(url), prefetch=20, store_answers=lambda: True, on_lost=list)
    worker = Worker(waker=waker, executor=executor, greenlets=10)
    relay = Relay(
        outbox=Outbox(database),
        publisher=ConfirmedPublisher(Broker(url), on_lost=list, deadline=3.0),
        meter=Meter(),
    )
    return executor, worker, relay


def run_through(database, url, kill):
    """Send 600 wakes, break something after a third of them; returns what was executed and sent."""
    executor, worker, relay = hub_on(url, database)
    loops = [gevent.spawn(worker.run), gevent.spawn(relay.run)]
    runs = [ids.uuid7() for _ in range(600)]
    for run_id in runs[:200]:
        database.run("INSERT INTO outbox(topic, key) VALUES ('wake', %s)", (run_id,))
    until(lambda: len(executor.seen) > 100, "nothing is executed", seconds=15)
    kill()
    for run_id in runs[200:]:
        database.run("INSERT INTO outbox(topic, key) VALUES ('wake', %s)", (run_id,))
    until(lambda: set(executor.seen) == set(runs), "runs were lost", seconds=60)
    worker.stop(grace_seconds=2)
    relay.stop()
    gevent.joinall(loops, timeout=5)
    return executor.seen, runs


def test_a_node_killed_and_started_again_loses_no_wake(rabbitmq, broker_url, database):
    node = rabbitmq.nodes[0]

    def kill():
        node.kill()
        node.start(wait=0)

    seen, runs = run_through(database, broker_url, kill)

    assert set(seen) == set(runs)
    assert database.one("SELECT count(*) AS n FROM outbox")["n"] == 0


@pytest.mark.slow
def test_a_cluster_of_three_goes_on_without_the_node_we_spoke_to(cluster, database):
    made = cluster(3)
    assert all(f"{node.name}" in made.nodes[0].control("cluster_status") for node in made.nodes)

    seen, runs = run_through(database, made.url, made.nodes[0].kill)

    assert set(seen) == set(runs)
    assert database.one("SELECT count(*) AS n FROM outbox")["n"] == 0
