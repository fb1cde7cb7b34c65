"""The table holds only what every supported server does alike."""

import pytest

from orchestrator.broker.topology import BINDINGS, EXCHANGES, QUEUES, table

ACCEPTED = {
    "x-queue-type",
    "x-delivery-limit",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-overflow",
    "x-max-length",
}
JOURNEY = next(queue for queue in QUEUES if queue.name == "parvis.journey.v1")


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_a_queue_is_a_quorum_queue_with_known_arguments_and_a_version_in_its_name(queue):
    assert queue.arguments["x-queue-type"] == "quorum"
    assert set(queue.arguments) <= ACCEPTED
    assert queue.name.endswith(".v1")


def test_a_wake_that_fails_too_often_goes_to_the_dead_and_never_drops():
    arguments = JOURNEY.arguments

    assert 0 < arguments["x-delivery-limit"] <= 20
    assert arguments["x-dead-letter-exchange"] == "parvis.dlx"
    assert arguments["x-dead-letter-strategy"] == "at-least-once"
    assert arguments["x-overflow"] == "reject-publish"


def test_the_exchange_of_wakes_has_no_alternate_and_the_one_of_events_has():
    alternates = {one.name: one.arguments.get("alternate-exchange") for one in EXCHANGES}

    assert alternates["parvis.journey"] is None
    assert alternates["parvis.events"] == "parvis.unrouted"


def test_every_binding_joins_what_the_table_declares():
    assert {one.exchange for one in BINDINGS} <= {one.name for one in EXCHANGES}
    assert {one.queue for one in BINDINGS} == {one.name for one in QUEUES}


def test_the_table_shows_every_object():
    assert len(list(table())) == len(EXCHANGES) + len(QUEUES) + len(BINDINGS)
