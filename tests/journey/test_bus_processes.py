"""Relays, workers and a scheduler on a real RabbitMQ, as they are started in production."""

import signal
import time

import psycopg
import pytest

from orchestrator.broker.connection import Broker
from orchestrator.store.locks import RELAY
from schemas import ids
from tests.contract.broker.bus import looking
from tests.plugins.hub import until

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.timeout(120)]
HELD = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted
   AND (classid::bigint << 32 | objid::bigint) = %s"""


@pytest.fixture
def facts(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield lambda sql, *values: connection.execute(sql, values or None).fetchone()[0]


@pytest.fixture
def bus(broker_url):
    with looking(broker_url) as looked:
        yield looked


def wake(facts, *runs):
    for run_id in runs:
        facts("INSERT INTO outbox(topic, key) VALUES ('wake', %s) RETURNING id", run_id)


def left(facts):
    return facts("SELECT count(*) FROM outbox")


def test_a_killed_relay_is_replaced_by_its_standby_within_seconds(process, facts, bus, broker_url):
    first = process("relay", PARVIS_BROKER_URL=broker_url)
    until(lambda: facts(HELD, RELAY) == 1, "an active relay", seconds=30)
    second = process("relay", PARVIS_BROKER_URL=broker_url)
    until(lambda: "relay.standby" in second.log.read_text(), "a standby", seconds=30)
    wake(facts, ids.uuid7())
    until(lambda: left(facts) == 0, "the first row relayed")

    first.kill()
    begun = time.monotonic()
    wake(facts, ids.uuid7())
    until(lambda: left(facts) == 0, "the standby's turn")

    assert time.monotonic() - begun < 5
    bus.becomes(2)
    second.send_signal(signal.SIGTERM)
    assert second.wait(20) == 0, second.log.read_text()
    assert facts(HELD, RELAY) == 0


def test_workers_on_rabbitmq_share_the_wakes_and_leave_none(
    process, facts, bus, rabbitmq, broker_url
):
    """The runs are unknown: each wake is looked at, found to mean nothing, and acknowledged."""
    process("relay", PARVIS_BROKER_URL=broker_url)
    workers = process("worker", "--processes", "2", PARVIS_BROKER_URL=broker_url)
    until(lambda: consumers(bus) == 2, "two workers", seconds=30)

    wake(facts, *(ids.uuid7() for _ in range(300)))

    until(lambda: left(facts) == 0, "every row relayed")
    vhost = broker_url.rpartition("/")[2]
    asked = ("-p", vhost, "name", "messages", "--silent")
    node = rabbitmq.nodes[0]
    until(lambda: "journey.v1\t0" in node.control("list_queues", *asked), "every wake settled")
    workers.send_signal(signal.SIGTERM)
    assert workers.wait(30) == 0, workers.log.read_text()
    assert consumers(bus) == 0
    assert bus.ready() == 0


@pytest.mark.parametrize(
    ("command", "url", "code", "said"),
    [
        (("relay",), None, 78, "PARVIS_BROKER_URL manque"),
        (("relay",), "guest:a-wrong-secret@", 78, "mot de passe"),
        (("broker", "topology", "--declare"), "guest:a-wrong-secret@", 78, "mot de passe"),
    ],
)
def test_what_a_person_must_mend_ends_the_command_in_one_sentence(
    process, rabbitmq, command, url, code, said
):
    more = {"PARVIS_BROKER_URL": rabbitmq.url.replace("guest:guest@", url)} if url else {}

    ran = process(*command, **more)

    assert ran.wait(20) == code
    lines = ran.log.read_text().strip().splitlines()
    assert said in lines[-1]
    assert len(lines) <= 2
    assert "a-wrong-secret" not in ran.log.read_text()


def test_nobody_there_is_told_as_such_and_ends_with_its_own_code(process):
    ran = process("broker", "topology", "--declare", PARVIS_BROKER_URL="amqp://127.0.0.1:1/")

    assert ran.wait(20) == 69
    assert "RabbitMQ ne répond pas" in ran.log.read_text()


def test_an_older_queue_is_a_refusal_and_what_waits_stays(process, facts, broker_url):
    link = Broker(broker_url).open("an older version")
    link.channel().queue_declare("parvis.dead.v1", durable=True, auto_delete=False)
    wake(facts, ids.uuid7())

    ran = process("relay", PARVIS_BROKER_URL=broker_url)

    assert ran.wait(20) == 78
    assert "parvis.dead.v1" in ran.log.read_text()
    assert left(facts) == 1
    with pytest.raises(link.channel_errors, match="404"):
        link.channel().queue_declare("parvis.journey.v1", passive=True)
    link.close()


def consumers(bus):
    return bus.channel.queue_declare("parvis.journey.v1", passive=True).consumer_count
