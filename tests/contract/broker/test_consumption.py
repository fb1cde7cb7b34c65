"""What a worker lives through on RabbitMQ: poison, wiped queues, a database away, a silent broker."""

import time

import gevent
import pytest

from orchestrator.broker import connection, consumer
from orchestrator.broker.topology import DEAD_QUEUE, JOURNEY_QUEUE
from orchestrator.services.ports.waking import WakesAwayError
from schemas import ids
from tests.contract.broker.bus import until
from tests.contract.wakers.rigs import BrokerRig, acquired, nothing_comes, take

pytestmark = pytest.mark.rabbitmq


@pytest.fixture
def rig(proxied_url, proxy):
    made = BrokerRig(proxied_url, proxy)
    yield made
    made.close()


def is_gone(waker):
    """Whether the waker says that its connection ended."""
    try:
        waker.take(1)
    except WakesAwayError:
        return True
    waker.wait(0.05)
    return False


def test_a_body_that_names_no_run_goes_to_the_dead_and_the_next_wake_is_served(rig, bus):
    waker = rig.active()
    bus.put("Camille Durand")
    rig.send(ids.uuid7())

    assert take(waker, 1)
    bus.becomes(1, DEAD_QUEUE)
    assert (
        bus.get(DEAD_QUEUE).properties["application_headers"]["x-death"][0]["reason"] == "rejected"
    )


def test_several_workers_share_the_queue_and_a_dead_ones_wakes_go_to_the_others(rig):
    first, second = rig.active(prefetch=10), rig.active(prefetch=10)
    runs = {ids.uuid7() for _ in range(20)}
    rig.send(*runs)
    mine = {wake.run_id for wake in take(first, 10)}
    theirs = take(second, 10)
    second.settle(wake.id for wake in theirs)
    assert mine | {wake.run_id for wake in theirs} == runs

    first.close()

    again = take(second, 10)
    assert {wake.run_id for wake in again} == mine
    assert all(wake.redelivered for wake in again)


def test_no_more_is_held_than_the_prefetch(rig, bus):
    waker = rig.active(prefetch=10)
    rig.send(*(ids.uuid7() for _ in range(30)))

    held = take(waker, 10)
    assert nothing_comes(waker)
    bus.becomes(20)
    waker.settle([held[9].id, held[4].id])

    assert len(take(waker, 2)) == 2


def test_a_wiped_broker_is_declared_and_consumed_anew(rig, bus):
    waker = rig.active()
    rig.send(ids.uuid7())
    (held,) = take(waker, 1)

    rig.lost.clear()
    bus.delete()

    until(lambda: is_gone(waker), "the waker did not notice that its queue went")
    waker.close()
    assert acquired(waker)
    assert rig.lost == [1]
    waker.settle([held.id])
    rig.publisher.close()
    rig.send(ids.uuid7())
    assert take(waker, 1)


def test_what_a_worker_was_given_by_a_queue_that_is_gone_is_served_by_it_and_by_nobody_else(
    rig, bus
):
    waker = rig.active(prefetch=10)
    rig.send(*(ids.uuid7() for _ in range(5)))
    held = take(waker, 2, most=2)
    bus.becomes(0)
    until(lambda: len(waker._ready) == 3, "not all were delivered", seconds=20)

    bus.delete()
    until(lambda: not waker._consumer.is_alive, "the waker did not notice", seconds=20)
    waker.close()
    waker.give_back([held[0].id])
    other = rig.active(prefetch=10)
    assert acquired(waker)

    kept = take(waker, 4)
    assert nothing_comes(waker)
    assert nothing_comes(other)
    assert len({wake.run_id for wake in (*held, *kept)}) == 5
    assert held[0].run_id in {wake.run_id for wake in kept}
    assert all(wake.redelivered for wake in kept)
    waker.settle(wake.id for wake in (held[1], *kept))


def test_a_queue_that_went_and_came_back_without_a_word_is_consumed_again(rig, bus, monkeypatch):
    """As a cluster does that has lost the leader of the queue: it tells no consumer."""
    monkeypatch.setattr(consumer, "_IDLE_SECONDS", 0.5)
    monkeypatch.setattr(consumer.Consumer, "_cancelled", lambda *_: None)
    waker = rig.active()
    bus.delete()
    rig.publisher.close()
    run_id = ids.uuid7()

    rig.send(run_id)

    (wake,) = take(waker, 1, seconds=20)
    assert wake.run_id == run_id
    assert waker._consumer.is_alive
    waker.settle([wake.id])


