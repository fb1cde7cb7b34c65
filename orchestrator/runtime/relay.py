"""The relay: claims the oldest rows of the outbox, publishes them in a window, deletes the confirmed.

One is active at a time; a standby takes over within a second of its end. What the broker refuses stays
with a counter, and its topic rests a moment so that it holds up nobody else. Whenever the fate of a
window is in doubt its rows stay: readers tell repeats apart by the message id and by the run's fence.
"""

import random
from collections.abc import Sequence
from typing import Final, Protocol

import structlog
from gevent.event import Event

from orchestrator.engine.faults import FaultPoint, no_faults
from orchestrator.services.ports.publishing import (
    WAKE,
    OutboxRow,
    OutboxStore,
    Publisher,
    Sent,
)
from schemas import clock
from schemas.errors import (
    BrokerRefusedError,
    BrokerUnavailableError,
    ParvisError,
    StoreUnavailableError,
)

log = structlog.get_logger()
WINDOW: Final = 200
ALARM_AFTER: Final = 5
_POLL_SECONDS: Final = 1.0
_STANDBY_SECONDS: Final = 1.0
_REST_SECONDS: Final = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_AWAY: Final = (StoreUnavailableError, BrokerUnavailableError, BrokerRefusedError)


class RelayMeter(Protocol):
    """Figures for the people who watch the hub."""

    def relayed(self, topic: str, result: str, *, rows: int) -> None:
        """Count rows by what became of them; the topic is ``wake`` or ``event``."""


class Relay:
    """The loop of a relay process."""

    def __init__(
        self,
        *,
        outbox: OutboxStore,
        publisher: Publisher,
        meter: RelayMeter,
        fault: FaultPoint = no_faults,
    ) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._meter = meter
        self._fault = fault
        self._stopping, self._ended = Event(), Event()
        self._resting: dict[str, float] = {}  # topic → until when
        self._pause = _FIRST_PAUSE
        self._role = ""
        self._ended.set()

    def run(self) -> None:
        """Work until ``stop``; survives a database and a broker that go away."""
        self._ended.clear()
        try:
            while not self._stopping.is_set():
                self._work()
        finally:
            self._publisher.close()
            self._outbox.close()
            self._ended.set()

    def stop(self, *, grace_seconds: float = 12.0) -> None:
        """End after the window in hand, which has a deadline of its own."""
        self._stopping.set()
        self._ended.wait(grace_seconds)

    def _work(self) -> None:
        try:
            if self._outbox.acquire():
                self._become("active")
                self._serve()
            else:
                self._become("standby")
                self._stopping.wait(_STANDBY_SECONDS)
        except _AWAY as error:
            self._step_back(error)

    def _become(self, role: str) -> None:
        if self._role != role:
            self._role = role
            log.info("relay.active" if role == "active" else "relay.standby")

    def _serve(self) -> None:
        while not self._stopping.is_set():
            if self._pump() < WINDOW:
                self._publisher.idle()
                self._outbox.wait(self._patience())

    def _pump(self) -> int:
        """Move one window; returns how many rows were read."""
        rows = self._outbox.read(WINDOW, resting=self._at_rest())
        if not rows:
            return 0
        self._fault("relay.before_publish")
        sent = self._publisher.send(rows)
        self._fault("relay.after_publish")
        most = self._outbox.settle(sent)
        self._pause = _FIRST_PAUSE
        self._count(rows, sent)
        if sent.refused:
            self._rest(rows, sent, most)
        return len(rows)

    def _count(self, rows: Sequence[OutboxRow], sent: Sent) -> None:
        for result, ids in (("confirmed", set(sent.confirmed)), ("refused", set(sent.refused))):
            wakes = sum(row.topic == WAKE for row in rows if row.id in ids)
            for topic, number in (("wake", wakes), ("event", len(ids) - wakes)):
                if number:
                    self._meter.relayed(topic, result, rows=number)

    def _rest(self, rows: Sequence[OutboxRow], sent: Sent, most: int) -> None:
        """Leave refused topics alone for a moment; say loudly when it does not pass."""
        topics = sorted({row.topic for row in rows if row.id in set(sent.refused)})
        self._resting |= dict.fromkeys(topics, clock.monotonic() + _REST_SECONDS)
        if most == ALARM_AFTER:
            log.error("relay.refused", type=", ".join(topics), count=len(sent.refused))

    def _at_rest(self) -> tuple[str, ...]:
        now = clock.monotonic()
        self._resting = {topic: until for topic, until in self._resting.items() if until > now}
        return tuple(self._resting)

    def _patience(self) -> float:
        if not self._resting:
            return _POLL_SECONDS
        soonest = min(self._resting.values()) - clock.monotonic()
        return min(_POLL_SECONDS, max(0.05, soonest))

    def _step_back(self, error: ParvisError) -> None:
        """Close both ends, so that a standby may try, and wait: longer each time."""
        log.warning("relay.away", error=type(error).__name__, reason=str(error))
        self._role = ""
        self._publisher.close()
        self._outbox.close()
        self._stopping.wait(self._pause * random.uniform(0.7, 1.3))  # noqa: S311 - spreads load
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
