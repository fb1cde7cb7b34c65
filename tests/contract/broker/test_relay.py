"""From the outbox to the bus: confirmed is deleted, refused and doubted stay."""

import json
import time
from types import SimpleNamespace

import gevent
import psycopg
import pytest

from orchestrator.broker.connection import Broker
from orchestrator.broker.publisher import ConfirmedPublisher
from orchestrator.broker.waker import BrokerWaker
from orchestrator.runtime import relay as relaying
from orchestrator.runtime.endings import EndsTold
from orchestrator.runtime.relay import Relay
from orchestrator.runtime.worker import Worker
from orchestrator.store.figures import FigureRows
from orchestrator.store.notifier import Notifier
from orchestrator.store.outbox import Outbox
from parvis.metrics import Meter
from schemas import ids
from schemas.events.sent.run import RunEnded
from tests.contract.broker.bus import refuse_more_than, until
from tests.contract.wakers.rigs import row
from tests.fakes.running import Ground, call, choose, journey

pytestmark = [pytest.mark.rabbitmq, pytest.mark.postgres]


class Killed(BaseException):
    """What a kill -9 leaves: nothing after it is done."""


class Rig:
    """Relays in this process, each with connections of its own."""

    def __init__(self, database, url):
        self.database, self.url = database, url
        self.notifier = Notifier(database)
        self.meter = Meter()
        self._running = []

    def relay(self, fault=lambda _name: None, deadline=2.0):
        made = Relay(
            outbox=Outbox(self.database),
            publisher=ConfirmedPublisher(Broker(self.url), on_lost=list, deadline=deadline),
            meter=self.meter,
            fault=fault,
        )
        self._running.append((made, gevent.spawn(made.run)))
        return made

    def put(self, *keys, topic="wake", payload=None):
        for key in keys:
            self.database.run(
                "INSERT INTO outbox(topic, key, payload) VALUES (%s, %s, %s::jsonb)",
                (topic, key, payload),
            )
        self.notifier.poke()

    def left(self):
        return self.database.one("SELECT count(*) AS n FROM outbox")["n"]

    def becomes(self, number, seconds=8):
        until(lambda: self.left() == number, f"{self.left()} rows are left", seconds)

    def counted(self, topic, result):
        name = "parvis_outbox_relayed_total"
        return self.meter.registry.get_sample_value(name, {"topic": topic, "result": result}) or 0

    def stop(self):
        for made, greenlet in self._running:
            if not greenlet.dead:
                made.stop(grace_seconds=5)
        gevent.joinall([greenlet for _, greenlet in self._running], timeout=5)


@pytest.fixture
def rig(database, proxied_url):
    made = Rig(database, proxied_url)
    yield made
    made.stop()


def bodies(bus):
    return [message.body for message in bus.drained()]


def count_of(url):
    """How many rows are left, asked on a connection of its own."""
    with psycopg.connect(url) as other:
        return other.execute("SELECT count(*) FROM outbox").fetchone()[0]


def test_every_row_is_published_once_in_its_order_and_deleted(rig, bus):
    keys = [ids.uuid7() for _ in range(250)]
    rig.put(*keys)

    rig.relay()

    rig.becomes(0)
    assert [body.decode() for body in bodies(bus)] == [str(key) for key in keys]
    assert rig.counted("wake", "confirmed") == 250


def test_a_row_leaves_at_once_when_it_is_committed(rig, bus):
    rig.relay()
    rig.put(ids.uuid7())
    bus.becomes(1)
    gevent.sleep(0.2)
    started = time.monotonic()

    rig.put(ids.uuid7())
    bus.becomes(2)

    assert time.monotonic() - started < 0.7


def test_a_row_whose_number_is_older_but_was_committed_later_is_not_overlooked(rig, bus):
    late, early = ids.uuid7(), ids.uuid7()
    rig.relay()
    with psycopg.connect(rig.database.url) as slow:
        slow.execute("INSERT INTO outbox(topic, key) VALUES ('wake', %s)", (late,))
        rig.put(early)
        bus.becomes(1)
        slow.commit()

    rig.becomes(0)
    assert [body.decode() for body in bodies(bus)] == [str(early), str(late)]


def test_an_event_for_other_systems_leaves_as_a_cloud_event(rig, bus):
    queue = bus.own_queue("parvis.events", "connector.#")
    rig.relay()

    rig.put(ids.uuid7(), topic="connector.state_changed.v1", payload='{"data": {"state": "open"}}')

    bus.becomes(1, queue)
    assert b'"data":{"state":"open"}' in bus.get(queue).body


