"""Queues that RabbitMQ lists and that do not work, after a kill soon after they were declared.

Who mends them runs in a patched process, as in production: only there can a wait for an answer end.
"""

import json
import subprocess
import sys
from pathlib import Path

import gevent
import pytest

from orchestrator.broker import stillborn
from orchestrator.broker.connection import Broker
from orchestrator.broker.topology import JOURNEY_EXCHANGE, JOURNEY_QUEUE, WAKE_KEY, declare
from tests.plugins.requirements import require
from tools.rabbitmq import Cluster, programs

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(240)]
ROOT = Path(__file__).parents[3]
HURRY = {
    "_FIRST_LOOK_SECONDS": 1.0,
    "_AGAIN_SECONDS": 0.5,
    "_ANSWER_SECONDS": 2.0,
    "_SILENT_SECONDS": 4.0,
}
PROGRAM = """
from gevent import monkey
monkey.patch_all()
import json, sys
import gevent
from orchestrator.broker import stillborn
from orchestrator.broker.connection import Broker
from orchestrator.broker.publisher import ConfirmedPublisher
from orchestrator.broker.topology import QUEUES
from orchestrator.broker.waker import BrokerWaker
from orchestrator.services.ports.publishing import WAKE, OutboxRow
from orchestrator.services.ports.waking import WakesAwayError
from schemas import clock, ids
from schemas.errors import BrokerUnavailableError

url, hurry = sys.argv[1], json.loads(sys.argv[2])
vars(stillborn).update(hurry)

def faults():
    looking = stillborn.StillbornQueues(Broker(url))
    return {queue.name: looking._fault(queue.name) for queue in QUEUES}

def row(number, topic):
    return OutboxRow(id=number, topic=topic, key=ids.uuid7(), event_id=str(ids.uuid7()),
                     payload=None, created_at=clock.utcnow())

def published(publisher, left):
    try:
        sent = publisher.send(left)
    except BrokerUnavailableError:
        return left
    return [each for each in left if each.id not in sent.confirmed]

def taken(waker):
    try:
        return len(waker.take(10)) if waker.acquire() else 0
    except WakesAwayError:
        return 0

before = faults()
waker = BrokerWaker(Broker(url), prefetch=10, store_answers=lambda: True, on_lost=list)
publisher = ConfirmedPublisher(Broker(url), on_lost=list, deadline=3.0)
left, wakes = [row(1, WAKE), row(2, "nobody.listens.v1")], 0
for _ in range(200):
    left = published(publisher, left) if left else []
    wakes += taken(waker)
    if wakes and not left:
        break
    gevent.sleep(0.2)
print(json.dumps({"before": before, "left": len(left), "wakes": wakes, "after": faults()}))
"""


@pytest.fixture
def node(tmp_path):
    """A node of this test's own."""
    if programs() is None:
        require("RabbitMQ", "les essais du bus", "apt-get install rabbitmq-server")
    cluster = Cluster(tmp_path)
    cluster.start()
    yield cluster.nodes[0]
    cluster.stop()


def killed_while_declaring(node):
    """Declare all of ours, the queue of wakes a second time, and kill the node at once."""
    link = Broker(node.url).open("test")
    declare(link, on_lost=list)
    link.channel().queue_delete(JOURNEY_QUEUE)
    declare(link, on_lost=list)
    node.kill()
    link.abort()
    node.start()


def carried_on(node):
    """Run a relay's and a worker's side in a process until all came through."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, node.url, json.dumps(HURRY)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        timeout=120,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_queues_that_a_kill_left_behind_are_declared_anew(node):
    seen = set()
    for _ in range(6):
        killed_while_declaring(node)
        told = carried_on(node)
        assert told["left"] == 0 < told["wakes"], told
        assert set(told["after"].values()) == {None}, told
        seen |= set(told["before"].values())
        if {"unborn", "silent"} <= seen:
            return
    pytest.fail(f"the node came back well each time: {seen}")


def test_queues_that_work_are_left_alone(rabbitmq, broker_url, monkeypatch):
    for name, seconds in HURRY.items():
        monkeypatch.setattr(stillborn, name, seconds)
    link = Broker(broker_url).open("test")
    declare(link, on_lost=list)
    channel = link.channel()
    channel.basic_publish(channel.prepare_message(b"kept"), JOURNEY_EXCHANGE, WAKE_KEY)
    looking = stillborn.StillbornQueues(Broker(broker_url))
    for _ in range(20):
        looking.suspected()
        gevent.sleep(0.3)
    assert channel.basic_get(JOURNEY_QUEUE).body == b"kept"
    link.abort()
