"""What a connector does by the clock: a desk's file is closed, whether or not somebody arrives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import gevent
import structlog

from orchestrator.services.ports.running import PartnerGateway, ServiceRef
from schemas import clock
from schemas.commands import Command
from schemas.errors import PartnerAwaitedError, ParvisError
from schemas.receipts import Exchange

log = structlog.get_logger()
AGAIN_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """One operation of one service and its pace in seconds."""

    service: ServiceRef
    operation: str
    every_seconds: float


class Log(Protocol):
    """Keeps the exchanges."""

    def write(self, step: str, exchanges: Sequence[Exchange]) -> None:
        """Keep what was exchanged."""


class Periodic:
    """A chore of the timers: starts each due operation in a greenlet of its own, once at a time."""

    def __init__(
        self, *, beats: Callable[[], Sequence[Beat]], gateway: PartnerGateway, kept: Log
    ) -> None:
        self._beats = beats
        self._gateway = gateway
        self._kept = kept
        self._due: dict[tuple[str, str], float] = {}
        self._running: dict[tuple[str, str], gevent.Greenlet[[Beat], None]] = {}

    def __call__(self) -> None:
        """Start what is due."""
        now = clock.monotonic()
        for beat in self._beats():
            key = (beat.service.id, beat.operation)
            busy = self._running.get(key)
            if now < self._due.setdefault(key, now + beat.every_seconds) or (
                busy and not busy.dead
            ):
                continue
            self._due[key] = now + beat.every_seconds
            self._running[key] = gevent.spawn(self._do, beat)

    def _do(self, beat: Beat) -> None:
        command = Command(
            key=f"periodic:{beat.service.profile}:{beat.service.id}",
            operation=beat.operation,
            data={},
            pseudonym="",
            purpose="library.preregistration",
            binding={**beat.service.binding, "service_id": beat.service.id},
        )
        exchanges: list[Exchange] = []
        try:
            self._gateway.call(beat.service, command, exchanges)
        except PartnerAwaitedError:
            self._soon(beat)  # that the system is down was said once
        except ParvisError as error:
            log.warning("periodic.failed", profile=beat.service.profile, error=type(error).__name__)
            self._soon(beat)
        if exchanges:
            self._kept.write(beat.operation, exchanges)

    def _soon(self, beat: Beat) -> None:
        """Do again shortly what could not be done now: its turn may be an hour away."""
        key = (beat.service.id, beat.operation)
        self._due[key] = min(self._due[key], clock.monotonic() + AGAIN_SECONDS)
