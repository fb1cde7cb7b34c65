"""Retry policies: what one would do in an outage, and which one is in force where."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

import click

from connectors import operations
from orchestrator.engine.retry import DEFAULT, Decided, Level, RetryPolicy
from orchestrator.services.contact_hours import ContactHours
from orchestrator.services.quiet_hours import MARKETING, SERVICE
from orchestrator.services.retry_simulation import Outage, Simulation, simulate
from parvis.cli.context import Session, answer, as_json, say, session
from parvis.cli.french import FrenchGroup
from parvis.cli.moments import ZONE, moment_of
from schemas import clock
from schemas.errors import ConfigurationError
from schemas.shapes import nearest

_LEVELS: Final = {
    Level.DEFAULT: "la politique de Parvis, faute d'autre",
    Level.HUB: "la politique de la collectivité",
    Level.PROFILE: "la politique propre à ce système",
    Level.OPERATION: "la politique propre à cette opération",
}
_ENDS: Final = {
    "done": "réussite",
    "stuck": "mise au rebut",
    "waiting_human": "décision d'une personne",
}


@click.group(cls=FrenchGroup)
def retry() -> None:
    """Les politiques de reprise."""


@retry.command("simulate")
@click.argument("policy", metavar="POLITIQUE", default=DEFAULT)
@click.option(
    "--down-at", required=True, help="Début de la panne : 22:00, ou « 2026-11-22 22:00 »."
)
@click.option("--back-at", help="Rétablissement ; sans lui, la panne ne finit pas.")
@click.option(
    "--quiet",
    help="Plage où l'on écrit aux gens, par exemple « Mon-Sat 08:00-22:00 » : hors d'elle, attendre.",
)
@click.option(
    "--message",
    "kind",
    type=click.Choice([MARKETING, SERVICE]),
    help="Les heures que la collectivité dit pour cette nature de message (policies.quiet_hours).",
)
@as_json
@session
def simulate_(  # noqa: PLR0913 - what may be said of an outage
    session: Session,
    *,
    policy: str,
    down_at: str,
    back_at: str | None,
    quiet: str | None,
    kind: str | None,
    is_json: bool,
) -> None:
    """Montre les tentatives qu'une panne provoquerait sous POLITIQUE, sans rien toucher."""
    read = RetryPolicy.read(policy)
    if quiet and kind:
        raise ConfigurationError(
            "Donnez une plage (--quiet) ou une nature de message, pas les deux."
        )
    hours = session.hub.quiet_hours.of(kind) if kind else None
    began = _moment(down_at, "--down-at", after=None)
    outage = Outage(
        down_at=began,
        back_at=_moment(back_at, "--back-at", after=began) if back_at else None,
        hours=ContactHours.read(quiet, ZONE) if quiet else hours,
    )
    simulation = simulate(read, outage)
    if is_json:
        answer(_as_values(read, simulation))
    else:
        say(*_sentences(read, outage, simulation))


@retry.command("show")
@click.argument("profile", metavar="SYSTÈME")
@click.argument("operation", metavar="OPÉRATION", default="")
@as_json
@session
def show(session: Session, *, profile: str, operation: str, is_json: bool) -> None:
    """Dit la politique en vigueur pour un SYSTÈME (et une OPÉRATION), et ce qui en décide."""
    profiles = session.hub.offer.current().profiles
    _must_know("Système", profile, profiles)
    if operation:
        _must_know("Opération", operation, operations(profiles[profile].connector))
    decided = session.hub.system_policies.cascade().decide(profile, operation)
    if is_json:
        answer({**_policy(decided.policy), "decided_by": decided.level})
    else:
        say(*_said(decided))


