"""What only a real broker can answer wrongly: late, full, missing, silent."""

import time

import pytest

from orchestrator.broker import connection
from orchestrator.broker.connection import Broker
from orchestrator.broker.publisher import ConfirmedPublisher
from orchestrator.broker.topology import JOURNEY_QUEUE
from orchestrator.broker.waker import BrokerWaker
from schemas.errors import BrokerUnavailableError
from tests.contract.broker.bus import refuse_more_than, until
from tests.contract.wakers.rigs import row

pytestmark = pytest.mark.rabbitmq


@pytest.fixture
def publish(broker_url):
    made = ConfirmedPublisher(Broker(broker_url), on_lost=list)
    yield made
    made.close()


@pytest.fixture
def hasty(proxied_url):
    """Gives up after a second, through a proxy."""
    made = ConfirmedPublisher(Broker(proxied_url), on_lost=list, deadline=1.0)
    yield made
    made.close()


def rows(*numbers, **changes):
    return [row(number, **changes) for number in numbers]


def test_what_is_confirmed_is_in_its_queue_and_survives_a_restart(publish, bus):
    sent = publish.send(rows(*range(1, 251)))

    assert (len(sent.confirmed), sent.refused) == (250, ())
    bus.becomes(250)
    message = bus.get()
    assert message.properties["delivery_mode"] == 2
    assert message.properties["content_type"] == "text/plain"


def test_a_wake_that_may_have_been_published_before_is_served_like_a_redelivered_one(
    publish, bus, broker_url
):
    publish.send([row(1, again=True), row(2)])
    bus.becomes(2)
    waker = BrokerWaker(Broker(broker_url), prefetch=10, store_answers=lambda: True, on_lost=list)
    assert waker.acquire()
    wakes = []
    until(lambda: wakes.extend(waker.take(10)) or len(wakes) == 2, "no wake comes")
    assert [wake.redelivered for wake in wakes] == [True, False]
    waker.close()


def test_an_event_reaches_whoever_bound_its_type(publish, bus):
    queue = bus.own_queue("parvis.events", "run.#")

    sent = publish.send([row(1, topic="run.ended.v1", payload={"data": {"outcome": "done"}})])

    assert sent.confirmed == (1,)
    bus.becomes(1, queue)
    assert bus.get(queue).properties["content_type"] == "application/cloudevents+json"


def test_an_event_nobody_bound_is_no_fault_and_a_sample_is_kept(publish, bus):
    assert publish.send([row(1, topic="nobody.cares.v1")]).confirmed == (1,)

    bus.becomes(1, "parvis.unrouted.v1")


def test_a_full_queue_refuses_exactly_what_it_refuses(publish, bus, rabbitmq, broker_url):
    refuse_more_than(rabbitmq, broker_url, 5)
    until(lambda: publish.send(rows(1)).refused, "the queue is never full")

    mixed = [
        row(number, topic="wake" if number % 2 else "some.event.v1") for number in range(1, 301)
    ]
    sent = publish.send(mixed)

    in_queue = {message.properties["message_id"] for message in bus.drained()}
    accepted = {one.event_id for one in mixed if one.id in sent.confirmed and one.topic == "wake"}
    assert accepted <= in_queue
    assert not {one.event_id for one in mixed if one.id in sent.refused} & in_queue
    assert len(sent.confirmed) + len(sent.refused) == 300
    assert len(sent.refused) > 100


def test_a_missing_queue_is_told_and_made_again(publish, bus):
    publish.send(rows(1))
    bus.delete(JOURNEY_QUEUE)

    told = publish.send([*rows(2, 3), row(4, topic="some.event.v1")])

    assert (told.confirmed, set(told.refused)) == ((4,), {2, 3})
    assert publish.send(rows(2, 3)).confirmed == (2, 3)
    bus.becomes(2)


def test_a_missing_exchange_leaves_the_window_in_doubt_and_is_made_again(publish, bus):
    publish.send(rows(1))
    bus.channel.exchange_delete("parvis.journey")

    with pytest.raises(BrokerUnavailableError):
        publish.send(rows(2))

    assert publish.send(rows(2)).confirmed == (2,)


def test_a_late_confirm_is_never_taken_for_the_next_messages(
    hasty, bus, proxy, rabbitmq, proxied_url
):
    """The old answers come when the queue is full: each later row is told as it is, row by row."""
    refuse_more_than(rabbitmq, proxied_url, 3)
    hasty.send([row(0, topic="some.event.v1")])
    proxy.hold_answers()
    with pytest.raises(BrokerUnavailableError):
        hasty.send(rows(1, 2, 3))
    bus.becomes(3)

    proxy.let_go()
    later = rows(*range(10, 30))
    told = [hasty.send([one]) for one in later]

    there = {message.properties["message_id"] for message in bus.drained()}
    confirmed = {number for one in told for number in one.confirmed}
    assert confirmed == {one.id for one in later if one.event_id in there}
    assert len([one for one in told if one.refused]) >= 15


def test_a_broker_that_falls_silent_is_seen_at_the_deadline(hasty, proxy):
    hasty.send(rows(1))
    proxy.mute()
    started = time.monotonic()

    with pytest.raises(BrokerUnavailableError):
        hasty.send(rows(2))

    assert time.monotonic() - started < 2.5


def test_a_broker_that_is_silent_from_the_start_is_seen_too(hasty, proxy, monkeypatch):
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 1.0)
    proxy.mute()
    started = time.monotonic()

    with pytest.raises(BrokerUnavailableError):
        hasty.send(rows(1))

    assert time.monotonic() - started < 3


def test_a_cut_connection_leaves_the_window_in_doubt_and_the_next_one_passes(hasty, proxy):
    hasty.send(rows(1))
    proxy.hold_answers()
    proxy.cut()

    with pytest.raises(BrokerUnavailableError):
        hasty.send(rows(2))

    proxy.let_go()
    assert hasty.send(rows(2)).confirmed == (2,)


def test_an_idle_connection_is_kept_alive_and_a_dead_one_is_let_go(hasty, proxy):
    hasty.send(rows(1))
    hasty.idle()
    proxy.cut()
    time.sleep(0.1)

    hasty.idle()

    assert hasty.send(rows(2)).confirmed == (2,)


def test_nobody_there_is_told_as_such():
    with pytest.raises(BrokerUnavailableError):
        Broker("amqp://127.0.0.1:1/;amqp://127.0.0.1:2/").open("test")


def test_the_second_node_is_asked_when_the_first_is_away(broker_url):
    link = Broker(f"amqp://127.0.0.1:1/;{broker_url}").open("test")
    assert link.server_version
    link.close()
