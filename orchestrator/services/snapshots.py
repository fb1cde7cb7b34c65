"""A copy in memory of something small that the database rules: renewed early, refused when old.

Between the two ages one reader fetches a new copy while the others go on with the one at hand, so
that nobody waits under load and nothing older than the bound is ever used.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from schemas import clock

T = TypeVar("T")


class Snapshot(Generic[T]):
    """What ``read`` returned, at most ``oldest`` seconds ago."""

    def __init__(
        self,
        read: Callable[[], T],
        *,
        renew: float = 0.5,
        oldest: float = 1.0,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._read = read
        self._monotonic = monotonic
        self._renew = renew
        self._oldest = oldest
        self._lock = threading.Lock()
        self._held: tuple[float, T] | None = None

    def get(self) -> T:
        """Return the copy, fetched anew when it is too old; raises what ``read`` raises."""
        held = self._held
        age = self._monotonic() - held[0] if held else None
        if held is not None and age is not None and age < self._renew:
            return held[1]
        is_usable = age is not None and age < self._oldest
        if not self._lock.acquire(blocking=not is_usable) and held is not None:
            return held[1]
        try:
            return self._fetched(held)
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Have the copy fetched anew by whoever asks next: it is known to be out of date."""
        self._held = None

    def _fetched(self, seen: tuple[float, T] | None) -> T:
        """Fetch, unless another reader did while this one waited for its turn."""
        held = self._held
        if held is not None and held is not seen and self._monotonic() - held[0] < self._oldest:
            return held[1]
        started_at = self._monotonic()
        value = self._read()
        self._held = (started_at, value)
        return value
