"""What a mock received and what it changed, in order: the tests count effects here.

An entry is written before its answer leaves, so a call whose answer was cut is counted too.
`status` is null when no answer was sent; `effect` is null when nothing changed.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mock_partners.clock import rfc3339

__all__ = ["Entry", "Journal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request received (or, for a sender, one event sent)."""

    at: datetime
    operation: str
    idempotency_key: str | None
    reference: str | None
    status: int | None
    effect: Mapping[str, object] | None

    def as_json(self, seq: int) -> dict[str, object]:
        """The entry as the control plane shows it."""
        return {
            "seq": seq,
            "at": rfc3339(self.at),
            "operation": self.operation,
            "idempotency_key": self.idempotency_key,
            "reference": self.reference,
            "status": self.status,
            "effect": self.effect,
        }


class Journal:
    """Append-only list of entries, numbered from 1."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def append(self, entry: Entry) -> None:
        """Keep one entry."""
        with self._lock:
            self._entries.append(entry)

    def clear(self) -> None:
        """Forget everything; numbering starts again at 1."""
        with self._lock:
            self._entries = []

    def page(self, *, after: int = 0, limit: int | None = None) -> list[dict[str, object]]:
        """The entries whose number is above `after`, oldest first."""
        end = None if limit is None else after + limit
        with self._lock:
            chosen = self._entries[after:end]
        return [entry.as_json(after + offset) for offset, entry in enumerate(chosen, start=1)]
