"""The message: a CloudEvent in the canonical model, whoever sent it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a partner, a city system or a page of ours told the hub.

    ``source`` and ``id`` together name the fact once and for all; ``subject`` is the sender's own
    reference for the person, text, never a key of ours. ``data`` is validated by the type's schema.
    """

    type: str
    source: str
    id: str
    data: Mapping[str, Any]
    subject: str | None = None
    time: datetime | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    extensions: Mapping[str, str | bool | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of a message at intake; ``status`` is ``accepted`` or ``duplicate``."""

    status: str
    event_id: str
    message_id: UUID
