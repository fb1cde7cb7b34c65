"""Replays: planned with a frozen set, started, watched, stopped."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import click

from orchestrator.services.ports.operations import RETRY, ReplayState
from orchestrator.services.replays import ACTS, DEFAULT_RATE, FASTEST, Selection
from parvis.cli.context import Session, answer, as_json, confirm, say, session
from parvis.cli.french import FrenchGroup
from parvis.cli.moments import at
from parvis.cli.run_words import Since

replay_argument = click.argument("replay_id", type=click.UUID, metavar="REJEU")
STATES: Final = {
    "planned": "prévu",
    "running": "en marche",
    "stopped": "arrêté",
    "done": "fini",
}


@click.group(cls=FrenchGroup)
def replay() -> None:
    """Relancer ou écarter beaucoup d'exécutions en rebut, à un rythme donné."""


@replay.command("plan")
@click.option("--act", type=click.Choice(ACTS), default=RETRY, help="Ce qui sera fait (retry).")
@click.option("--fingerprint", help="Empreinte d'un groupe de rebuts.")
@click.option("--journey", help="Nom du parcours.")
@click.option("--step", help="Étape où elles sont arrêtées.")
@click.option("--code", "error_code", help="Code de l'erreur (retries_exhausted, rejected…).")
@click.option("--since", type=Since(), help="En rebut depuis moins longtemps (90min, 12h, 3d).")
@click.option(
    "--rate",
    type=click.IntRange(1, FASTEST),
    default=DEFAULT_RATE,
    help=f"Exécutions par seconde ({DEFAULT_RATE}).",
)
@click.option("--reason", help="Pourquoi elles sont écartées, sans nommer personne.")
@as_json
@session
def plan(  # noqa: PLR0913 - one argument per option
    session: Session,
    *,
    act: str,
    fingerprint: str | None,
    journey: str | None,
    step: str | None,
    error_code: str | None,
    since: datetime | None,
    rate: int,
    reason: str | None,
    is_json: bool,
) -> None:
    """Compte et fige les exécutions visées ; rien ne bouge avant « start »."""
    selection = Selection(
        fingerprint=fingerprint, journey=journey, step=step, error_code=error_code, since=since
    )
    replays = session.hub.repairs.replays
    planned = replays.plan(selection, act=act, actor=session.actor, rate=rate, reason=reason)
    _show(planned, is_json=is_json)


@replay.command("start")
@replay_argument
@click.option("--yes", "is_sure", is_flag=True, help="Ne demande pas avant d'agir.")
@as_json
@session
def start(session: Session, *, replay_id: UUID, is_sure: bool, is_json: bool) -> None:
    """Met un rejeu en marche ; une deuxième fois ne change rien."""
    replays = session.hub.repairs.replays
    found = replays.state(replay_id)
    if not is_sure and found.state in {"planned", "stopped"}:
        confirm(f"Agir sur {found.pending} exécutions ?")
    has_begun = replays.start(replay_id, actor=session.actor)
    if not has_begun and not is_json:
        say("Il était déjà en marche ou fini : rien n'a changé.")
    _show(replays.state(replay_id), is_json=is_json)


@replay.command("status")
@click.argument("replay_id", type=click.UUID, metavar="REJEU", required=False)
@as_json
@session
def status(session: Session, *, replay_id: UUID | None, is_json: bool) -> None:
    """Dit où en est un REJEU, ou les derniers."""
    replays = session.hub.repairs.replays
    if replay_id is not None:
        _show(replays.state(replay_id), is_json=is_json)
        return
    found = replays.latest()
    if is_json:
        answer([_state(each) for each in found])
    else:
        say(*(_sentence(each) for each in found) if found else ("Aucun rejeu.",))


@replay.command("stop")
@replay_argument
@as_json
@session
def stop(session: Session, *, replay_id: UUID, is_json: bool) -> None:
    """Arrête un rejeu ; « start » le fait reprendre où il en était."""
    _show(session.hub.repairs.replays.stop(replay_id, actor=session.actor), is_json=is_json)


_NAMES: Final = tuple(ReplayState.__dataclass_fields__)


def _state(state: ReplayState) -> Mapping[str, Any]:
    return {name: getattr(state, name) for name in _NAMES}


def _show(state: ReplayState, *, is_json: bool) -> None:
    if is_json:
        answer(_state(state))
        return
    say(_sentence(state))
    say(f"  prévu par {state.planned_by} le {at(state.planned_at)}, {state.rate} par seconde")
    if state.started_by:
        say(f"  mis en marche par {state.started_by} le {at(state.started_at)}")
    if state.stopped_by:
        say(f"  arrêté par {state.stopped_by} le {at(state.stopped_at)}")
    say(*(f"  laissées de côté, {count} : {why}" for why, count in state.skipped.items()))


def _sentence(state: ReplayState) -> str:
    act = "relancer" if state.act == RETRY else "écarter"
    left = sum(state.skipped.values())
    said = f"{state.id}  {STATES[state.state]} : {act} {state.total} exécutions"
    return f"{said} ; faites {state.done}, laissées {left}, à faire {state.pending}"


COMMANDS = (replay,)
