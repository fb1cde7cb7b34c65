"""Queues that RabbitMQ lists and that do not work: deleted by us, so that they are declared anew.

A node killed within seconds of declaring a quorum queue may come back without it (seen on 3.10). Asking
for it, declaring it and binding it all succeed; either who consumes is thrown out with 541 and what is
published is refused or comes back, or neither is ever answered. It stays so until somebody deletes the
queue. What is lost with it are wakes, which the sweeper finds again, and notes of dead ones. A queue
whose majority is away is silent too: it is given a minute to come back.
"""

from typing import Final

import gevent
import structlog

from orchestrator.broker.connection import Broker, Link, refusal_of, within
from orchestrator.broker.topology import QUEUES
from schemas import clock
from schemas.errors import BrokerRefusedError, BrokerUnavailableError

log = structlog.get_logger()
_FIRST_LOOK_SECONDS: Final = 15.0
_AGAIN_SECONDS: Final = 5.0  # a leader that is being chosen throws out too
_SILENT_SECONDS: Final = 60.0
_ANSWER_SECONDS: Final = 10.0
_FORGOTTEN_SECONDS: Final = 60.0  # longer than anybody waits before trying again
_LONGEST_SECONDS: Final = 120.0  # a look takes a message and gives it back, which counts as a try
_INTERNAL_ERROR: Final = 541


class StillbornQueues:
    """What one user of the broker suspects; looks, and mends, when it has done so for a while."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._begun = self._last = float("-inf")
        self._look_at = self._pause = 0.0

    def suspected(self) -> None:
        """Note that the broker is there and something did not work."""
        now = clock.monotonic()
        if now - self._last > _FORGOTTEN_SECONDS:
            self._begun, self._pause = now, _FIRST_LOOK_SECONDS
            self._look_at = now + self._pause
        self._last = now
        if now >= self._look_at:
            was_mended = self._mend(silent_too=now - self._begun >= _SILENT_SECONDS)
            longer = min(2 * self._pause, _LONGEST_SECONDS)
            self._pause = _FIRST_LOOK_SECONDS if was_mended else longer
            self._last = clock.monotonic()
            self._look_at = self._last + self._pause

    def _mend(self, *, silent_too: bool) -> bool:
        was_mended = False
        try:
            for queue in QUEUES:
                fault = self._lasting_fault(queue.name)
                if fault == "unborn" or (fault == "silent" and silent_too):
                    self._delete(queue.name)
                    was_mended = True
                    log.error("stillborn_queue.deleted", queue=queue.name, reason=fault)
        except (BrokerUnavailableError, BrokerRefusedError) as error:
            log.warning("stillborn_queue.unknown", error=type(error).__name__)
        return was_mended

    def _lasting_fault(self, queue: str) -> str | None:
        fault = self._fault(queue)
        if fault == "unborn":
            gevent.sleep(_AGAIN_SECONDS)
            fault = self._fault(queue)
        return fault

    def _fault(self, queue: str) -> str | None:
        """Try to consume a queue, on a connection of its own: the broker closes it when it cannot."""
        link = self._broker.open("look")
        try:
            _consume(link, queue)
        except BrokerUnavailableError as error:
            if refusal_of(error.__cause__ or error) == _INTERNAL_ERROR:
                return "unborn"
            if isinstance(error.__cause__, gevent.Timeout):
                return "silent"
            raise
        finally:
            link.close()
        return None

    def _delete(self, queue: str) -> None:
        link = self._broker.open("mend")
        try:
            with link.speaking(), within(2 * _ANSWER_SECONDS):
                link.channel().queue_delete(queue)
        finally:
            link.close()


def _consume(link: Link, queue: str) -> None:
    with link.speaking():
        channel = link.channel()
        channel.basic_qos(0, 1, False)  # noqa: FBT003 - per consumer, never global
        with within(_ANSWER_SECONDS):
            channel.basic_consume(queue)
            channel.close()
