"""What intake needs of the store: one statement that takes a message in, and its answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from schemas.messages import Accepted, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """The run a message starts, or joins when one with the same key is under way.

    ``citizen_id`` is known when a person asks for it themselves.
    """

    journey: str
    version: int
    key: str
    data: Mapping[str, Any]
    citizen_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A verified message on its way in.

    ``body`` is what is kept of the request (minimised, sealed by the store); ``body_digest`` the
    keyed fingerprint of the request as it came; ``headers`` hold nothing personal.
    """

    message: Message
    body: bytes
    body_digest: bytes
    headers: Mapping[str, str]
    starts: RunStart | None


class InboxStore(Protocol):
    """Takes messages in: each (source, id) has one effect, committed before the answer."""

    def accept(self, arrival: Arrival) -> Accepted:
        """Store the message and start or feed its run, in one statement.

        Raises EventIdReusedError for the same id with another body (nothing changes) and
        StoreUnavailableError when the database cannot be reached (nothing was accepted).
        """

    def state(self, source: str, event_id: str) -> str | None:
        """Return ``received``, ``done`` or ``rejected``, or None for an unknown event."""

    def count(self, partner: str, what: str) -> None:
        """Add one to the partner's counter of the day (accepted, duplicate, minimised ...)."""


class RunSignals(Protocol):
    """Gives signals to runs."""

    def signal(
        self, run_id: UUID, name: str, *, dedup: str, payload: Mapping[str, Any] | None = None
    ) -> None:
        """Store a signal once (per ``dedup``) and wake the run when it waits for that name."""
