"""Journeys: versions and the runs on them, one drawn, stored logs replayed, runs moved to a new one."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import click

from orchestrator import journeys
from orchestrator.runtime.replaying import divergences
from orchestrator.services.journey_drawings import mermaid, svg
from orchestrator.services.journey_moves import JourneyMoves, Planned, Wanted, moved_to
from orchestrator.services.journey_views import JourneyViews, StepView, VersionLine
from orchestrator.services.ports.versions import LogRow, RunAt, RunLog, UnderWay
from orchestrator.store.versions import VersionTable
from parvis.cli.context import Session, answer, as_json, opened, say, session
from parvis.cli.french import FrenchGroup, MistypedError, UnfitValueError
from parvis.cli.run_words import STATUSES
from schemas import clock
from schemas.errors import ImportRefusedError

PAGE: Final = 500
SHOWN: Final = 50
_VERSION: Final = click.option(
    "--version", "number", type=click.IntRange(1), metavar="N", help="La plus récente sans cela."
)
_NAME: Final = click.argument("name", metavar="PARCOURS")


@click.group("journeys", cls=FrenchGroup)
def journeys_() -> None:
    """Les parcours : définitions, versions, exécutions en cours sur chacune."""


# --- what there is --------------------------------------------------------------------------------


@journeys_.command("list")
@as_json
@session
def list_(session: Session, *, is_json: bool) -> int:
    """Liste les versions, leur empreinte et les exécutions en cours ; 1 si l'une est inconnue."""
    lines = _views(session).versions()
    if is_json:
        answer([{**asdict(line), "total": line.total} for line in lines])
    else:
        say(*map(_line, lines))
    return int(any(line.digest is None for line in lines))


def _line(line: VersionLine) -> str:
    digest = line.digest[:12] if line.digest else "INCONNUE DE CE CODE"
    state = "en vigueur" if line.is_newest else "ancienne"
    under_way = line.under_way.items()
    statuses = ", ".join(f"{STATUSES.get(status, status)} {total}" for status, total in under_way)
    return (
        f"{line.name} v{line.version} ({state if line.digest else 'absente'}) {digest} : "
        f"{line.total} en cours{f' ({statuses})' if statuses else ''}"
    )


@journeys_.command("show")
@_NAME
@_VERSION
@as_json
def show(*, name: str, number: int | None, is_json: bool) -> None:
    """Montre les étapes d'un parcours."""
    view = _definitions().show(name, number)
    if is_json:
        answer(asdict(view))
        return
    begins = ", ".join(view.starts_on) or "un autre parcours"
    fails = "annulé aussitôt" if view.undoes_at_once else "mis au rebut, une personne décide"
    say(f"{view.name} v{view.version} ({view.digest[:12]})", f"Commence par : {begins}.")
    for place, step in enumerate(view.steps, 1):
        say(f"{place:3}. {step.name} — {_said(step)}")
    say(f"En cas d'échec définitif : {fails}.")


def _said(step: StepView) -> str:
    said = [step.kind, *step.facts]
    said += [f"{when} : fin « {outcome} »" for when, outcome in step.ends]
    said += [f"annulée par {step.undo}"] if step.undo else []
    return " ; ".join([*said, "point de non-retour"] if step.is_pivot else said)


@journeys_.command("diagram")
@_NAME
@_VERSION
@click.option("--svg", "form", flag_value="svg", help="Une image SVG, avec sa description.")
@click.option("--mermaid", "form", flag_value="mermaid", default=True, help="Du texte Mermaid.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Fichier à écrire.")
def diagram(*, name: str, number: int | None, form: str, output: Path | None) -> None:
    """Dessine un parcours (Mermaid, ou --svg)."""
    view = _definitions().show(name, number)
    drawn = svg(view) if form == "svg" else mermaid(view)
    if output is None:
        click.echo(drawn, nl=False)
    else:
        with opened(output) as file:
            file.write(drawn)


# --- stored logs on this code ---------------------------------------------------------------------


@journeys_.command("check")
@click.option("--journey", "name", metavar="PARCOURS", help="Un seul parcours.")
@click.option(
    "--ended",
    "days",
    type=click.IntRange(0, 400),
    default=0,
    metavar="JOURS",
    help="Rejoue aussi les exécutions terminées depuis tant de jours.",
)
@click.option(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Garde les journaux dans un fichier (ni donnée ni référence de personne).",
)
@click.option(
    "--from",
    "saved",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Rejoue les journaux de ce fichier plutôt que ceux de la base.",
)
@as_json
@session
def check(  # noqa: PLR0913 - one argument per option
    session: Session,
    *,
    name: str | None,
    days: int,
    save: Path | None,
    saved: Path | None,
    is_json: bool,
) -> int:
    """Rejoue les journaux sur ce code ; 1 si une exécution y trouverait une autre étape."""
    if save and saved:
        raise MistypedError("--save garde ceux de la base : il ne va pas avec --from.")
    logs = _Counted(_read(saved, name) if saved else _stored(session, name, days))
    kept = _kept(logs, save) if save else logs
    found = list(divergences(kept, journeys.journey_for))
    if is_json:
        answer({"checked": logs.count, "divergences": [asdict(it) for it in found]})
    else:
        say(*(it.sentence() for it in found))
        say(f"{logs.count} journaux rejoués, {len(found)} divergences.")
    return int(bool(found))


class _Counted:
    """Counts logs on their way."""

    def __init__(self, logs: Iterator[RunLog]) -> None:
        self._logs = logs
        self.count = 0

    def __iter__(self) -> Iterator[RunLog]:
        for log in self._logs:
            self.count += 1
            yield log


