"""Chore of the process that holds the timers: open breakers are tried again, for ever, by themselves.

A system that answers its probe gets one real call first; when that goes well, the runs that waited
are woken in waves that double, the oldest first, so that nobody who comes back is run over. The
memory of the waves is this process's own: another one that takes over begins with one run again.
"""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import gevent
import structlog

from orchestrator.engine.breaker import STEADY, Cause, Pace, State, next_wave
from orchestrator.services.ports.breakers import BreakerRow
from orchestrator.services.ports.running import ServiceRef
from schemas import clock
from schemas.errors import PartnerMisconfiguredError, Recovery, StoreUnavailableError
from schemas.receipts import ProbeLevel, ProbeResult

log = structlog.get_logger()
KNOWN_AFTER_SECONDS: Final = 1.1
"""When every process has seen a change of state, by its own copy of the breakers."""
_REFUSED: Final = "probe: PartnerMisconfiguredError"


class Breakers(Protocol):
    """The breakers as the prober needs them."""

    def rows(self) -> Sequence[BreakerRow]:
        """Return every system with its breaker, read now."""

    def open(
        self,
        profile: str,
        *,
        cause: Cause,
        reason: str,
        wait: timedelta,
        version: str | None = None,
    ) -> bool:
        """Turn an outage into refused access."""

    def reopen(self, profile: str, *, reason: str, pace: Pace) -> bool:
        """Open a half-open breaker again."""

    def half_open(self, profile: str, *, wait: timedelta) -> bool:
        """Let one real call try an open breaker."""

    def close(self, profile: str, *, after: tuple[State, ...]) -> bool:
        """Close a breaker."""

    def claim_probe(
        self, profile: str, *, state: State, wait: timedelta, version: str | None = None
    ) -> bool:
        """Set the moment of the next probe."""


class Prober(Protocol):
    """Reaches a system without doing anything to it."""

    def probe(self, service: ServiceRef, level: ProbeLevel) -> ProbeResult:
        """Prove how far a system can be reached."""


class WaitingRuns(Protocol):
    """Runs that wait for a system."""

    def wake(self, profile: str, *, most: int) -> int:
        """Wake the oldest runs that wait for a system."""


class Probes:
    """Called about once a second; a probe that hangs holds nothing but its own greenlet."""

    def __init__(
        self,
        *,
        breakers: Breakers,
        gateway: Prober,
        runs: WaitingRuns,
        system: Callable[[str], ServiceRef | None],
        most_per_second: Callable[[str], int],
        pace: Pace = STEADY,
    ) -> None:
        self._breakers = breakers
        self._gateway = gateway
        self._runs = runs
        self._system = system
        self._most = most_per_second
        self._pace = pace
        self._waves: dict[str, int] = {}
        self._shut: set[str] = set()
        self._probing: dict[str, gevent.Greenlet[[BreakerRow, ServiceRef], None]] = {}

    def __call__(self) -> None:
        """Look at every system once."""
        now = clock.utcnow()
        for row in self._breakers.rows():
            match row.state:
                case State.OPEN:
                    self._while_open(row, now)
                case State.HALF_OPEN:
                    self._while_half_open(row, now)
                case State.CLOSED:
                    self._while_closed(row, now)

    def _while_open(self, row: BreakerRow, now: datetime) -> None:
        self._shut.add(row.profile)
        service = self._system(row.profile)
        if service is None:
            return
        is_mended = row.cause is Cause.ACCESS and row.version not in {None, service.version}
        if is_mended or _has_come(row.next_probe_at, now):
            self._begin(row, service)

    def _while_half_open(self, row: BreakerRow, now: datetime) -> None:
        """Have one run make the call; when nobody waits, a probe stands in for it."""
        self._shut.add(row.profile)
        if row.standing.is_being_tried(now) or not _has_come(row.next_probe_at, now):
            return
        service = self._system(row.profile)
        if row.is_awaited:
            wait = timedelta(seconds=self._pace.patience)
            self._breakers.claim_probe(row.profile, state=State.HALF_OPEN, wait=wait)
            self._runs.wake(row.profile, most=1)
        elif service is not None:
            self._begin(row, service)

    def _while_closed(self, row: BreakerRow, now: datetime) -> None:
        """Wake those who wait in waves; also a run that parked just as the breaker closed."""
        was_shut = row.profile in self._shut
        self._shut.discard(row.profile)
        if was_shut or not row.is_awaited or row.standing.is_slowed(now):
            self._waves.pop(row.profile, None)
            return  # what has just closed is known everywhere at the next look only
        wave = next_wave(self._waves.get(row.profile, 0), most=self._most(row.profile))
        self._waves[row.profile] = wave
        woken = self._runs.wake(row.profile, most=wave)
        log.info("system.resumed", profile=row.profile, runs=woken)

    def _begin(self, row: BreakerRow, service: ServiceRef) -> None:
        """Start a probe in a greenlet; the next one's moment is set before it, come what may."""
        busy = self._probing.get(row.profile)
        if busy is not None and not busy.dead:
            return
        cause = row.cause or Cause.OUTAGE
        seconds = self._pace.until_next_probe(row.probes + 1, cause) * random.uniform(0.9, 1.1)  # noqa: S311
        wait = timedelta(seconds=seconds)
        if self._breakers.claim_probe(
            row.profile, state=row.state, wait=wait, version=service.version
        ):
            self._probing[row.profile] = gevent.spawn(self._probe, row, service)

    def _probe(self, row: BreakerRow, service: ServiceRef) -> None:
        """Probe once; what could not be written is found out again by the next probe."""
        try:
            self._judge(row, service)
        except StoreUnavailableError:
            log.warning("probe.database_away", profile=row.profile)

    def _judge(self, row: BreakerRow, service: ServiceRef) -> None:
        """Try the harmless transaction; after refused access only the login itself."""
        is_access = row.cause is Cause.ACCESS and row.state is State.OPEN
        level = ProbeLevel.AUTHENTICATED if is_access else ProbeLevel.TRANSACTION
        try:
            result = self._gateway.probe(service, level)
            failure = None if result.is_up else result.recovery or Recovery.RETRY
        except PartnerMisconfiguredError:  # its settings do not even open
            failure = Recovery.PAUSE
        match failure:
            case None | Recovery.DEAD_LETTER | Recovery.DONE:  # a refusal, too, is an answer
                self._answered(row)
            case Recovery.PAUSE:
                wait = timedelta(seconds=self._pace.access)
                self._breakers.open(
                    row.profile,
                    cause=Cause.ACCESS,
                    reason=_REFUSED,
                    wait=wait,
                    version=service.version,
                )
            case _ if row.state is State.HALF_OPEN:
                self._breakers.reopen(row.profile, reason="probe", pace=self._pace)
            case _:
                log.debug("system.still_down", profile=row.profile)

    def _answered(self, row: BreakerRow) -> None:
        if row.state is State.OPEN and row.is_awaited:
            self._breakers.half_open(row.profile, wait=timedelta(seconds=KNOWN_AFTER_SECONDS))
            return
        self._breakers.close(row.profile, after=(row.state,))


def _has_come(moment: datetime | None, now: datetime) -> bool:
    return moment is None or moment <= now
