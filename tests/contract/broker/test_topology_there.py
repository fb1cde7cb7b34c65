"""Our exchanges and queues on a broker: there, or nothing changed."""

import pytest
from structlog.testing import capture_logs

from orchestrator.broker.connection import Broker
from orchestrator.broker.topology import QUEUES, declare
from schemas.errors import BrokerRefusedError, BrokerUnavailableError, StoreUnavailableError
from tests.contract.broker.bus import Bus

pytestmark = pytest.mark.rabbitmq


@pytest.fixture
def link(broker):
    opened = broker.open("test")
    yield opened
    opened.close()


def test_declaring_twice_changes_nothing(link):
    declare(link, on_lost=list)
    declare(link, on_lost=list)

    bus = Bus(link)
    bus.put("x")
    bus.becomes(1)


def test_that_the_queue_of_wakes_is_not_there_is_told_before_it_is_made(link):
    bus = Bus(link)
    bus.delete()

    with pytest.raises(StoreUnavailableError):
        declare(link, on_lost=_store_is_away)
    told = []
    for _ in range(2):
        declare(link, on_lost=lambda: told.append(1))

    assert told == [1]


def _store_is_away():
    raise StoreUnavailableError


def test_a_queue_with_other_arguments_is_a_clear_refusal_and_nothing_is_made(link, broker):
    other = broker.open("an older version")
    channel = other.channel()
    channel.queue_declare(
        "parvis.journey.v1",
        durable=True,
        auto_delete=False,
        arguments={"x-queue-type": "quorum", "x-delivery-limit": 7},
    )

    with pytest.raises(BrokerRefusedError, match=r"parvis\.journey\.v1"):
        declare(link, on_lost=list)

    for name in ("parvis.dead.v1", "parvis.unrouted.v1"):
        with pytest.raises(link.channel_errors, match="404"):
            other.channel().queue_declare(name, passive=True)
    other.close()


def test_only_what_the_table_names_is_declared(link, rabbitmq, broker_url):
    declare(link, on_lost=list)

    vhost = broker_url.rpartition("/")[2]
    listed = rabbitmq.nodes[0].control("list_queues", "-p", vhost, "name", "arguments").split("\n")

    names = {line.split("\t")[0] for line in listed[1:] if line}
    assert names == {queue.name for queue in QUEUES}
    assert "x-queue-version" not in "".join(listed)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [("guest:wrong-secret@", "mot de passe"), ("guest:guest@", "vhost")],
)
def test_what_a_person_must_mend_is_said_without_the_secret(rabbitmq, wrong, said):
    url = rabbitmq.url.replace("guest:guest@", wrong)
    url += "" if "wrong" in wrong else "nowhere"

    with pytest.raises(BrokerRefusedError, match=said) as refused:
        Broker(url).open("test")

    assert "wrong-secret" not in str(refused.value)
    assert "127.0.0.1" not in str(refused.value)


def test_a_connection_that_was_closed_is_not_opened_again_by_looking_at_it(link):
    link.abort()

    for ask in (link.fileno, link.is_readable, link.read_frame, link.beat, link.channel):
        with pytest.raises(OSError, match="closed"):
            ask()
    with pytest.raises(BrokerUnavailableError), link.speaking():
        link.channel()


def test_a_fault_that_may_be_our_own_is_told_with_its_place(link):
    with (
        capture_logs() as told,
        pytest.raises(BrokerUnavailableError),
        link.speaking(),
    ):
        {}["what a callback looked up"]
    with capture_logs() as silent, pytest.raises(BrokerUnavailableError), link.speaking():
        link.channel()

    assert [(line["event"], line["exc_info"]) for line in told] == [("broker.odd_end", True)]
    assert silent == []
