"""From an HTTP status to the error that says what happens next: one table, overridden per system."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from schemas import clock
from schemas.errors import (
    PartnerAlreadyDoneError,
    PartnerContractBrokenError,
    PartnerError,
    PartnerMisconfiguredError,
    PartnerRejectedError,
    PartnerThrottledError,
    PartnerUnavailableError,
)

LONGEST_WAIT_SECONDS: Final = 86_400.0
TABLE: Final[Mapping[int, type[PartnerError]]] = {
    **dict.fromkeys(
        (301, 302, 303, 307, 308), PartnerMisconfiguredError
    ),  # the address is not the one
    401: PartnerMisconfiguredError,
    403: PartnerMisconfiguredError,
    407: PartnerMisconfiguredError,
    408: PartnerUnavailableError,
    429: PartnerThrottledError,
}


def error_class(
    status: int, overrides: Mapping[int, type[PartnerError]]
) -> type[PartnerError] | None:
    """Return the error a status means, or None for a success."""
    chosen = overrides.get(status) or TABLE.get(status)
    if chosen is not None:
        return chosen
    if 200 <= status < 300:
        return None
    if 400 <= status < 500:
        return PartnerRejectedError
    return PartnerUnavailableError if status >= 500 else PartnerContractBrokenError


def retry_after(value: str | None) -> float | None:
    """Return the seconds a ``Retry-After`` asks for, at most a day; None when it cannot be read."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware: datetime = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((aware - clock.utcnow()).total_seconds(), 0.0), LONGEST_WAIT_SECONDS)


def build(
    kind: type[PartnerError],
    partner: str,
    operation: str,
    *,
    detail: str,
    wait: float | None = None,
    outcome_unknown: bool = False,
) -> PartnerError:
    """Make an error of a class; a repetition the system recognised needs nothing more."""
    if issubclass(kind, PartnerAlreadyDoneError):
        return kind(partner, operation)
    return kind(partner, operation, detail, retry_after=wait, outcome_unknown=outcome_unknown)
