"""What comes back from a system: receipts, probes, and the trace of each exchange."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from schemas.errors import Recovery


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A system's answer to a command: its own reference and what later steps need."""

    external_ref: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureReceipt:
    """What a system did with a request to erase: ``done``, ``kept`` (why, until) or ``unknown``."""

    state: str
    reason: str | None = None
    until: datetime | None = None


class ProbeLevel(Enum):
    """How far a probe goes; each level includes the ones before it."""

    REACHABLE = "reachable"
    AUTHENTICATED = "authenticated"
    TRANSACTION = "transaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What a probe proved; ``cause`` and ``remedy`` are French sentences for the console.

    ``recovery`` says what a failure means for those who want to call.
    """

    level: ProbeLevel
    is_up: bool
    probed_at: datetime
    cause: str | None = None
    remedy: str | None = None
    recovery: Recovery | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One call with a system and its four moments, secrets already redacted.

    ``asked_at`` the command came, ``sent_at`` the request left, ``answered_at`` the answer began,
    ``ended_at`` it was read. ``address`` is method, host and path, never a query. ``request`` and
    ``response`` are stored encrypted and shown masked.
    """

    profile: str
    operation: str
    address: str
    asked_at: datetime
    ended_at: datetime
    outcome: str
    sent_at: datetime | None = None
    answered_at: datetime | None = None
    status: int | None = None
    idempotency_key: str | None = None
    request: Any = None
    response: Any = None
