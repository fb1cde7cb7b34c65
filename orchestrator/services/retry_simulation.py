"""What a retry policy would do in an outage: told before it is put in force, without any server.

Two ways an outage goes: one message alone, which uses up its tries; or many, which open the breaker,
after which they wait without using any. Delays are those of the rules, without their jitter.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from orchestrator.engine.breaker import STEADY, Cause
from orchestrator.engine.retry import RetryPolicy
from orchestrator.services.contact_hours import ContactHours
from schemas.errors import ConfigurationError

LONGEST: Final = timedelta(days=60)
TRIAL_SECONDS: Final = 2
"""From the probe that is answered to the first real call, everywhere."""
_SHOWN_PROBES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """When a system stops to answer, and when it answers again, if it does."""

    down_at: datetime
    back_at: datetime | None = None
    hours: ContactHours | None = None

    def __post_init__(self) -> None:
        """Refuse an outage that ends before it begins, or that outlasts every policy."""
        if self.back_at is None:
            return
        if self.back_at <= self.down_at:
            raise ConfigurationError("Le rétablissement doit venir après le début de la panne.")
        if self.back_at - self.down_at > LONGEST:
            raise ConfigurationError("La panne simulée dure au plus 60 jours.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedTry:
    """One try; ``put_off`` when it had to wait for the hours in which people may be written to."""

    number: int
    at: datetime
    is_answered: bool
    put_off: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """How an outage goes for one message alone, and for many behind the breaker.

    ``outcome`` is the status the lone message ends with (``done``, ``stuck``, ``waiting_human``);
    ``resumed_at`` is when the many go on, or None when the system never comes back.
    """

    tries: tuple[SimulatedTry, ...]
    outcome: str
    probes: tuple[datetime, ...]
    resumed_at: datetime | None


def simulate(policy: RetryPolicy, outage: Outage) -> Simulation:
    """Return how an outage goes under a policy."""
    tries = tuple(_tries(policy, outage))
    return Simulation(
        tries=tries,
        outcome="done" if tries[-1].is_answered else policy.end,
        probes=tuple(islice(_probes(outage.down_at), _SHOWN_PROBES)),
        resumed_at=_resumed_at(outage),
    )


def _tries(policy: RetryPolicy, outage: Outage) -> Iterator[SimulatedTry]:
    wanted = outage.down_at
    for number, delay in enumerate((0, *policy.delays), start=1):
        wanted += timedelta(seconds=delay)
        at = outage.hours.allowed_from(wanted) if outage.hours else wanted
        is_answered = outage.back_at is not None and at >= outage.back_at
        yield SimulatedTry(number=number, at=at, is_answered=is_answered, put_off=at != wanted)
        if is_answered:
            return
        wanted = at


def _probes(down_at: datetime) -> Iterator[datetime]:
    at, number = down_at, 0
    while True:
        at += timedelta(seconds=STEADY.until_next_probe(number, Cause.OUTAGE))
        number += 1
        yield at


def _resumed_at(outage: Outage) -> datetime | None:
    back_at = outage.back_at
    if back_at is None:
        return None
    answered = next(at for at in _probes(outage.down_at) if at >= back_at)
    resumed = answered + timedelta(seconds=TRIAL_SECONDS)
    return outage.hours.allowed_from(resumed) if outage.hours else resumed
