"""The outbox as a relay reads it, on both servers a city may have."""

import time

import gevent
import psycopg
import pytest

from orchestrator.services.ports.publishing import Sent
from orchestrator.store.notifier import Notifier
from orchestrator.store.outbox import Outbox
from schemas import ids
from schemas.errors import StoreUnavailableError
from tests.plugins.hub import until

pytestmark = pytest.mark.postgres


@pytest.fixture
def outbox(database):
    made = Outbox(database)
    assert made.acquire()
    yield made
    made.close()


def put(database, *topics):
    for topic in topics:
        database.run("INSERT INTO outbox(topic, key) VALUES (%s, %s)", (topic, ids.uuid7()))


def topics(rows):
    return [row.topic for row in rows]


def test_rows_are_read_oldest_first_and_not_more_than_asked_for(outbox, database):
    put(database, "a.v1", "wake", "b.v1")

    assert topics(outbox.read(2, resting=())) == ["a.v1", "wake"]
    assert topics(outbox.read(9, resting=("wake", "b.v1"))) == ["a.v1"]


def test_the_confirmed_are_deleted_the_refused_are_counted_the_others_stay(outbox, database):
    put(database, "a.v1", "b.v1", "c.v1")
    first, second, third = outbox.read(9, resting=())

    assert outbox.settle(Sent(confirmed=(first.id,), refused=(second.id,))) == 1
    assert outbox.settle(Sent(confirmed=(), refused=(second.id,))) == 2
    assert outbox.settle(Sent(confirmed=(99_999,))) == 0

    left = {row.id: row.refusals for row in outbox.read(9, resting=())}
    assert left == {second.id: 2, third.id: 0}


def test_one_relay_is_active_and_the_next_one_takes_over(outbox, database):
    standby = Outbox(database)
    assert outbox.acquire()
    assert not standby.acquire()

    outbox.close()

    until(standby.acquire, "the turn of the standby")
    standby.close()


def test_what_was_there_before_us_may_have_been_published(outbox, database):
    put(database, "wake")
    assert [row.again for row in outbox.read(9, resting=())] == [False]

    outbox.close()
    until(outbox.acquire, "the end of the connection before")
    put(database, "wake")

    assert [row.again for row in outbox.read(9, resting=())] == [True, False]


def test_a_relay_that_is_not_active_reads_nothing(database):
    with pytest.raises(StoreUnavailableError):
        Outbox(database).read(1, resting=())


def test_a_notice_ends_the_wait_and_silence_does_too(outbox, database):
    notifier = Notifier(database)
    gevent.spawn_later(0.05, notifier.poke)
    started = time.monotonic()
    outbox.wait(3.0)
    assert time.monotonic() - started < 1.5

    started = time.monotonic()
    outbox.wait(0.1)
    assert time.monotonic() - started < 1.0


def test_a_server_that_ended_our_connection_is_told_as_such(outbox, database):
    with psycopg.connect(database.url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    with pytest.raises(StoreUnavailableError), gevent.Timeout(5):
        any(outbox.read(1, resting=()) for _ in range(10_000))
    outbox.close()
    until(outbox.acquire, "the end of the connection before")


def test_the_lock_of_a_host_that_vanished_is_free_within_seconds(outbox):
    """The server asks after us when we are silent; the system's own patience is two hours."""
    show = "SELECT current_setting(%s) AS value"
    told = {
        name: outbox._connection.execute(show, (name,)).fetchone()["value"]
        for name in ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count")
    }

    idle, interval, count = (int(value) for value in told.values())
    assert 0 < idle + interval * count < 5
