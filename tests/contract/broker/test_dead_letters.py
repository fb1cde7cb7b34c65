"""What the broker gives up on ends in the table that people look at, once."""

import gevent
import pytest

from orchestrator.broker.connection import Broker
from orchestrator.broker.dead_letters import DeadLetterKeeper
from orchestrator.broker.topology import DEAD_QUEUE
from orchestrator.services.ports.publishing import DeadWake
from orchestrator.store.outbox import DeadWakeRows
from schemas import ids
from schemas.errors import StoreUnavailableError
from tests.contract.broker.bus import until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.postgres]


class Rows:
    """The table, which may be away for a while."""

    def __init__(self, database):
        self._rows, self.is_away = DeadWakeRows(database), False

    def record(self, dead):
        if self.is_away:
            raise StoreUnavailableError
        return self._rows.record(dead)


@pytest.fixture
def rows(database):
    return Rows(database)


@pytest.fixture
def keeper(proxied_url, rows):
    made = DeadLetterKeeper(Broker(proxied_url), rows, on_lost=list)
    greenlet = gevent.spawn(made.run)
    yield made
    made.stop()
    greenlet.join(3)


def kept(database, number=1, seconds=8):
    read = "SELECT source, reason, detail, closed_by FROM dead_letter ORDER BY seen_at"
    until(lambda: len(database.all(read)) == number, "it is not kept", seconds)
    return database.all(read)


def a_run(database, status="ready"):
    run_id = ids.uuid7()
    database.run(
        "INSERT INTO run(id, journey, version, key, status, lease_until)"
        " VALUES (%s, 'test.journey', 1, %s, %s, parvis_now())",
        (run_id, str(run_id), status),
    )
    return run_id


def test_a_message_that_names_no_run_is_kept_open_without_its_body(keeper, bus, database):
    bus.put("Camille Durand", exchange="parvis.dlx", key="journey")

    (row,) = kept(database)

    assert (row["source"], row["closed_by"]) == ("broker", None)
    assert "Camille" not in str(row["detail"])
    bus.becomes(0, DEAD_QUEUE)


@pytest.mark.parametrize(
    "message",
    [
        {"message_id": "\ud800"},
        {"headers": {"x-death": [{"queue": "\x00\ud800"}]}},
        {"content_encoding": "utf-7"},
    ],
    ids=lambda message: next(iter(message)),
)
def test_what_a_foreign_program_sent_is_kept_whatever_it_says(keeper, bus, database, message):
    bus.put("+2AA-", exchange="parvis.dlx", key="journey", **message)

    kept(database)
    bus.becomes(0, DEAD_QUEUE)


def test_a_wake_of_a_run_we_know_needs_nobody(keeper, bus, database):
    run_id = a_run(database)

    bus.put(str(run_id), exchange="parvis.dlx", key="journey")

    (row,) = kept(database)
    assert row["closed_by"] == "sweeper"
    assert row["detail"]["run_id"] == str(run_id)
    assert database.one("SELECT status FROM run")["status"] == "ready"


def test_a_wake_that_dies_twice_is_one_row(database):
    dead = DeadWake(message_id="e-1", run_id=ids.uuid7(), reason="delivery_limit", detail={})
    rows = DeadWakeRows(database)

    assert rows.record(dead)
    assert not rows.record(dead)

    assert len(kept(database)) == 1


def test_nothing_is_acknowledged_before_it_is_kept(keeper, bus, database, rows):
    rows.is_away = True
    bus.put("x", exchange="parvis.dlx", key="journey")
    gevent.sleep(0.5)
    rows.is_away = False

    assert kept(database)
    bus.becomes(0, DEAD_QUEUE)


def test_a_broker_that_goes_away_is_waited_for(keeper, bus, database, proxy):
    bus.put("x", exchange="parvis.dlx", key="journey", message_id="one")
    kept(database)
    proxy.cut()

    bus.put("y", exchange="parvis.dlx", key="journey", message_id="two")

    kept(database, 2)
