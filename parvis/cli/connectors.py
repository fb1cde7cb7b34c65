"""The city's systems: how each one is, tried on request, paused and resumed by hand."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

import click

from connectors import seconds
from orchestrator.engine.breaker import Cause, State
from orchestrator.services.ports.breakers import BreakerRow
from orchestrator.services.system_pauses import SystemPauses
from parvis.cli.context import Session, answer, as_json, say, session
from parvis.cli.french import FrenchGroup
from parvis.cli.moments import at, moment_of
from schemas import clock
from schemas.errors import ConfigurationError, PartnerMisconfiguredError, SystemUnknownError
from schemas.receipts import ProbeLevel, ProbeResult
from schemas.shapes import nearest

_CAUSES: Final = {
    Cause.OUTAGE: "panne",
    Cause.ACCESS: "accès refusé : à corriger",
    Cause.HAND: "pause décidée",
}
_LEVELS: Final = {
    ProbeLevel.REACHABLE: "joignable",
    ProbeLevel.AUTHENTICATED: "identifiants acceptés",
    ProbeLevel.TRANSACTION: "transaction d'essai",
}
profile_argument = click.argument("profile", metavar="SYSTÈME")


@click.group(cls=FrenchGroup)
def connectors() -> None:
    """Les systèmes de la ville : état, essai, pause, reprise."""


@connectors.command("list")
@as_json
@session
def list_(session: Session, *, is_json: bool) -> None:
    """Liste les systèmes et leur coupe-circuit."""
    rows = _pauses(session).systems()
    if is_json:
        answer([_as_values(row) for row in rows])
    else:
        say(*(_line(row) for row in rows) if rows else ("Aucun système configuré.",))


@connectors.command("test")
@profile_argument
@as_json
@session
def test(session: Session, *, profile: str, is_json: bool) -> int:
    """Essaie un SYSTÈME : joignable, identifiants, transaction sans effet."""
    results = list(_probed(session, profile))
    if is_json:
        answer([_probe_values(result) for result in results])
    else:
        say(*(line for result in results for line in _probe_lines(result)))
    return 0 if results[-1].is_up else 1


@connectors.command("pause")
@profile_argument
@click.option("--reason", required=True, help="Pourquoi, sans nommer personne.")
@click.option("--until", help="Fin : 8h, 2d, ou « 2026-11-23 08:00 » (24 h par défaut).")
@as_json
@session
def pause(session: Session, *, profile: str, reason: str, until: str | None, is_json: bool) -> None:
    """N'appelle plus un SYSTÈME jusqu'à une date : ses parcours attendent, dans l'ordre."""
    made = _pauses(session).pause(
        profile, reason=reason, actor=session.actor, until=_end(until) if until else None
    )
    if is_json:
        answer({"profile": made.profile, "until": clock.rfc3339(made.until), "actor": made.actor})
    else:
        say(f"{profile} : plus d'appel jusqu'au {at(made.until)}. Rien n'est perdu.")


@connectors.command("resume")
@profile_argument
@as_json
@session
def resume(session: Session, *, profile: str, is_json: bool) -> None:
    """Essaie un SYSTÈME maintenant ; s'il répond, ses parcours repartent par vagues."""
    _pauses(session).resume(profile, actor=session.actor)
    if is_json:
        answer({"profile": profile, "actor": session.actor})
    else:
        say(f"{profile} : essai dans la seconde, puis reprise s'il répond.")


def _pauses(session: Session) -> SystemPauses:
    return SystemPauses(breakers=session.hub.breakers)


def _probed(session: Session, profile: str) -> Iterator[ProbeResult]:
    """Try the levels in their order and stop at the first that fails."""
    known = session.hub.offer.current().profiles
    service = session.hub.system(profile)
    if service is None:
        hint = "aucun service ne l'utilise." if profile in known else nearest(profile, known)
        detail = f"« {profile[:60]} » : {hint.strip() or 'inconnu.'}"
        raise SystemUnknownError(detail)
    for level in ProbeLevel:
        try:
            result = session.hub.gateway.probe(service, level)
        except PartnerMisconfiguredError as error:
            raise ConfigurationError(error.detail or error.title) from error
        yield result
        if not result.is_up:
            return


def _probe_lines(result: ProbeResult) -> Iterator[str]:
    if result.is_up:
        yield f"{_LEVELS[result.level]} : oui"
        return
    yield f"{_LEVELS[result.level]} : non. {result.cause or ''}".rstrip()
    if result.remedy:
        yield f"  {result.remedy}"


def _probe_values(result: ProbeResult) -> dict[str, Any]:
    return {
        "level": result.level.value,
        "is_up": result.is_up,
        "cause": result.cause,
        "remedy": result.remedy,
    }


def _line(row: BreakerRow) -> str:
    return f"{row.profile} ({row.connector}) : {', '.join(_told(row))}"


def _told(row: BreakerRow) -> Iterator[str]:
    if row.state is State.CLOSED:
        yield "les appels passent"
    elif row.state is State.HALF_OPEN:
        yield "en cours d'essai"
    else:
        yield f"plus d'appel ({_CAUSES[row.cause or Cause.OUTAGE]})"
        if row.opened_at:
            yield f"depuis le {at(row.opened_at)}"
        if row.next_probe_at:
            what = "jusqu'au" if row.cause is Cause.HAND else "prochain essai le"
            yield f"{what} {at(row.next_probe_at)}"
        if row.cause is Cause.HAND:
            yield f"motif : {row.reason} ({row.actor})"
    if row.standing.is_slowed(clock.utcnow()) and row.slow_until:
        yield f"ralenti à sa demande jusqu'au {at(row.slow_until)}"
    if row.is_awaited:
        yield "des parcours l'attendent"


def _as_values(row: BreakerRow) -> dict[str, Any]:
    moments = {
        name: clock.rfc3339(moment) if moment else None
        for name, moment in (
            ("since", row.opened_at),
            ("next_probe_at", row.next_probe_at),
            ("slow_until", row.slow_until),
        )
    }
    return {
        "profile": row.profile,
        "connector": row.connector,
        "state": row.state,
        "cause": row.cause,
        "reason": row.reason,
        "actor": row.actor,
        "is_awaited": row.is_awaited,
        **moments,
    }


def _end(text: str) -> datetime:
    """Read a length of time from now, or a date with its hour."""
    with suppress(ValueError, OverflowError):
        return clock.utcnow() + timedelta(seconds=seconds(text))
    try:
        return moment_of(text)
    except ValueError as error:
        fault = "--until : écrivez une durée (8h, 2d) ou une date (2026-11-23 08:00)."
        raise ConfigurationError(fault) from error


COMMANDS = (connectors,)
