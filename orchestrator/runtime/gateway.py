"""The one door to every system: its secrets, its breaker, its share of greenlets, its exchange log."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final, Protocol

import structlog
from gevent.lock import BoundedSemaphore

from connectors import Profile, open_profile, operations
from orchestrator.engine.verdict import PAUSE
from orchestrator.services.ports.running import ServiceRef
from schemas import clock
from schemas.commands import Command
from schemas.errors import (
    ConfigurationError,
    PartnerContractBrokenError,
    PartnerMisconfiguredError,
    PartnerThrottledError,
)
from schemas.receipts import Exchange, ProbeLevel, ProbeResult, Receipt

log = structlog.get_logger()
_PATIENCE_SECONDS: Final = 0.25


class Secrets(Protocol):
    """Opens configuration secrets."""

    def values(self, names: Collection[str]) -> Mapping[str, str]:
        """Return the values of the names that have one."""


class Breakers(Protocol):
    """The state of every system, shared by all workers."""

    def open_until(self, profile: str) -> datetime | None:
        """Return when a paused system may be tried again."""

    def open(self, profile: str, *, reason: str, until: datetime) -> None:
        """Pause a system."""

    def close(self, profile: str) -> None:
        """Say that a system answers again."""


class Gateway:
    """Implements ``ports.running.PartnerGateway`` on the connectors' kit."""

    def __init__(
        self,
        *,
        secrets: Secrets,
        breakers: Breakers,
        share: int,
        opening: Callable[..., Profile] = open_profile,
    ) -> None:
        self._secrets = secrets
        self._breakers = breakers
        self._opening = opening
        self._profiles: dict[str, tuple[str, Profile]] = {}
        self._shares: dict[str, BoundedSemaphore] = defaultdict(lambda: BoundedSemaphore(share))

    def can(self, service: ServiceRef, operation: str) -> bool:
        """Tell whether the system behind a service knows an operation."""
        return operation in operations(service.connector)

    def call(self, service: ServiceRef, command: Command, log_to: list[Exchange]) -> Receipt:
        """Ask an operation of the system behind a service.

        Raises:
            PartnerError: as the kit reads the answer; PartnerThrottledError also when the system
                already holds its share of greenlets, PartnerMisconfiguredError while it is paused.
        """
        self._refuse_while_paused(service.profile, command.operation)
        return self._with_share(
            service.profile,
            command.operation,
            lambda: self._called(service, command, log_to),
        )

    def probe(self, service: ServiceRef, level: ProbeLevel) -> ProbeResult:
        """Prove how far a system can be reached."""
        return self._opened(service).probe(level)

    def _called(self, service: ServiceRef, command: Command, log_to: list[Exchange]) -> Receipt:
        try:
            receipt = self._opened(service).call(command.operation, command, log_to)
            if not isinstance(receipt, Receipt):
                detail = "The operation gave no receipt."
                raise PartnerContractBrokenError(service.profile, command.operation, detail)
        except PartnerMisconfiguredError as error:
            log.warning("system.paused", profile=service.profile, operation=command.operation)
            reason = f"{command.operation}: {type(error).__name__}"
            until = clock.utcnow() + PAUSE
            self._breakers.open(service.profile, reason=reason, until=until)
            raise
        self._breakers.close(service.profile)
        return receipt

    def _refuse_while_paused(self, profile: str, operation: str) -> None:
        until = self._breakers.open_until(profile)
        if until is not None and clock.utcnow() < until:
            detail = "The system is paused until its settings are mended or the next probe."
            raise PartnerMisconfiguredError(profile, operation, detail)

    def _with_share(self, profile: str, operation: str, call: Callable[[], Receipt]) -> Receipt:
        share = self._shares[profile]
        if not share.acquire(timeout=_PATIENCE_SECONDS):
            detail = "The system holds its whole share of this worker."
            raise PartnerThrottledError(profile, operation, detail, retry_after=1.0)
        try:
            return call()
        finally:
            share.release()

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
