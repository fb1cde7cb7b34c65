"""One request of a machine on its way to its reply, the same for every face that has no framework."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from orchestrator.api.replies import Reply
from orchestrator.services.rate_limits import Allowance, RateLimits
from schemas.errors import ParvisError, RateLimitedError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Call:
    """One request: its environ, its id, who sent it once that is proved, what is left of the quota."""

    environ: "WSGIEnvironment"
    request_id: str
    caller: str | None = None
    allowance: Allowance | None = None

    def take_from(self, limits: RateLimits, caller: str) -> None:
        """Count this request in its sender's quota.

        Raises:
            RateLimitedError: the quota, or everybody's, is used up.
        """
        self.caller = caller
        self.allowance = limits.take(caller)
        if self.allowance.is_exceeded:
            raise RateLimitedError(self.allowance.resets_in)


def replied(
    call: Call, answer: Callable[[Call], Reply], problem: Callable[[Call, ParvisError], Reply]
) -> Reply:
    """Return the reply to a call: an answer or a problem, with its id and what is left of the quota."""
    try:
        reply = answer(call)
    except ParvisError as error:
        reply = problem(call, error)
    except Exception as error:  # noqa: BLE001 - the HTTP handler of last resort
        _log.error("request failed", request_id=call.request_id, error=type(error).__name__)
        reply = problem(call, ParvisError())
    reply.headers.append(("Parvis-Request-Id", call.request_id))
    if call.allowance is not None:
        reply.headers += call.allowance.headers()
    return reply
