"""What the relay moves from the outbox to the bus, and what it needs of both ends."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

WAKE: Final = "wake"  # the topic of rows that wake a run; every other topic is an event's type


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One row to publish.

    ``refusals`` counts how often the bus refused it; ``again``: it may have been published before.
    """

    id: int
    event_id: str
    topic: str
    key: UUID
    payload: Mapping[str, Any] | None
    created_at: datetime
    refusals: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of a window of rows, by their ids; a row in neither is in doubt and stays."""

    confirmed: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()


class OutboxStore(Protocol):
    """The outbox as the one active relay sees it; all raise StoreUnavailableError."""

    def acquire(self) -> bool:
        """Become the active relay; False while another one is."""

    def read(self, most: int, *, resting: Collection[str]) -> Sequence[OutboxRow]:
        """Return the oldest rows whose topic does not rest."""

    def settle(self, sent: Sent) -> int:
        """Delete what was confirmed, count what was refused; returns the highest count."""

    def wait(self, seconds: float) -> None:
        """Wait for a notice that something was committed, ``seconds`` at most."""

    def close(self) -> None:
        """Let go of the lock."""


class Publisher(Protocol):
    """Publishes windows of rows; raises BrokerUnavailableError when their fate is in doubt."""

    def send(self, rows: Sequence[OutboxRow]) -> Sent:
        """Publish and wait until every row was answered for."""

    def idle(self) -> None:
        """Keep the connection alive while there is nothing to publish."""

    def close(self) -> None:
        """Close the connection; the next ``send`` opens another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadWake:
    """A message the broker gave up on; ``run_id`` is None when its body is no run's id.

    ``detail`` holds what the broker says of its death, and never a body we cannot read.
    """

    message_id: str
    run_id: UUID | None
    reason: str
    detail: Mapping[str, Any]


class DeadWakeStore(Protocol):
    """Keeps dead wakes for the page of dead letters."""

    def record(self, dead: DeadWake) -> bool:
        """Write one once; True when nothing will see to it and a person should look."""