def _stored(session: Session, name: str | None, days: int) -> Iterator[RunLog]:
    rows, after = _rows(session), None
    since = clock.utcnow() - timedelta(days=days) if days else None
    while True:
        page = rows.logs(journey=name, ended_since=since, after=after, most=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].run.id


def _kept(logs: _Counted, path: Path) -> Iterator[RunLog]:
    """Write each log as a line on its way."""
    with opened(path) as file:
        for log in logs:
            bare = replace(log, rows=[_bare(row) for row in log.rows])
            file.write(json.dumps(asdict(bare), default=str, sort_keys=True) + "\n")
            yield log


def _bare(row: LogRow) -> LogRow:
    """Return a row without what may name somebody: who did it, and what they said of it."""
    is_move, is_ours = moved_to(row.cause) is not None, row.actor in {None, "worker"}
    return replace(
        row,
        cause=row.cause if is_move or is_ours else None,
        actor=row.actor if is_ours else "person",
    )


def _read(path: Path, name: str | None) -> Iterator[RunLog]:
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        try:
            log = _log(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            fault = f"{path}, ligne {number} : ce n'est pas un journal gardé par --save."
            raise ImportRefusedError(fault) from error
        if name in {None, log.run.journey}:
            yield log


def _log(told: dict[str, Any]) -> RunLog:
    run, ended_at = told["run"], told["ended_at"]
    return RunLog(
        run=RunAt(**{**run, "id": UUID(run["id"])}),
        ended_at=datetime.fromisoformat(ended_at) if ended_at else None,
        rows=[LogRow(**row) for row in told["rows"]],
    )


# --- to another version ---------------------------------------------------------------------------


def _pairs(context: click.Context, option: click.Parameter, given: Sequence[str]) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in given]
    if any(not (old and new) for old, _, new in pairs):
        raise UnfitValueError("écrivez ancienne=nouvelle", context, option)
    return {old: new for old, _, new in pairs}


@journeys_.command("migrate")
@_NAME
@click.option("--from", "old", type=click.IntRange(1), required=True, metavar="N", help="Version.")
@click.option("--to", "new", type=click.IntRange(1), required=True, metavar="N", help="Version.")
@click.option(
    "--map",
    "names",
    multiple=True,
    callback=_pairs,
    metavar="ÉTAPE=ÉTAPE",
    help="Étape de l'ancienne version, et celle de la nouvelle où reprendre.",
)
@click.option("--yes", is_flag=True, help="Fait ce qui est montré (sans cela, rien ne change).")
@as_json
@session
def migrate(  # noqa: PLR0913 - one argument per option
    session: Session,
    *,
    name: str,
    old: int,
    new: int,
    names: dict[str, str],
    yes: bool,
    is_json: bool,
) -> int:
    """Fait passer les exécutions en cours d'une version à une autre ; montre d'abord lesquelles."""
    moves = JourneyMoves(rows=_rows(session), journeys=journeys.all_journeys())
    wanted = Wanted(journey=name, old=old, new=new, names=names)
    if not yes:
        return _show_plan(moves.plan(wanted), is_json=is_json)
    done = moves.move(wanted, actor=session.actor)
    if is_json:
        stayed = [_planned(planned) for planned in done.stayed]
        overtaken = [str(run.id) for run in done.overtaken]
        answer({"moved": done.moved, "stayed": stayed, "overtaken": overtaken})
    else:
        say(*(_sentence(planned) for planned in done.stayed[:SHOWN]))
        say(
            *(
                f"{run.id} : elle a bougé entre-temps, recommencez."
                for run in done.overtaken[:SHOWN]
            )
        )
        say(f"{done.moved} exécutions passées à la version {new}.")
    return int(bool(done.stayed or done.overtaken))


def _show_plan(plan: Iterator[Planned], *, is_json: bool) -> int:
    if is_json:
        answer([_planned(planned) for planned in plan])
        return 0
    shown = list(islice(plan, SHOWN))
    faults, total = sum(bool(planned.fault) for planned in shown), len(shown)
    say(*map(_sentence, shown))
    for planned in plan:
        total, faults = total + 1, faults + bool(planned.fault)
    if total > SHOWN:
        say(f"… et {total - SHOWN} autres (--json les donne toutes).")
    say(f"{total - faults} exécutions passeraient, {faults} resteraient. Rien n'a été changé.")
    return 0


def _planned(planned: Planned) -> dict[str, Any]:
    run, place = planned.run, planned.place
    return {
        "run": str(run.id),
        "status": run.status,
        "from": place.before,
        "to": place.after,
        "never_done": list(place.never_done),
        "fault": planned.fault,
    }


def _sentence(planned: Planned) -> str:
    run, place = planned.run, planned.place
    status = STATUSES.get(run.status, run.status)
    if planned.fault:
        return f"{run.id} ({status}, devant {place.before}) reste : {planned.fault}."
    never = f" ; jamais faites : {', '.join(place.never_done)}" if place.never_done else ""
    looks = "" if place.is_same else " (étape relue à neuf)"
    return f"{run.id} ({status}) : {place.before} → {place.after}{looks}{never}"


# --- wiring ---------------------------------------------------------------------------------------


def _rows(session: Session) -> VersionTable:
    return VersionTable(session.hub.database, session.hub.notifier)


def _views(session: Session) -> JourneyViews:
    return JourneyViews(journeys=journeys.all_journeys(), under_way=_rows(session).under_way)


def _definitions() -> JourneyViews:
    """Return the views of the definitions alone: no database is asked."""
    return JourneyViews(journeys=journeys.all_journeys(), under_way=list[UnderWay])


COMMANDS = (journeys_,)
