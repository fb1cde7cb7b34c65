"""A bad bus between relay and worker: it takes wakes as a worker would and gives each of them back twice."""

import random
import time
from contextlib import suppress

from amqp import Message
from kombu import Connection

from orchestrator.broker.topology import JOURNEY_QUEUE
from tests.fakes.faulty_proxy import DUPLICATE

HELD_AT_MOST = 40
HELD_SECONDS = 0.3


class Mixer:
    """Doubles wakes, or only gives them back in another order; none is acknowledged before it is back."""

    def __init__(self, url, seed):
        self._url = url
        self._chances = random.Random(seed)
        self._held = []
        self.mixed = 0

    def mix(self, fault, meanwhile, *, seconds):
        """Take from the queue for some time, calling ``meanwhile`` again and again."""
        with Connection(self._url, transport_options={"confirm_publish": True}) as connection:
            channel = connection.channel()
            channel.basic_qos(0, HELD_AT_MOST, False)  # noqa: FBT003 - the protocol's own flag
            tag = channel.basic_consume(JOURNEY_QUEUE, callback=self._take)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                self._gather(connection)
                self._give_back(channel, times=2 if fault == DUPLICATE else 1)
                meanwhile()
            channel.basic_cancel(tag)
            self._give_back(channel, times=1)

    def _take(self, message):
        self._held.append(message)

    def _gather(self, connection):
        end = time.monotonic() + HELD_SECONDS
        with suppress(TimeoutError):
            while len(self._held) < HELD_AT_MOST and time.monotonic() < end:
                connection.drain_events(timeout=HELD_SECONDS)

    def _give_back(self, channel, *, times):
        held, self._held = self._held, []
        again = held * times
        self._chances.shuffle(again)
        for message in again:
            copy = Message(message.body, **message.properties)
            channel.basic_publish_confirm(copy, exchange="", routing_key=JOURNEY_QUEUE)
        for message in held:
            channel.basic_ack(message.delivery_tag)
        self.mixed += len(held)