def test_an_idle_worker_that_consumes_anew_holds_no_more_than_its_prefetch(rig, bus, monkeypatch):
    monkeypatch.setattr(consumer, "_IDLE_SECONDS", 0.1)
    waker = rig.active(prefetch=10)
    first = waker._consumer._tag
    until(lambda: waker._consumer._tag != first, "it did not consume anew", seconds=20)
    rig.send(*(ids.uuid7() for _ in range(30)))

    assert len(take(waker, 10, seconds=20)) == 10
    assert nothing_comes(waker, seconds=3)
    bus.becomes(20)


def test_what_a_gone_queue_had_given_is_left_to_the_sweeper_when_the_broker_stays_away(rig, bus):
    waker = rig.active(prefetch=10)
    rig.send(*(ids.uuid7() for _ in range(3)))
    bus.becomes(0)
    until(lambda: len(waker._ready) == 3, "not all were delivered", seconds=20)
    bus.delete()
    until(lambda: not waker._consumer.is_alive, "the waker did not notice", seconds=20)
    waker.close()

    waker._lost_at -= 31  # as long as the broker was away

    assert acquired(waker)
    assert nothing_comes(waker)


def test_while_postgresql_is_away_nothing_is_sent_back_and_nothing_more_is_asked_for(rig, bus):
    waker = rig.active(prefetch=10)
    rig.send(*(ids.uuid7() for _ in range(2)))
    wakes = take(waker, 2)
    rig.store = False

    waker.give_back([wake.id for wake in wakes])
    assert nothing_comes(waker, seconds=1.2)
    rig.send(ids.uuid7())
    bus.becomes(1)

    rig.store = True
    again = take(waker, 3)
    assert {wake.run_id for wake in wakes} < {wake.run_id for wake in again}
    waker.settle(wake.id for wake in again)
    waker.close()
    bus.becomes(0)
    assert bus.ready(DEAD_QUEUE) == 0


def test_a_worker_whose_database_is_away_does_not_begin(rig):
    rig.store = False
    assert not rig.waker().acquire()


def test_a_wake_that_fails_each_time_ends_among_the_dead(rig, bus):
    waker = rig.active()
    rig.send(ids.uuid7())
    tries = 0
    with gevent.Timeout(25):
        while not bus.ready(DEAD_QUEUE):
            for wake in waker.take(1):
                tries += 1
                waker.give_back([wake.id])
                waker._asked_at = float("-inf")  # its patience between two questions
            waker.wait(0.02)

    assert tries == 21
    message = bus.get(DEAD_QUEUE)
    assert message.properties["application_headers"]["x-first-death-reason"] == "delivery_limit"


def test_a_drained_workers_wakes_are_with_another_one_at_once(rig):
    first = rig.active()
    rig.send(*(ids.uuid7() for _ in range(6)))
    mine = take(first, 2, most=2)
    second = rig.active()

    first.drain()

    theirs = take(second, 4, seconds=2)
    assert not {wake.run_id for wake in mine} & {wake.run_id for wake in theirs}


def test_a_wake_that_is_held_long_keeps_its_connection(rig, monkeypatch):
    """The heartbeat is one second here, and nothing else is said on the connection for four."""
    monkeypatch.setattr(connection, "HEARTBEAT_SECONDS", 1)
    waker = rig.active()
    rig.send(ids.uuid7())
    (held,) = take(waker, 1)

    gevent.sleep(4)

    waker.settle([held.id])
    assert nothing_comes(waker)
    waker.close()
    assert nothing_comes(rig.active())


def test_a_broker_that_falls_silent_is_seen_by_its_missing_heartbeats(rig, proxy, monkeypatch):
    monkeypatch.setattr(connection, "HEARTBEAT_SECONDS", 1)
    waker = rig.active()
    proxy.mute()
    started = time.monotonic()

    until(lambda: is_gone(waker), "the silence was not noticed")

    assert time.monotonic() - started < 6
    proxy.let_go()


def test_two_thousand_wakes_settled_out_of_order_are_each_delivered_once(rig, bus):
    waker = rig.active(prefetch=100)
    runs = [ids.uuid7() for _ in range(2000)]
    for start in range(0, 2000, 200):
        rig.send(*runs[start : start + 200])
    seen, held = [], []
    with gevent.Timeout(20):
        while len(seen) < 2000:
            held += waker.take(100)
            if len(held) > 30 or len(seen) + len(held) == 2000:
                held.reverse()
                seen += [wake.run_id for wake in held]
                waker.settle([wake.id for wake in held])
                held = []
            waker.wait(0.05)

    assert sorted(seen) == sorted(runs)
    waker.close()
    bus.becomes(0)
    assert bus.ready(JOURNEY_QUEUE) == 0