def test_refused_rows_stay_with_a_counter_and_hold_up_nobody(
    rig, bus, rabbitmq, proxied_url, monkeypatch, capsys
):
    monkeypatch.setattr(relaying, "_REST_SECONDS", 0.2)
    refuse_more_than(rabbitmq, proxied_url, 1)
    filler = ConfirmedPublisher(Broker(proxied_url), on_lost=list)
    until(lambda: filler.send([row(1)]).refused, "the queue is never full")
    filler.close()
    queue = bus.own_queue("parvis.events", "#")
    rig.put(*(ids.uuid7() for _ in range(30)))
    rig.relay()
    until(lambda: rig.counted("wake", "refused") > 0, "nothing is refused")
    left = rig.left()
    assert left > 20

    rig.put(ids.uuid7(), topic="some.event.v1")

    bus.becomes(1, queue)
    most = "SELECT coalesce(max(refusals), 0) AS n FROM outbox"
    until(lambda: rig.database.one(most)["n"] >= 5, "refusals are not counted", seconds=12)
    assert rig.left() == left
    assert FigureRows(rig.database).figures().outbox_refused > 0
    assert "relay.refused" in capsys.readouterr().out

    rabbitmq.nodes[0].control("clear_policy", "-p", proxied_url.rpartition("/")[2], "short")
    rig.becomes(0)


def test_a_broker_that_is_away_costs_nothing_but_time(rig, bus, proxy):
    rig.relay()
    rig.put(ids.uuid7())
    rig.becomes(0)
    proxy.refuse()

    rig.put(*(ids.uuid7() for _ in range(3)))
    gevent.sleep(1.0)
    assert rig.left() == 3

    proxy.let_go()
    rig.becomes(0)
    bus.becomes(4)


def test_a_database_that_cuts_us_off_costs_nothing_but_time(rig, bus):
    rig.relay()
    rig.put(ids.uuid7())
    rig.becomes(0)
    with psycopg.connect(rig.database.url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        other.execute("INSERT INTO outbox(topic, key) VALUES ('wake', %s)", (ids.uuid7(),))

    bus.becomes(2)
    until(lambda: count_of(rig.database.url) == 0, "a row is left")


@pytest.mark.parametrize(
    ("point", "copies"), [("relay.before_publish", 1), ("relay.after_publish", 2)]
)
def test_a_relay_killed_around_its_publish_loses_nothing(rig, bus, point, copies):
    def kill(name):
        if name == point:
            raise Killed

    rig.put(ids.uuid7())
    killed = rig.relay(fault=kill)
    gevent.sleep(0)
    until(lambda: rig._running[0][1].dead, "it was not killed")
    assert rig.left() == 1
    killed.stop(grace_seconds=1)

    rig.relay()

    rig.becomes(0)
    bus.becomes(copies)


def test_a_standby_takes_over_within_seconds_when_the_active_one_ends(rig, bus):
    rig.relay()
    rig.put(ids.uuid7())
    rig.becomes(0)
    standby = Outbox(rig.database)
    assert not standby.acquire()
    rig.relay()
    gevent.sleep(0.1)

    rig._running[0][0].stop(grace_seconds=3)
    started = time.monotonic()
    rig.put(ids.uuid7())

    rig.becomes(0, seconds=5)
    assert time.monotonic() - started < 5
    bus.becomes(2)


def test_from_outbox_to_worker_every_run_is_executed(rig, bus):
    """The whole way in one process: rows, relay, queue, waker, worker."""
    executed = []

    class Executor:
        def execute(self, run_id, *, redelivered, until):
            gevent.sleep(0.001)
            executed.append(run_id)
            return True

    waker = BrokerWaker(Broker(rig.url), prefetch=40, store_answers=lambda: True, on_lost=list)
    worker = Worker(waker=waker, executor=Executor(), greenlets=20)
    greenlet = gevent.spawn(worker.run)
    rig.relay()
    runs = [ids.uuid7() for _ in range(500)]
    rig.put(*runs)

    until(lambda: len(executed) >= 500, "runs are missing", seconds=12)
    worker.stop(grace_seconds=2)
    greenlet.join(2)
    assert sorted(executed) == sorted(runs)
    bus.becomes(0)


def test_the_end_of_a_run_reaches_the_systems_that_bound_it(rig, bus, vault, hub_keys):
    queue = bus.own_queue("parvis.events", "run.ended.v1")
    ground = Ground(rig.database, vault, hub_keys)
    ground.ends_told = EndsTold(SimpleNamespace(territory_of=lambda commune: None))
    told = ground.knows(journey(choose(), call("first")))
    run_id = ground.arrive(told, person={"family_name": "Fictive"})
    ground.executor().execute(run_id, redelivered=False)

    rig.relay()
    rig.becomes(0)

    bus.becomes(1, queue)
    message = bus.get(queue)
    event = json.loads(message.body)
    assert (event["type"], event["source"]) == ("run.ended.v1", "/hub")
    assert event["id"] == message.properties["message_id"]
    assert RunEnded().validate(event["data"]) == {}
    assert event["data"]["run_id"] == str(run_id)
    assert b"Fictive" not in message.body
