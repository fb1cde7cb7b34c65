"""The one clock of the product: aware UTC, which a test may turn and production may not.

SQL reads the same clock through ``parvis_now()``: the store sends ``offset()`` along when it
opens a connection.
"""

import time
from datetime import UTC, datetime, timedelta

_offset = timedelta()


def utcnow() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC) + _offset


def monotonic() -> float:
    """Return seconds of a clock that never jumps, for deadlines."""
    return time.monotonic()


def offset() -> timedelta:
    """Return how far this process's clock was turned (zero but in tests)."""
    return _offset


def turn(by: timedelta) -> None:
    """Turn this process's clock; the settings refuse it in production."""
    global _offset  # noqa: PLW0603 - the clock is one per process by design
    _offset = by


def rfc3339(moment: datetime) -> str:
    """Return an aware moment as RFC 3339 UTC with milliseconds and ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
