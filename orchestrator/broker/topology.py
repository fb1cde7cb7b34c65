"""Every exchange, queue and binding of ours, in one table; the arguments are the same on 3.10 and 4.x.

What newer servers can do better comes by policy, so that no queue need be renamed. A queue's arguments
cannot be changed once it is there: another set of arguments gets another name (``.v2``).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.broker.connection import Channel, Link, refusal_of
from schemas.errors import BrokerRefusedError

JOURNEY_EXCHANGE: Final = "parvis.journey"
EVENT_EXCHANGE: Final = "parvis.events"
DEAD_EXCHANGE: Final = "parvis.dlx"
UNROUTED_EXCHANGE: Final = "parvis.unrouted"
JOURNEY_QUEUE: Final = "parvis.journey.v1"
DEAD_QUEUE: Final = "parvis.dead.v1"
UNROUTED_QUEUE: Final = "parvis.unrouted.v1"
WAKE_KEY: Final = "wake"
AGAIN: Final = "parvis-again"  # header of what may have been published before
DELIVERY_LIMIT: Final = 20
_NOT_FOUND, _PRECONDITION_FAILED = 404, 406


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A durable exchange that nothing deletes by itself."""

    name: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def declare(self, channel: Channel, *, passive: bool = False) -> None:
        """Declare it; passive only asks whether it is there."""
        channel.exchange_declare(
            self.name,
            self.kind,
            passive=passive,
            durable=True,
            auto_delete=False,
            arguments=dict(self.arguments),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A durable queue, shared, that nothing deletes by itself."""

    name: str
    arguments: Mapping[str, Any]

    def declare(self, channel: Channel, *, passive: bool = False) -> None:
        """Declare it; every flag is said, because the client's defaults are others."""
        channel.queue_declare(
            self.name,
            passive=passive,
            durable=True,
            exclusive=False,
            auto_delete=False,
            arguments=dict(self.arguments),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What of an exchange reaches a queue."""

    exchange: str
    queue: str
    key: str = ""


EXCHANGES: Final = (
    Exchange(name=DEAD_EXCHANGE, kind="direct"),
    # no alternate exchange: a wake it caught would be confirmed though no worker reads it
    Exchange(name=JOURNEY_EXCHANGE, kind="direct"),
    Exchange(name=UNROUTED_EXCHANGE, kind="fanout"),
    Exchange(
        name=EVENT_EXCHANGE,
        kind="topic",
        arguments={"alternate-exchange": UNROUTED_EXCHANGE},
    ),
)
QUEUES: Final = (
    Queue(name=DEAD_QUEUE, arguments={"x-queue-type": "quorum"}),
    Queue(
        name=JOURNEY_QUEUE,
        arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": DEAD_EXCHANGE,
            "x-dead-letter-routing-key": "journey",
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-max-length": 500_000,
        },
    ),
    Queue(name=UNROUTED_QUEUE, arguments={"x-queue-type": "quorum", "x-max-length": 1000}),
)
BINDINGS: Final = (
    Binding(exchange=DEAD_EXCHANGE, queue=DEAD_QUEUE, key="journey"),
    Binding(exchange=JOURNEY_EXCHANGE, queue=JOURNEY_QUEUE, key=WAKE_KEY),
    Binding(exchange=UNROUTED_EXCHANGE, queue=UNROUTED_QUEUE),
)


def declare(link: Link, *, on_lost: Callable[[], object]) -> None:
    """Have everything of the table there, or change nothing.

    What exists is compared first; only when all of it is as the table says are the missing ones made.

    Args:
        link: The connection.
        on_lost: Called before the queue of wakes is made: what it held, if it ever was, is gone.

    Raises:
        BrokerRefusedError: something of ours is there with other arguments, or we may not.
        BrokerUnavailableError: the connection broke.
    """
    objects: tuple[Exchange | Queue, ...] = (*EXCHANGES, *QUEUES)
    there = [one for one in objects if _exists(link, one)]
    for one in (*there, *(one for one in objects if one not in there)):
        if one.name == JOURNEY_QUEUE and one not in there:
            on_lost()
        _declare(link, one)
    with link.speaking():
        channel = link.channel()
        for binding in BINDINGS:
            channel.queue_bind(binding.queue, binding.exchange, binding.key)
        channel.close()


def _exists(link: Link, one: Exchange | Queue) -> bool:
    """Ask on a channel of its own: the broker closes the channel of one who asks in vain."""
    with link.speaking():
        channel = link.channel()
        try:
            one.declare(channel, passive=True)
        except link.channel_errors as error:
            if refusal_of(error) == _NOT_FOUND:
                return False
            raise
        channel.close()
        return True


def _declare(link: Link, one: Exchange | Queue) -> None:
    with link.speaking():
        channel = link.channel()
        try:
            one.declare(channel)
        except link.channel_errors as error:
            if refusal_of(error) == _PRECONDITION_FAILED:
                raise BrokerRefusedError(_other_arguments(one.name)) from error
            raise
        channel.close()


def _other_arguments(name: str) -> str:
    return (
        f"RabbitMQ a déjà « {name} » avec d'autres arguments : rien n'a été changé. "
        "Videz puis supprimez-la avec l'outil de RabbitMQ, ou donnez à Parvis un vhost à lui dans "
        "PARVIS_BROKER_URL ; les réveils attendent dans la base."
    )


def table() -> Iterator[dict[str, Any]]:
    """Yield the table row by row, for people and programs."""
    for exchange in EXCHANGES:
        yield {
            "object": "exchange",
            "name": exchange.name,
            "kind": exchange.kind,
            "arguments": dict(exchange.arguments),
        }
    for queue in QUEUES:
        yield {
            "object": "queue",
            "name": queue.name,
            "kind": queue.arguments["x-queue-type"],
            "arguments": {k: v for k, v in queue.arguments.items() if k != "x-queue-type"},
        }
    for binding in BINDINGS:
        yield {
            "object": "binding",
            "name": f"{binding.exchange} → {binding.queue}",
            "kind": binding.key or "*",
            "arguments": {},
        }
