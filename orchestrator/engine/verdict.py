"""What happens after a failed try: read off the error's type, decided in this one place."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from orchestrator.engine.retry import INLINE_SECONDS, RetryPolicy
from schemas.errors import (
    PartnerContractBrokenError,
    PartnerError,
    PartnerThrottledError,
    ParvisError,
    Recovery,
)

PAUSE: Final = timedelta(minutes=15)
_SLOW_DOWN_SECONDS: Final = 30.0
_BUG: Final = RetryPolicy.read("1s x3; then dead-letter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The status a failed try leads to.

    ``delay`` in seconds, when the try is repeated at once by the same worker (at most 2 s);
    otherwise the run is parked until ``wake_at`` or put aside.
    """

    to: str
    outcome: str
    delay: float | None = None
    wake_at: datetime | None = None
    waiting_for: str | None = None
    error_code: str | None = None


def verdict(
    error: Exception, *, failures: int, policy: RetryPolicy, now: datetime, jitter: float
) -> Verdict:
    """Decide what follows a failed try.

    Args:
        error: What was raised.
        failures: Counted tries that failed before this one.
        policy: The step's retry policy.
        now: The present moment.
        jitter: A factor near 1 that spreads repeated tries.
    """
    if not isinstance(error, ParvisError):
        return _again(error, failures=failures, policy=_BUG, now=now, jitter=jitter)
    if isinstance(error, PartnerThrottledError):
        wait = timedelta(seconds=max(error.retry_after or _SLOW_DOWN_SECONDS, 1.0) * jitter)
        return _deferred(error, now + wait)
    match error.recovery:
        case Recovery.RETRY:
            return _again(error, failures=failures, policy=policy, now=now, jitter=jitter)
        case Recovery.PAUSE:
            return _deferred(error, now + PAUSE)
        case _:
            broken = isinstance(error, PartnerContractBrokenError)
            code = "contract_broken" if broken else "rejected"
            return Verdict(to="stuck", outcome="error", error_code=code)


def described(error: Exception) -> dict[str, Any]:
    """Return what the log keeps of an error: never text that may hold a person's data."""
    if isinstance(error, PartnerError):
        return {
            "class": type(error).__name__,
            "profile": error.partner,
            "operation": error.operation,
            "detail": str(error),
        }
    if isinstance(error, ParvisError):
        return {"class": type(error).__name__, "detail": str(error)}
    return {"class": type(error).__name__}


def _deferred(error: ParvisError, until: datetime) -> Verdict:
    system = f"system:{error.partner}" if isinstance(error, PartnerError) else None
    return Verdict(to="waiting_timer", outcome="deferred", wake_at=until, waiting_for=system)


def _again(
    error: Exception, *, failures: int, policy: RetryPolicy, now: datetime, jitter: float
) -> Verdict:
    outcome = "unknown" if getattr(error, "outcome_unknown", False) else "error"
    delay = policy.delay_after(failures + 1)
    if delay is None:
        return Verdict(to=policy.end, outcome=outcome, error_code="retries_exhausted")
    seconds = max(delay * jitter, float(getattr(error, "retry_after", None) or 0))
    if seconds <= INLINE_SECONDS * 1.1:
        return Verdict(to="ready", outcome=outcome, delay=seconds)
    wake_at = now + timedelta(seconds=seconds)
    return Verdict(to="waiting_timer", outcome=outcome, wake_at=wake_at)
