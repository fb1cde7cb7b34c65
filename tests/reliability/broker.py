"""Wakes as a process gets them: the embedded waker step by step, or a broker that may do its worst.

The broker is at-least-once as quorum queues are: what a dead consumer held comes again marked, what
the relay published may come twice, order is not kept, and all of it may be wiped.
"""

import itertools
import random
from dataclasses import dataclass, field
from uuid import UUID

from orchestrator.services.ports.waking import Wake


class Steps:
    """Any waker, with its wait a place on the stage: the schedule says when a process looks."""

    def __init__(self, waker, stage, owner) -> None:
        self._waker = waker
        self._stage = stage
        self._owner = owner
        self.acquire = waker.acquire
        self.take = waker.take
        self.settle = waker.settle
        self.give_back = waker.give_back
        self.close = waker.close

    def wait(self, seconds: float = 1.0) -> None:
        self._stage.arrive("worker.waits", self._owner)


@dataclass
class Delivery:
    """One message on the queue, or in a consumer's hands."""

    tag: int
    run_id: UUID
    redelivered: bool = False


@dataclass
class Broker:
    """A queue between the outbox and any number of workers."""

    chances: random.Random
    queue: list[Delivery] = field(default_factory=list)
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    def publish(self, run_ids: list[UUID]) -> None:
        self.queue += [Delivery(tag=next(self.numbers), run_id=run_id) for run_id in run_ids]

    def wipe(self) -> None:
        self.queue.clear()

    def shuffle(self) -> None:
        self.chances.shuffle(self.queue)

    def double(self) -> None:
        """Deliver one of the waiting messages twice."""
        if self.queue:
            self.publish([self.chances.choice(self.queue).run_id])


class Consumer:
    """One worker's share of the queue (the waking port on the broker of a campaign)."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._held: dict[int, Delivery] = {}

    def acquire(self) -> bool:
        return True

    def take(self, most: int) -> list[Wake]:
        taken, self._broker.queue[:] = self._broker.queue[:most], self._broker.queue[max(most, 0) :]
        self._held |= {each.tag: each for each in taken}
        return [
            Wake(id=each.tag, run_id=each.run_id, redelivered=each.redelivered) for each in taken
        ]

    def settle(self, wakes) -> None:
        for tag in wakes:
            self._held.pop(tag, None)

    def give_back(self, wakes) -> None:
        self._requeue([self._held.pop(tag) for tag in wakes if tag in self._held])

    def close(self) -> None:
        held, self._held = list(self._held.values()), {}
        self._requeue(held)

    def _requeue(self, deliveries: list[Delivery]) -> None:
        for each in deliveries:
            each.redelivered = True
        self._broker.queue[:0] = deliveries
