"""Looks at queues and takes messages as a foreign program would."""

import time
from contextlib import contextmanager

import gevent
import pytest

from orchestrator.broker import connection
from orchestrator.broker.topology import DEAD_QUEUE, JOURNEY_QUEUE, declare


@contextmanager
def looking(url):
    """A look at a broker where our topology is; without a heartbeat, since tests only look at times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "HEARTBEAT_SECONDS", 0)
        link = connection.Broker(url).open("test")
    try:
        declare(link, on_lost=list)
        yield Bus(link)
    finally:
        link.close()


class Bus:
    def __init__(self, link):
        self.link = link
        self.channel = link.channel()

    def ready(self, queue=JOURNEY_QUEUE):
        """How many messages wait for a consumer."""
        return self.channel.queue_declare(queue, passive=True).message_count

    def becomes(self, number, queue=JOURNEY_QUEUE, seconds=8):
        until(lambda: self.ready(queue) == number, f"{queue} holds {self.ready(queue)}", seconds)

    def get(self, queue=JOURNEY_QUEUE):
        """Take one message, None when there is none."""
        return self.channel.basic_get(queue, no_ack=True)

    def drained(self, queue=JOURNEY_QUEUE):
        """Take what is there."""
        found = []
        while (message := self.get(queue)) is not None:
            found.append(message)
        return found

    def put(self, body, *, exchange="parvis.journey", key="wake", message_id="m", **more):
        message = self.channel.prepare_message(
            body.encode(), properties={"message_id": message_id, "delivery_mode": 2}, **more
        )
        self.channel.basic_publish(message, exchange=exchange, routing_key=key)

    def own_queue(self, exchange, key, name="city.system"):
        """A queue of another system of the city."""
        self.channel.queue_declare(
            name, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"}
        )
        self.channel.queue_bind(name, exchange, key)
        return name

    def delete(self, *queues):
        for queue in queues or (JOURNEY_QUEUE, DEAD_QUEUE):
            self.channel.queue_delete(queue)


def until(find, what, seconds=30):
    end = time.monotonic() + seconds
    while not find():
        assert time.monotonic() < end, what
        gevent.sleep(0.03)


def refuse_more_than(rabbitmq, url, number):
    """Give the queue of wakes a length of its own, as a policy does; nobody else gets this vhost."""
    vhost = url.rpartition("/")[2]
    rabbitmq.spent.add(rabbitmq.url + vhost)
    policy = f'{{"max-length": {number}}}'
    rabbitmq.nodes[0].control("set_policy", "-p", vhost, "short", "^parvis.journey", policy)
