"""Wakes from RabbitMQ: any number of workers, on any hosts, share one queue.

A message is acknowledged when its run parked or ended. What a dead worker held, or one whose connection
broke, is delivered to another one within milliseconds, as redelivered; what the relay may have published
twice is treated alike. While PostgreSQL is away no more is asked of the broker and nothing is sent back
to it: a message sent round in circles would be among the dead within seconds. When the queue itself is
gone, what it had delivered to us comes to nobody else: we serve it.
"""

from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from typing import Final
from uuid import UUID

import structlog
from gevent.event import Event

from orchestrator.broker.connection import Broker
from orchestrator.broker.consumer import Consumer, Delivery
from orchestrator.broker.stillborn import StillbornQueues
from orchestrator.broker.topology import AGAIN, JOURNEY_QUEUE, declare
from orchestrator.services.ports.waking import Wake, WakesAwayError
from schemas import clock
from schemas.errors import BrokerRefusedError, BrokerUnavailableError, StoreUnavailableError

log = structlog.get_logger()
_LEAST_AHEAD, _MOST_AHEAD = 10, 400
_ASK_SECONDS: Final = 0.5
_KEPT_SECONDS: Final = (
    30.0  # well within a lease: afterwards the sweeper may have given it to others
)


def prefetch_for(greenlets: int) -> int:
    """Return how many messages a process may hold: twice its greenlets, within reason."""
    return min(_MOST_AHEAD, max(_LEAST_AHEAD, 2 * greenlets))


class BrokerWaker:
    """The wakes of one worker process (implements ``ports.waking.Waker``)."""

    def __init__(
        self,
        broker: Broker,
        *,
        prefetch: int,
        store_answers: Callable[[], bool],
        on_lost: Callable[[], object],
    ) -> None:
        self._broker = broker
        self._on_lost = on_lost
        self._prefetch = prefetch
        self._store_answers = store_answers
        self._stillborn = StillbornQueues(broker)
        self._consumer: Consumer | None = None
        self._numbers = count(1)
        self._tags: dict[int, int] = {}  # wake → delivery tag of the connection we have
        self._ready: deque[Wake] = deque()
        self._handed: dict[int, Wake] = {}
        self._returned: list[Wake] = []
        self._was_away = False
        self._asked_at = self._lost_at = float("-inf")
        self._is_draining = False
        self._stirred = Event()

    def acquire(self) -> bool:
        """Connect and consume; False while PostgreSQL is away, since we could serve nothing."""
        if self._consumer is not None and self._consumer.is_alive:
            return True
        self.close()
        if not self._store_answers():
            return False
        try:
            link = self._broker.open("worker")
            try:
                declare(link, on_lost=self._on_lost)
                self._forget_late()
                self._consumer = Consumer(
                    link,
                    JOURNEY_QUEUE,
                    prefetch=self._prefetch,
                    taken=self._taken,
                    ended=self._stirred.set,
                )
            except BrokerUnavailableError:
                self._stillborn.suspected()
                raise
            except BaseException:
                link.abort()
                raise
        except (BrokerUnavailableError, BrokerRefusedError, StoreUnavailableError) as error:
            raise WakesAwayError(str(error)) from error
        self._is_draining = False
        return True

    def take(self, most: int) -> list[Wake]:
        """Return what was delivered and nobody of ours holds yet."""
        consumer = self._alive()
        if self._returned and not self._may_go_on(consumer):
            return []
        taken = [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
        self._handed.update((wake.id, wake) for wake in taken)
        return taken

    def settle(self, wakes: Iterable[int]) -> None:
        """Acknowledge; a wake of a connection that broke was given to somebody else by now."""
        for wake in wakes:
            self._handed.pop(wake, None)
            tag = self._tags.pop(wake, None)
            if tag is not None and self._consumer is not None:
                self._consumer.accept(tag)

    def give_back(self, wakes: Iterable[int]) -> None:
        """Keep them until PostgreSQL answers; when it does all the time, another worker may try."""
        held = [self._handed.pop(wake) for wake in wakes if wake in self._handed]
        if held and not self._is_draining:
            if self._consumer is not None:
                self._consumer.pause()
            self._returned += held
        else:
            self._send_back(held)
        self._stirred.set()

    def wait(self, seconds: float = 1.0) -> None:
        """Wait for a delivery, or for the end of the connection."""
        if self._returned:
            seconds = min(seconds, _ASK_SECONDS)
        elif self._ready:
            return
        self._stirred.wait(seconds)
        self._stirred.clear()

    def drain(self) -> None:
        """Let others have what we did not hand out, at once."""
        self._is_draining = True
        if self._consumer is not None:
            self._consumer.pause()
        waiting = [*self._returned, *self._ready]
        self._returned.clear()
        self._ready.clear()
        self._send_back(waiting)

    def close(self) -> None:
        """Close the connection; the broker delivers again what was not settled, if it still has it."""
        consumer, self._consumer = self._consumer, None
        if consumer is None:
            return
        consumer.close()
        self._tags.clear()
        if consumer.lost_its_queue:
            self._lost_at = clock.monotonic()
            self._ready = deque(map(_again, (*self._returned, *self._ready)))
        else:
            self._ready.clear()
            self._handed.clear()
        self._returned.clear()

    def _alive(self) -> Consumer:
        if self._consumer is None or not self._consumer.is_alive:
            raise WakesAwayError("The connection to the broker ended.")
        return self._consumer

    def _may_go_on(self, consumer: Consumer) -> bool:
        """Look after what was given back; False while PostgreSQL is away."""
        now = clock.monotonic()
        if now - self._asked_at < _ASK_SECONDS:
            return False
        self._asked_at = now
        if not self._store_answers():
            self._was_away = True
            return False
        returned, self._returned = self._returned, []
        for wake in returned:
            if self._was_away or wake.id not in self._tags:
                self._ready.appendleft(_again(wake))
            else:
                self._send_back([wake])
        self._was_away = False
        if not self._is_draining:
            consumer.resume()
        return True

    def _forget_late(self) -> None:
        """Leave to the sweeper what we kept when its queue went, if that is long ago."""
        if clock.monotonic() - self._lost_at > _KEPT_SECONDS:
            self._ready.clear()
            self._returned.clear()
            self._handed.clear()

    def _send_back(self, wakes: Iterable[Wake]) -> None:
        for wake in wakes:
            tag = self._tags.pop(wake.id, None)
            if tag is not None and self._consumer is not None:
                self._consumer.return_(tag)

    def _taken(self, delivery: Delivery) -> None:
        """Take one message in, in the consumer's greenlet."""
        run_id = run_id_of(delivery.body)
        consumer = self._consumer
        if consumer is None or self._is_draining:
            if consumer is not None:
                consumer.return_(delivery.tag)
            return
        if run_id is None:
            log.error("waker.undecodable")
            consumer.reject(delivery.tag)
            return
        redelivered = delivery.redelivered or delivery.headers.get(AGAIN) is True
        wake = Wake(id=next(self._numbers), run_id=run_id, redelivered=redelivered)
        self._tags[wake.id] = delivery.tag
        self._ready.append(wake)
        self._stirred.set()


def _again(wake: Wake) -> Wake:
    """Return a wake that somebody may have been at."""
    return Wake(id=wake.id, run_id=wake.run_id, redelivered=True)


def run_id_of(body: bytes) -> UUID | None:
    """Return the run a wake names, or None when the body is anything else."""
    try:
        text = body.decode("ascii")
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None
