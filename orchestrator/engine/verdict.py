"""What happens after a failed try: read off the error's type, decided in this one place."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from orchestrator.engine.retry import INLINE_SECONDS, Patience, RetryPolicy
from schemas.errors import (
    PartnerAwaitedError,
    PartnerBusyError,
    PartnerContractBrokenError,
    PartnerError,
    PartnerThrottledError,
    ParvisError,
    Recovery,
)

NET: Final = timedelta(hours=1)
"""How long a run waits for its system at most when nobody wakes it."""
SLOW_DOWN_SECONDS: Final = 30.0
"""How long we leave a system alone that asks us to slow down and does not say for how long."""
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
    error: Exception, *, failures: int, policy: Patience, now: datetime, jitter: float
) -> Verdict:
    """Decide what follows a failed try.

    Args:
        error: What was raised.
        failures: Counted tries that failed before this one.
        policy: How patient we are with the system and the operation that failed.
        now: The present moment.
        jitter: A factor near 1 that spreads repeated tries.
    """
    if not isinstance(error, ParvisError):
        return _again(error, failures=failures, policy=_BUG, now=now, jitter=jitter)
    if isinstance(error, PartnerThrottledError):
        return _slowed(error, now, jitter)
    if isinstance(error, PartnerAwaitedError) or error.recovery is Recovery.PAUSE:
        return _deferred(error, now + NET)
    match error.recovery:
        case Recovery.RETRY:
            patience = _patience(error, policy)
            return _again(error, failures=failures, policy=patience, now=now, jitter=jitter)
        case _:
            if isinstance(error, PartnerContractBrokenError):
                # it answered with success: whether it did what was asked is not known
                return Verdict(to="stuck", outcome="unknown", error_code="contract_broken")
            return Verdict(to="stuck", outcome="error", error_code="rejected")


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


def _patience(error: ParvisError, policy: Patience) -> RetryPolicy:
    if isinstance(error, PartnerError):
        return policy.for_system(error.partner, error.operation)
    return policy.for_system("", "")


def _slowed(error: PartnerThrottledError, now: datetime, jitter: float) -> Verdict:
    """A call that was not made, or a system that asks for a pause: what it asks is a minimum.

    Only the system's own pause is waited for together; our share frees itself, run by run.
    """
    asked = max(error.retry_after or SLOW_DOWN_SECONDS, 1.0)
    until = now + timedelta(seconds=max(asked, asked * jitter))
    if isinstance(error, PartnerBusyError):
        return Verdict(to="waiting_timer", outcome="deferred", wake_at=until)
    return _deferred(error, until)


def _deferred(error: ParvisError, until: datetime) -> Verdict:
    system = f"system:{error.partner}" if isinstance(error, PartnerError) else None
    return Verdict(to="waiting_timer", outcome="deferred", wake_at=until, waiting_for=system)


def _again(
    error: Exception, *, failures: int, policy: RetryPolicy, now: datetime, jitter: float
) -> Verdict:
    is_unknown = bool(getattr(error, "outcome_unknown", False))
    outcome = "unknown" if is_unknown else "error"
    delay = policy.delay_after(failures + 1)
    if delay is None:
        code = "outcome_unknown" if is_unknown else "retries_exhausted"
        return Verdict(to=policy.end, outcome=outcome, error_code=code)
    seconds = max(delay * jitter, float(getattr(error, "retry_after", None) or 0))
    if seconds <= INLINE_SECONDS * 1.1:
        return Verdict(to="ready", outcome=outcome, delay=seconds)
    system = (
        f"system:{error.partner}" if isinstance(error, PartnerError) and error.is_shut else None
    )
    wake_at = now + timedelta(seconds=seconds)
    return Verdict(to="waiting_timer", outcome=outcome, wake_at=wake_at, waiting_for=system)
