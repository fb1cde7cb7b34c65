"""The one door to every system: its secrets, its breaker, its share of greenlets, its exchange log.

While a system is well a call costs two look-ups in memory and no statement. What changes its state
is written once, and its runs wait for it instead of using up their tries.
"""

import random
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Final, Protocol

from connectors import Profile, open_profile, operations
from orchestrator.engine.breaker import STEADY, Cause, Pace, Standing, State, Tally
from orchestrator.engine.verdict import SLOW_DOWN_SECONDS
from orchestrator.runtime.bulkhead import Bulkhead
from orchestrator.services.ports.running import ServiceRef
from schemas import clock
from schemas.commands import Command
from schemas.errors import (
    ConfigurationError,
    PartnerAlreadyDoneError,
    PartnerAwaitedError,
    PartnerBusyError,
    PartnerContractBrokenError,
    PartnerError,
    PartnerMisconfiguredError,
    PartnerRejectedError,
    PartnerThrottledError,
)
from schemas.receipts import Exchange, ProbeLevel, ProbeResult, Receipt


def no_limit(_profile: str, _operation: str) -> None:
    """Let every call pass at once: what a gateway does that nobody gave a pace."""


_ANSWERED: Final = (PartnerRejectedError, PartnerAlreadyDoneError)
"""Errors that say the system is well: it read one message and said no, or that it knew it."""


class Secrets(Protocol):
    """Opens configuration secrets."""

    def values(self, names: Collection[str]) -> Mapping[str, str]:
        """Return the values of the names that have one."""


class Breakers(Protocol):
    """The state of every system, shared by all processes."""

    def standing(self, profile: str) -> Standing:
        """Return what is known of a system's breaker, at most a second old."""

    def open(
        self,
        profile: str,
        *,
        cause: Cause,
        reason: str,
        wait: timedelta,
        version: str | None = None,
    ) -> bool:
        """Open a closed breaker."""

    def reopen(self, profile: str, *, reason: str, pace: Pace) -> bool:
        """Open a half-open breaker again."""

    def close(self, profile: str) -> bool:
        """Close a half-open breaker."""

    def try_out(self, profile: str, *, lasts: timedelta) -> bool:
        """Claim the one call that tries a half-open breaker."""

    def slow_down(self, profile: str, *, wait: timedelta) -> None:
        """Leave a system alone that asked for it."""