def _must_know(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        fault = f"{what} : « {name[:60]} » n'existe pas.{nearest(name, known)}"
        raise ConfigurationError(fault)


def _said(decided: Decided) -> Iterator[str]:
    policy = decided.policy
    yield f"Politique : {policy.written()}"
    yield f"En clair : {policy.sentence()}"
    yield _total(policy)
    yield f"C'est {_LEVELS[decided.level]} qui décide."


def _total(policy: RetryPolicy) -> str:
    further = policy.tries - 1
    return f"Tentatives au total : {policy.tries} (1 + {further}), sur {_length(policy.seconds)}."


def _sentences(policy: RetryPolicy, outage: Outage, simulation: Simulation) -> Iterator[str]:
    yield f"Politique : {policy.written()}"
    yield f"En clair : {policy.sentence()}"
    yield _total(policy)
    yield ""
    yield "Un message seul à échouer (il n'ouvre jamais le coupe-circuit) :"
    for each in simulation.tries:
        told = "réussite" if each.is_answered else "échec"
        later = " (remise à l'heure permise)" if each.put_off else ""
        yield f"  n° {each.number:<3} {_shown(each.at, outage.down_at)}  {told}{later}"
    yield f"  fin : {_ENDS[simulation.outcome]}"
    yield ""
    yield "Dès que cinq appels de suite échouent, de deux messages au moins (coupe-circuit ouvert) :"
    yield "  les messages attendent dans l'ordre, sans user de tentative"
    probes = ", ".join(_shown(at, outage.down_at) for at in simulation.probes)
    yield f"  sondes : {probes}, puis toutes les 30 secondes, sans fin"
    yield f"  {_resumption(outage, simulation)}"
    yield ""
    yield "Chaque délai varie de 10 % au plus, pour que les reprises ne tombent pas ensemble."


def _resumption(outage: Outage, simulation: Simulation) -> str:
    if outage.back_at is None or simulation.resumed_at is None:
        return "reprise : dans la minute qui suivra le rétablissement, sans intervention"
    late = round((simulation.resumed_at - outage.back_at).total_seconds())
    shown = _shown(simulation.resumed_at, outage.down_at)
    return f"reprise : {shown}, {_length(late)} après le rétablissement, sans intervention"


def _shown(at: datetime, down_at: datetime) -> str:
    local, first = at.astimezone(ZONE), down_at.astimezone(ZONE)
    days = (local.date() - first.date()).days
    return f"{local:%H:%M:%S}" + (f" (J+{days})" if days else "")


def _length(seconds: int) -> str:
    """Return « 1 j 2 h 5 min 32 s », without what is zero."""
    parts = []
    for size, unit in ((86400, "j"), (3600, "h"), (60, "min"), (1, "s")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def _policy(policy: RetryPolicy) -> dict[str, Any]:
    return {
        "policy": policy.written(),
        "sentence": policy.sentence(),
        "tries": policy.tries,
        "end": policy.end,
    }


def _as_values(policy: RetryPolicy, simulation: Simulation) -> dict[str, Any]:
    tries = [
        {
            "number": each.number,
            "at": _utc(each.at),
            "is_answered": each.is_answered,
            "put_off": each.put_off,
        }
        for each in simulation.tries
    ]
    resumed = simulation.resumed_at
    return {
        **_policy(policy),
        "alone": {"tries": tries, "outcome": simulation.outcome},
        "breaker": {
            "probes": [_utc(at) for at in simulation.probes],
            "resumed_at": _utc(resumed) if resumed else None,
        },
    }


def _utc(moment: datetime) -> str:
    return clock.rfc3339(moment)


def _moment(text: str, option: str, *, after: datetime | None) -> datetime:
    """Read an hour (today's, or the first one after another moment) or a date with its hour."""
    try:
        if len(text) <= len("22:00:00"):
            return _hour(time.fromisoformat(text), after).astimezone(UTC)
        return moment_of(text)
    except ValueError as error:
        fault = f"{option} : écrivez une heure (22:00) ou une date et une heure (2026-11-22 22:00)."
        raise ConfigurationError(fault) from error


def _hour(hour: time, after: datetime | None) -> datetime:
    if hour.tzinfo is not None:
        raise ValueError("an hour is Paris time")
    day = (after or clock.utcnow()).astimezone(ZONE).date()
    found = datetime.combine(day, hour, ZONE)
    if after is not None and found <= after:
        return datetime.combine(day + timedelta(days=1), hour, ZONE)
    return found


COMMANDS = (retry,)
