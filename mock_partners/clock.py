"""The clock of a mock: real time until somebody turns it, then real time from there.

Token lives, quiet hours and stale signatures are decided by this clock alone, so that a test can move
a whole day in one call (``PUT /_mock/clock``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

__all__ = ["MockClock", "parse_instant", "rfc3339"]


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 instant; a time without an offset is refused.

    Raises:
        ValueError: the text is no instant, or says no offset.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        msg = f"the instant has no offset: {text!r}"
        raise ValueError(msg)
    return instant.astimezone(UTC)


def rfc3339(instant: datetime) -> str:
    """Write an instant in UTC with milliseconds and a ``Z``."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class MockClock:
    """Aware UTC time that can be turned for good and skewed for one request."""

    def __init__(self) -> None:
        self._turned = timedelta()
        self._skew = timedelta()

    def now(self) -> datetime:
        """The mock's present time."""
        return datetime.now(UTC) + self._turned + self._skew

    def turn(self, now: datetime) -> None:
        """Make it `now`; time goes on from there."""
        self._turned = now.astimezone(UTC) - datetime.now(UTC)

    def reset(self) -> None:
        """Go back to real time."""
        self._turned = timedelta()

    @contextmanager
    def skewed(self, seconds: float) -> Iterator[None]:
        """Be wrong by `seconds` while the block runs (the caller holds the mock's lock)."""
        self._skew = timedelta(seconds=seconds)
        try:
            yield
        finally:
            self._skew = timedelta()
