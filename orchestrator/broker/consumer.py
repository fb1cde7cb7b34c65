"""Consumes one queue on a connection of its own, on which one greenlet does everything.

The greenlet waits on one event, stirred by the socket and by whoever has an answer to give. It writes
all answers, then reads while there is something to read, and never waits for the broker while answers
wait. Everything that needs the broker's reply (channel, prefetch, consume) is done before it starts.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import gevent
from gevent.event import Event

from orchestrator.broker.connection import Link, within
from schemas import clock
from schemas.errors import BrokerRefusedError, BrokerUnavailableError

_BEAT_SECONDS: Final = 1.0
_FRAMES_IN_A_ROW: Final = 500
_GOODBYE_SECONDS: Final = 3.0
_IDLE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message as it came; ``tag`` is good for this connection only."""

    tag: int
    body: bytes
    redelivered: bool
    message_id: str | None
    headers: Mapping[str, Any]


class Consumer:
    """One consumer; ``taken`` is called in its greenlet for every message and must not wait."""

    def __init__(
        self,
        link: Link,
        queue: str,
        *,
        prefetch: int,
        taken: Callable[[Delivery], None],
        ended: Callable[[], None],
    ) -> None:
        self._link = link
        self._queue = queue
        self._taken = taken
        self._ended = ended
        self._turns = count(1)
        self._tag = ""
        self._stirred = Event()
        self._unanswered: dict[int, None] = {}  # tags, in the order they came
        self._accepted: list[int] = []
        self._rejected: deque[tuple[int, bool]] = deque()
        self._wants_more = self._is_consuming = True
        self._heard_at = clock.monotonic()
        self._is_leaving = self._was_cancelled = False
        # heartbeats come in while an answer does not: the socket's own deadline never ends
        with link.speaking(), within(link.deadline):
            self._channel = link.channel()
            self._channel.basic_qos(0, prefetch, False)  # noqa: FBT003 - per consumer, never global
            self._consume()
        self._greenlet = gevent.spawn(self._work)

    @property
    def is_alive(self) -> bool:
        """Whether messages can still come."""
        return not self._greenlet.dead and not self._is_leaving

    @property
    def lost_its_queue(self) -> bool:
        """Whether the broker ended it because the queue is gone, and what was in it too."""
        return self._was_cancelled

    def accept(self, tag: int) -> None:
        """Say that a message was seen to; in any order."""
        self._accepted.append(tag)
        self._stirred.set()

    def reject(self, tag: int) -> None:
        """Say that a message can never be read; the broker puts it among the dead."""
        self._rejected.append((tag, False))
        self._stirred.set()

    def return_(self, tag: int) -> None:
        """Give a message back, to be delivered again to anybody; counts as a delivery."""
        self._rejected.append((tag, True))
        self._stirred.set()

    def pause(self) -> None:
        """Have the broker send no more; what was delivered stays ours."""
        self._wants_more = False
        self._stirred.set()

    def resume(self) -> None:
        """Have the broker send again."""
        self._wants_more = True
        self._stirred.set()

    def close(self) -> None:
        """Write the answers that wait, then close; what has no answer is delivered again."""
        self._is_leaving = True
        self._stirred.set()
        self._greenlet.join(timeout=_GOODBYE_SECONDS)
        self._link.abort()

    def _work(self) -> None:
        watcher = gevent.get_hub().loop.io(self._link.fileno(), 1)
        try:
            watcher.start(self._stirred.set)
            with self._link.speaking():
                while not self._is_leaving:
                    self._turn()
                self._answer()
            watcher.stop()
            self._link.close()
        except (BrokerUnavailableError, BrokerRefusedError):
            pass  # told by ``is_alive``: whoever owns us opens another
        finally:
            watcher.stop()
            watcher.close()
            self._link.abort()
            self._ended()

    def _turn(self) -> None:
        self._stirred.wait(_BEAT_SECONDS)
        self._stirred.clear()
        self._answer()
        self._follow_wish()
        self._renew_when_idle()
        self._read()
        self._link.beat()

    def _answer(self) -> None:
        """Write every answer that waits, in one go; those of a row of messages are one."""
        if self._accepted or self._rejected:
            with self._link.writing_together(self._link.deadline):
                self._write_answers()

    def _write_answers(self) -> None:
        accepted, self._accepted = self._accepted, []
        done = {tag for tag in accepted if tag in self._unanswered}
        upto = 0
        for tag in self._unanswered:
            if tag not in done:
                break
            upto = tag
        for tag in sorted(done):
            del self._unanswered[tag]
            if tag >= upto:
                self._channel.basic_ack(tag, multiple=tag == upto)
        while self._rejected:
            tag, again = self._rejected.popleft()
            if self._unanswered.pop(tag, 0) is None:
                self._channel.basic_reject(tag, again)

    def _read(self) -> None:
        for _ in range(_FRAMES_IN_A_ROW):
            if not self._link.is_readable():
                return
            self._link.read_frame()
            if self._accepted or self._rejected:
                self._answer()
        self._stirred.set()
        gevent.sleep(0)  # there is more: after the others had their turn

    def _follow_wish(self) -> None:
        if self._wants_more == self._is_consuming:
            return
        self._is_consuming = self._wants_more
        if self._wants_more:
            self._consume(nowait=True)
        else:
            self._channel.basic_cancel(self._tag, nowait=True)

    def _renew_when_idle(self) -> None:
        """Consume anew when nothing comes: a cluster does not always say that a queue was deleted.

        Somebody else may have declared it again, and its wakes would wait for nobody. Only while we
        hold nothing: each consumer has a prefetch to itself. What is on its way to the old name goes
        back by itself.
        """
        is_idle = clock.monotonic() - self._heard_at > _IDLE_SECONDS
        if is_idle and self._is_consuming and not self._unanswered:
            self._heard_at = clock.monotonic()
            self._channel.basic_cancel(self._tag, nowait=True)
            self._channel.callbacks.pop(self._tag, None)
            self._channel.cancel_callbacks.pop(self._tag, None)
            self._consume(nowait=True)

    def _consume(self, *, nowait: bool = False) -> None:
        """Begin to consume under a new name: 3.10 ends a connection that takes up an old one again."""
        self._tag = f"parvis.{next(self._turns)}"
        self._channel.basic_consume(
            self._queue,
            consumer_tag=self._tag,
            nowait=nowait,
            callback=self._deliver,
            on_cancel=self._cancelled,
        )

    def _deliver(self, message: Any) -> None:
        tag = message.delivery_tag
        self._heard_at = clock.monotonic()
        self._unanswered[tag] = None
        self._taken(
            Delivery(
                tag=tag,
                body=_bytes(message.body),
                redelivered=bool(message.delivery_info["redelivered"]),
                message_id=message.properties.get("message_id"),
                headers=message.properties.get("application_headers") or {},
            )
        )

    def _cancelled(self, _tag: str) -> None:
        """The queue was deleted, or the broker lost patience: begin anew."""
        self._was_cancelled = True
        raise BrokerUnavailableError("The broker cancelled the consumer.")


def _bytes(body: Any) -> bytes:
    """Return the body; the library made a text of one that names its encoding, whatever it holds."""
    return body if isinstance(body, bytes) else str(body).encode(errors="surrogatepass")