class Gateway:
    """Implements ``ports.running.PartnerGateway`` on the connectors' kit."""

    def __init__(
        self,
        *,
        secrets: Secrets,
        breakers: Breakers,
        bulkhead: Bulkhead,
        wait_turn: Callable[[str, str], None] = no_limit,
        opening: Callable[..., Profile] = open_profile,
        pace: Pace = STEADY,
    ) -> None:
        self._secrets = secrets
        self._breakers = breakers
        self._bulkhead = bulkhead
        self._wait_turn = wait_turn
        self._opening = opening
        self._pace = pace
        self._profiles: dict[str, tuple[str, Profile]] = {}
        self._tallies: dict[str, Tally] = {}

    def can(self, service: ServiceRef, operation: str) -> bool:
        """Tell whether the system behind a service knows an operation."""
        return operation in operations(service.connector)

    def call(self, service: ServiceRef, command: Command, log_to: list[Exchange]) -> Receipt:
        """Ask an operation of the system behind a service.

        Raises:
            PartnerError: as the kit reads the answer; PartnerBusyError when the system already
                holds its share of greenlets or takes no more calls now, PartnerAwaitedError while its breaker is open or it
                asked for a pause: nothing was sent then.
        """
        standing = self._breakers.standing(service.profile)
        if standing.state is State.CLOSED and standing.slow_until is None:
            return self._called(service, command, log_to)
        self._refuse_to_hurry(service.profile, command.operation, standing)
        if standing.state is State.CLOSED:
            return self._called(service, command, log_to)
        return self._tried_out(service, command, log_to)

    def probe(self, service: ServiceRef, level: ProbeLevel) -> ProbeResult:
        """Prove how far a system can be reached."""
        return self._opened(service).probe(level)

    # --- what a call tells about its system ---------------------------------------------------------

    def _called(self, service: ServiceRef, command: Command, log_to: list[Exchange]) -> Receipt:
        """Call in a closed breaker, and count how it went."""
        profile = service.profile
        try:
            receipt = self._asked(service, command, log_to)
        except PartnerBusyError:
            raise
        except _ANSWERED:
            self._tally(profile).succeeded(clock.monotonic())
            raise
        except PartnerError as error:
            if not self._noted(service, error):
                self._count(service, error, command.key)
            raise
        self._tally(profile).succeeded(clock.monotonic())
        return receipt

    def _tried_out(self, service: ServiceRef, command: Command, log_to: list[Exchange]) -> Receipt:
        """Make the one call that tries a half-open breaker; its outcome closes or opens it."""
        lasts = timedelta(seconds=self._pace.trial)
        if not self._breakers.try_out(service.profile, lasts=lasts):
            raise _awaited(service.profile, command.operation)
        try:
            receipt = self._asked(service, command, log_to)
        except PartnerBusyError:
            raise
        except (*_ANSWERED, PartnerThrottledError) as error:
            self._close(service.profile)
            self._noted(service, error)
            raise
        except PartnerError as error:
            if not self._noted(service, error):
                self._breakers.reopen(service.profile, reason=_reason(error), pace=self._pace)
                error.is_shut = True
            raise
        self._close(service.profile)
        return receipt

    def _noted(self, service: ServiceRef, error: PartnerError) -> bool:
        """Act on what says more than "it failed": refused access, a wish to be spared."""
        if isinstance(error, PartnerThrottledError):
            self._bulkhead.spare(service.profile)
            wait = timedelta(seconds=max(error.retry_after or SLOW_DOWN_SECONDS, 1.0))
            self._breakers.slow_down(service.profile, wait=wait)
            return True
        if isinstance(error, PartnerMisconfiguredError):
            self._open(service, error, Cause.ACCESS)
            return True
        return False

    def _count(self, service: ServiceRef, error: PartnerError, key: str) -> None:
        """Count a failure; those of calls begun before the breaker opened tell nothing new."""
        if self._breakers.standing(service.profile).state is not State.CLOSED:
            error.is_shut = True
        elif self._tally(service.profile).failed(clock.monotonic(), key):
            self._open(service, error, Cause.OUTAGE)
            error.is_shut = True

    def _open(self, service: ServiceRef, error: PartnerError, cause: Cause) -> None:
        seconds = self._pace.until_next_probe(0, cause) * random.uniform(0.9, 1.1)  # noqa: S311
        self._breakers.open(
            service.profile,
            cause=cause,
            reason=_reason(error),
            wait=timedelta(seconds=seconds),
            version=service.version,
        )
        self._tally(service.profile).forget()

    def _close(self, profile: str) -> None:
        self._breakers.close(profile)
        self._tally(profile).forget()

    def _refuse_to_hurry(self, profile: str, operation: str, standing: Standing) -> None:
        now = clock.utcnow()
        is_shut = standing.state is State.OPEN or (
            standing.state is State.HALF_OPEN and standing.is_being_tried(now)
        )
        if is_shut or standing.is_slowed(now):
            raise _awaited(profile, operation)

    def _tally(self, profile: str) -> Tally:
        tally = self._tallies.get(profile)
        if tally is None:
            tally = self._tallies[profile] = Tally()
        return tally

    # --- the call itself ----------------------------------------------------------------------------

    def _asked(self, service: ServiceRef, command: Command, log_to: list[Exchange]) -> Receipt:
        with self._bulkhead.room(service.profile, command.operation):
            self._wait_turn(service.profile, command.operation)
            receipt = self._opened(service).call(command.operation, command, log_to)
        if not isinstance(receipt, Receipt):
            detail = "The operation gave no receipt."
            raise PartnerContractBrokenError(service.profile, command.operation, detail)
        return receipt

    def _opened(self, service: ServiceRef) -> Profile:
        """Return the profile, opened once per process and again when its settings change."""
        known = self._profiles.get(service.profile)
        if known is not None and known[0] == service.version:
            return known[1]
        opened = self._secrets.values(service.secrets.values())
        secrets = {name: opened[of] for name, of in service.secrets.items() if of in opened}
        try:
            profile = self._opening(service.connector, service.profile, service.settings, secrets)
        except ConfigurationError as error:
            raise PartnerMisconfiguredError(service.profile, "open", str(error)) from error
        self._profiles[service.profile] = (service.version, profile)
        if known is not None:
            known[1].close()
        return profile


def _awaited(profile: str, operation: str) -> PartnerAwaitedError:
    detail = "The system is not called for now: its breaker is open, or it asked for a pause."
    return PartnerAwaitedError(profile, operation, detail)


def _reason(error: PartnerError) -> str:
    """Return what people see of the error that opened a breaker: no text of the system's."""
    return f"{error.operation}: {type(error).__name__}"
