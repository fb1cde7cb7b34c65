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


@pytest.mark.parametrize("command", [("relay",), ("worker",), ("broker", "topology", "--declare")])
def test_a_wrong_password_ends_the_command_in_one_sentence(
    hub_environment, parvis, monkeypatch, rabbitmq, command
):
    wrong = rabbitmq.url.replace("guest:guest@", "guest:a-wrong-secret@")
    monkeypatch.setenv("PARVIS_BROKER_URL", wrong)

    code, out, err = parvis(*command)

    assert (code, out) == (78, "")
    (line,) = err.splitlines()
    assert "mot de passe" in line
    assert "a-wrong-secret" not in line


def test_no_address_or_nobody_there_is_told_as_such(hub_environment, parvis, monkeypatch):
    code, _, err = parvis("relay")
    assert (code, "PARVIS_BROKER_URL manque" in err) == (78, True)

    monkeypatch.setenv("PARVIS_BROKER_URL", "amqp://127.0.0.1:1/")
    code, _, err = parvis("broker", "topology", "--declare")
    assert (code, "RabbitMQ ne répond pas" in err) == (69, True)


def test_an_older_queue_is_a_refusal_and_nothing_is_changed(
    hub_environment, parvis, monkeypatch, broker_url
):
    link = Broker(broker_url).open("an older version")
    link.channel().queue_declare("parvis.dead.v1", durable=True, auto_delete=False)
    monkeypatch.setenv("PARVIS_BROKER_URL", broker_url)

    code, _, err = parvis("relay")

    assert (code, "parvis.dead.v1" in err) == (78, True)
    with pytest.raises(link.channel_errors, match="404"):
        link.channel().queue_declare("parvis.journey.v1", passive=True)
    link.close()


def consumers(bus):
    return bus.channel.queue_declare("parvis.journey.v1", passive=True).consumer_count
