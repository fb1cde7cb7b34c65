"""Empties the queue of dead wakes into the table that people look at.

Nothing is ever sent back from here: this queue has no limit of its own, and a run that is still under way
is woken by the sweeper anyway. A wake may die twice (the broker's transfer is at-least-once): its row is
written once.
"""

import hashlib
import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog
from gevent.event import Event

from orchestrator.broker.connection import Broker
from orchestrator.broker.consumer import Consumer, Delivery
from orchestrator.broker.stillborn import StillbornQueues
from orchestrator.broker.topology import DEAD_QUEUE, declare
from orchestrator.broker.waker import run_id_of
from orchestrator.services.ports.publishing import DeadWake, DeadWakeStore
from schemas.errors import BrokerRefusedError, BrokerUnavailableError, StoreUnavailableError

log = structlog.get_logger()
_AHEAD: Final = 20
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_AWAY: Final = (BrokerUnavailableError, BrokerRefusedError, StoreUnavailableError)


class DeadLetterKeeper:
    """A loop of the relay process; several at once do no harm."""

    def __init__(
        self, broker: Broker, rows: DeadWakeStore, *, on_lost: Callable[[], object]
    ) -> None:
        self._broker = broker
        self._on_lost = on_lost
        self._stillborn = StillbornQueues(broker)
        self._rows = rows
        self._arrived: deque[Delivery] = deque()
        self._stirred = Event()
        self._pause = _FIRST_PAUSE
        self._stopping, self._ended = Event(), Event()
        self._ended.set()

    def run(self) -> None:
        """Work until ``stop``; survives a broker or a database that goes away."""
        self._ended.clear()
        try:
            while not self._stopping.is_set():
                self._work()
        finally:
            self._ended.set()

    def stop(self, *, grace_seconds: float = 6.0) -> None:
        """End after the message in hand."""
        self._stopping.set()
        self._stirred.set()
        self._ended.wait(grace_seconds)

    def _work(self) -> None:
        try:
            self._serve()
        except _AWAY as error:
            log.warning("dead_letters.away", error=type(error).__name__)
            self._stopping.wait(self._pause * random.uniform(0.7, 1.3))  # noqa: S311 - spreads load
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _serve(self) -> None:
        self._arrived.clear()
        link = self._broker.open("dead letters")
        try:
            declare(link, on_lost=self._on_lost)
            consumer = Consumer(
                link, DEAD_QUEUE, prefetch=_AHEAD, taken=self._take, ended=self._stirred.set
            )
        except BrokerUnavailableError:
            self._stillborn.suspected()
            raise
        except BaseException:
            link.abort()
            raise
        try:
            while not self._stopping.is_set():
                if not consumer.is_alive:
                    raise BrokerUnavailableError
                self._keep(consumer)
                self._pause = _FIRST_PAUSE
                self._stirred.wait(1.0)
                self._stirred.clear()
        finally:
            consumer.close()

    def _take(self, delivery: Delivery) -> None:
        self._arrived.append(delivery)
        self._stirred.set()

    def _keep(self, consumer: Consumer) -> None:
        while self._arrived:
            delivery = self._arrived[0]
            dead = dead_wake(delivery)
            if self._rows.record(dead):
                log.error("dead_letter.kept", reason=dead.reason, run_id=str(dead.run_id))
            consumer.accept(delivery.tag)
            self._arrived.popleft()


def dead_wake(delivery: Delivery) -> DeadWake:
    """Return what is kept of a dead message: never a body that is not a run's id."""
    digest = hashlib.sha256(delivery.body).hexdigest()
    run_id = run_id_of(delivery.body)
    deaths = delivery.headers.get("x-death")
    reason = _plain(delivery.headers.get("x-first-death-reason"))
    return DeadWake(
        message_id=_plain(delivery.message_id or f"sha256:{digest}"),
        run_id=run_id,
        reason=reason if reason in REASONS else "unknown",
        detail={
            "run_id": str(run_id) if run_id else None,
            "body_bytes": len(delivery.body),
            "body_sha256": digest,
            "deaths": [_death(one) for one in deaths] if isinstance(deaths, list) else [],
        },
    )


REASONS: Final = frozenset({"rejected", "expired", "maxlen", "delivery_limit"})


def _death(row: Any) -> dict[str, Any]:
    """Return the members of a death that name no foreign value."""
    if not isinstance(row, Mapping):
        return {}
    wanted = ("queue", "exchange", "reason", "count", "time")
    return {name: _plain(row[name]) for name in wanted if name in row}


def _plain(value: Any) -> str:
    """Return a text the table takes whatever it was: nothing can be sent back from here."""
    return "".join(each if " " <= each <= "~" else "?" for each in str(value))[:80]
