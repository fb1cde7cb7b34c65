"""What a write was answered, kept so that its repeat is answered alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """An answer as it was first given."""

    status: int
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An earlier request of the same key; ``kept`` is None while it is under way."""

    fingerprint: bytes
    kept: KeptAnswer | None


class IdempotencyRows(Protocol):
    """The rows; a digest stands for caller, person, method, address and key."""

    def begin(self, digest: bytes, *, fingerprint: bytes) -> Seen | None:
        """Note that a request begins; returns the earlier one of the same key when there is one."""

    def finish(self, digest: bytes, kept: KeptAnswer) -> None:
        """Keep what it was answered."""

    def give_up(self, digest: bytes) -> None:
        """Forget a request that had no effect."""
