"""What the broker says of itself and of our queues; looking changes nothing."""

from dataclasses import dataclass

from orchestrator.broker.connection import Broker, Link, refusal_of
from orchestrator.broker.topology import DEAD_QUEUE, JOURNEY_QUEUE

_NOT_FOUND = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueHealth:
    """How many messages wait, and who takes them."""

    messages: int
    consumers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerHealth:
    """The server's version and our queues; None for one that is not there."""

    version: str
    journey: QueueHealth | None
    dead: QueueHealth | None


def broker_health(broker: Broker) -> BrokerHealth:
    """Ask the broker.

    Raises:
        BrokerUnavailableError: it does not answer.
        BrokerRefusedError: it refuses our address, user or rights.
    """
    link = broker.open("doctor")
    try:
        return BrokerHealth(
            version=link.server_version,
            journey=_queue(link, JOURNEY_QUEUE),
            dead=_queue(link, DEAD_QUEUE),
        )
    finally:
        link.close()


def _queue(link: Link, name: str) -> QueueHealth | None:
    with link.speaking():
        try:
            told = link.channel().queue_declare(name, passive=True)
        except link.channel_errors as error:
            if refusal_of(error) == _NOT_FOUND:
                return None
            raise
    return QueueHealth(messages=told.message_count, consumers=told.consumer_count)
