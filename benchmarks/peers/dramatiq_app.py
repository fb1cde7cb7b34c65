"""The journey in dramatiq: a pipeline of three actors on RabbitMQ, publishing confirmed."""

from typing import Any

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from benchmarks.floor_work import CALLS, Work
from benchmarks.peers import rows

WORK = Work.read()
broker = RabbitmqBroker(url=WORK.broker_url, confirm_delivery=True)
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name=WORK.queue)
def first(event: dict[str, Any]) -> None:
    """Make the row and ask for a card."""
    rows.begin(event)
    rows.step(event, 1, CALLS[0])


@dramatiq.actor(queue_name=WORK.queue)
def second(event: dict[str, Any]) -> None:
    """Ask for an account."""
    rows.step(event, 2, CALLS[1])


@dramatiq.actor(queue_name=WORK.queue)
def third(event: dict[str, Any]) -> None:
    """Ask for a word of welcome."""
    rows.step(event, 3, CALLS[2])


def send(events: list[dict[str, Any]]) -> None:
    """Begin a pipeline for each event."""
    for event in events:
        later = {"args": (event,), "pipe_ignore": True}
        dramatiq.pipeline(
            [
                first.message(event),
                second.message_with_options(**later),
                third.message_with_options(**later),
            ]
        ).run()
