"""The command: what a step asks of a system, the same for every attempt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One call a run asks of a connector.

    ``key`` is ``<run_id>:<step>`` (``:undo`` behind it for its undo) and the same for every
    attempt. ``binding`` holds what the service row says of this system (library, category ...).
    ``may_repeat`` is true when an earlier try may have reached the system without our knowing:
    a connector whose system knows no idempotency key then looks before it leaps.
    """

    key: str
    operation: str
    data: Mapping[str, Any]
    pseudonym: str
    purpose: str
    binding: Mapping[str, Any] = field(default_factory=dict)
    may_repeat: bool = False
