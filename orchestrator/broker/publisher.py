"""Publishes windows of outbox rows and knows, row by row, what the broker made of each.

The ledger is ours: a set of open delivery tags. Answers come out of order, one for many, and late; the
library's own ``confirm`` waits for *any* answer and would take a late one for the next message's.
Whatever breaks a window leaves its rows in doubt: the connection is closed, so that no answer of the old
one can be taken for one of the new, and the rows stay in the outbox.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from orchestrator.broker.connection import Broker, Channel, Link, within
from orchestrator.broker.stillborn import StillbornQueues
from orchestrator.broker.topology import AGAIN, EVENT_EXCHANGE, JOURNEY_EXCHANGE, declare
from orchestrator.services.ports.publishing import WAKE, OutboxRow, Sent
from schemas import clock
from schemas.errors import BrokerUnavailableError

log = structlog.get_logger()
_PERSISTENT: Final = 2


class Ledger:
    """Which rows of a window were answered for, and how."""

    def __init__(self) -> None:
        self._tag = 0
        self._open: dict[int, int] = {}  # delivery tag → row, in the order of the tags
        self._by_message: dict[str, int] = {}  # message id → row, to read returns with
        self._answered: dict[int, bool] = {}  # row → accepted
        self._returned: set[int] = set()

    def published(self, row: int, message_id: str) -> None:
        """Note that a row went out under the channel's next tag."""
        self._tag += 1
        self._open[self._tag] = row
        self._by_message[message_id] = row

    def accepted(self, tag: int, multiple: bool) -> None:  # noqa: FBT001 - the protocol's own flag
        """Note a confirm; a message returned before it went nowhere."""
        for row in self._taken(tag, multiple):
            self._answered[row] = row not in self._returned

    def rejected(self, tag: int, multiple: bool) -> None:  # noqa: FBT001 - the protocol's own flag
        """Note a refusal: the queue is full, or lost its majority."""
        for row in self._taken(tag, multiple):
            self._answered[row] = False

    def returned(self, message_id: str) -> None:
        """Note that no queue wanted a message; its confirm still comes."""
        row = self._by_message.get(message_id)
        if row is not None:
            self._returned.add(row)

    @property
    def is_settled(self) -> bool:
        """Whether every row was answered for."""
        return not self._open

    @property
    def went_nowhere(self) -> bool:
        """Whether a message came back: a queue or a binding is missing."""
        return bool(self._returned)

    def sent(self) -> Sent:
        """Return what became of the rows, and begin the next window."""
        answered, self._answered = self._answered, {}
        self._by_message, self._returned = {}, set()
        return Sent(
            confirmed=tuple(row for row, is_in in answered.items() if is_in),
            refused=tuple(row for row, is_in in answered.items() if not is_in),
        )

    def _taken(self, tag: int, multiple: bool) -> list[int]:  # noqa: FBT001 - the protocol's own flag
        if not multiple:
            row = self._open.pop(tag, None)
            return [] if row is None else [row]
        tags = [known for known in self._open if not tag or known <= tag]
        return [self._open.pop(known) for known in tags]


class ConfirmedPublisher:
    """One connection that only publishes (implements ``ports.publishing.Publisher``)."""

    def __init__(
        self, broker: Broker, *, on_lost: Callable[[], object], deadline: float = 10.0
    ) -> None:
        self._broker = broker
        self._on_lost = on_lost
        self._deadline = deadline
        self._stillborn = StillbornQueues(broker)
        self._link: Link | None = None
        self._channel: Channel = None
        self._ledger = Ledger()

    def send(self, rows: Sequence[OutboxRow]) -> Sent:
        """Publish the rows and wait for every answer, the deadline at most.

        Raises:
            BrokerUnavailableError: in doubt; nothing of this window may be deleted.
            BrokerRefusedError: a person must mend something.
        """
        link = self._opened()
        end = clock.monotonic() + self._deadline
        try:
            with link.speaking(), within(self._deadline + 1.0):
                self._publish(link, rows)
                while not self._ledger.is_settled:
                    link.read_frame(self._left(end))
        except BrokerUnavailableError:
            self.close()
            self._stillborn.suspected()
            raise
        except BaseException:
            self.close()
            raise
        is_incomplete = self._ledger.went_nowhere
        sent = self._ledger.sent()
        if is_incomplete:
            log.error("relay.returned", count=len(sent.refused))
            self.close()  # the next connection looks at the topology again
        if sent.refused:
            self._stillborn.suspected()
        return sent

    def idle(self) -> None:
        """Keep the connection alive while there is nothing to publish."""
        if self._link is not None and _was_ended(self._link):
            self.close()

    def close(self) -> None:
        """Close the connection; late answers die with it."""
        link, self._link, self._channel = self._link, None, None
        if link is not None:
            link.abort()

    def _left(self, end: float) -> float:
        left = end - clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _publish(self, link: Link, rows: Sequence[OutboxRow]) -> None:
        with link.writing_together(self._deadline):
            for row in rows:
                exchange, key, kind, body = addressed(row)
                message = self._channel.prepare_message(
                    body,
                    content_type=kind,
                    headers={AGAIN: True} if row.again else None,
                    properties={"message_id": row.event_id, "delivery_mode": _PERSISTENT},
                )
                self._ledger.published(row.id, row.event_id)
                self._channel.basic_publish(
                    message, exchange=exchange, routing_key=key, mandatory=True
                )

    def _opened(self) -> Link:
        self.idle()
        if self._link is not None:
            return self._link
        link = self._broker.open("relay", deadline=self._deadline)
        try:
            declare(link, on_lost=self._on_lost)
            with link.speaking():
                self._channel = link.channel()
                self._ledger = _listening(self._channel)
                self._channel.confirm_select()
        except BaseException:
            link.abort()
            raise
        self._link = link
        return link


def _listening(channel: Channel) -> Ledger:
    ledger = Ledger()
    channel.events["basic_ack"].add(ledger.accepted)
    channel.events["basic_nack"].add(ledger.rejected)
    channel.events["basic_return"].add(
        lambda _error, _exchange, _key, message: ledger.returned(message.properties["message_id"])
    )
    return ledger


def _was_ended(link: Link) -> bool:
    """Take what the broker said while we had nothing to publish; a goodbye ends the connection."""
    try:
        with link.speaking():
            while link.is_readable():
                link.read_frame()
            link.beat()
    except BrokerUnavailableError:
        return True
    return False


def addressed(row: OutboxRow) -> tuple[str, str, str, bytes]:
    """Return exchange, routing key, media type and body of a row.

    A wake holds the run's id and nothing else; an event is the CloudEvent whose id is the row's.
    """
    if row.topic == WAKE:
        return JOURNEY_EXCHANGE, WAKE, "text/plain", str(row.key).encode()
    body = json.dumps(_cloud_event(row), ensure_ascii=False, separators=(",", ":")).encode()
    return EVENT_EXCHANGE, row.topic, "application/cloudevents+json", body


def _cloud_event(row: OutboxRow) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "source": "/hub",
        "time": row.created_at.isoformat(),
        "datacontenttype": "application/json",
        **(row.payload or {}),
        "id": row.event_id,
        "type": row.topic,
    }
