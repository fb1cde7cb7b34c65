"""Runs: found, read, and taken care of by hand."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import click

from orchestrator.services.ports.operations import ActDone
from orchestrator.services.ports.signals import HandSignal
from orchestrator.services.ports.views import Position, RunFilter, RunLine
from orchestrator.services.run_operations import Acted, Keys, Version
from orchestrator.services.run_views import Attempt, RunView, RunViews
from parvis.cli.context import Session, answer, as_json, confirm, read_object, say, session
from parvis.cli.french import FrenchGroup
from parvis.cli.moments import at
from parvis.cli.run_words import ACTS, OUTCOMES, STATUSES, Since, standing
from schemas import ids
from schemas.errors import RunUnknownError

run_argument = click.argument("run", type=click.UUID, metavar="EXÉCUTION")
reason_option = click.option(
    "--reason", required=True, help="Pourquoi, en quelques mots et sans nommer personne."
)
sure_option = click.option("--yes", "is_sure", is_flag=True, help="Ne demande pas avant d'agir.")
LINE_NAMES: Final = (
    *("id", "journey", "version", "status", "attempts", "created_at", "updated_at", "ended_at"),
    *("wake_at", "waiting_for", "error_code", "is_late", "parent_id", "forked_from"),
)


@click.group(cls=FrenchGroup)
def runs() -> None:
    """Les exécutions de parcours : les trouver, les lire, les réparer."""


@runs.command("list")
@click.option(
    "--status", "statuses", multiple=True, type=click.Choice(list(STATUSES)), help="État."
)
@click.option("--journey", help="Nom du parcours.")
@click.option("--since", type=Since(), help="Commencées depuis cette durée (90min, 12h, 3d).")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help="Combien au plus (50).")
@as_json
@session
def list_(  # noqa: PLR0913 - one argument per option
    session: Session,
    *,
    statuses: tuple[str, ...],
    journey: str | None,
    since: datetime | None,
    limit: int,
    is_json: bool,
) -> None:
    """Liste les exécutions, la plus récente d'abord."""
    asked = RunFilter(statuses=statuses or None, journey=journey, since=since)
    lines = _lines(session.hub.repairs.views, asked, limit)
    if is_json:
        answer([_line(line) for line in lines])
    elif lines:
        say(*(_sentence(line) for line in lines))
    else:
        say("Aucune exécution.")


@runs.command("show")
@run_argument
@as_json
@session
def show(session: Session, *, run: UUID, is_json: bool) -> None:
    """Montre une exécution : chaque tentative, chaque acte et son auteur."""
    repairs = session.hub.repairs
    view = repairs.views.run(run)
    if view is None:
        fault = f"Aucune exécution ne porte l'identifiant {run}."
        raise RunUnknownError(fault)
    acts, late = repairs.acts.acts(run), session.hub.unheard.waiting(run)
    if is_json:
        attempts = [_attempt(each) for each in view.attempts]
        done = [_act(each) for each in acts]
        told = {"log": attempts, "acts": done, "ahead": list(view.ahead), "late_messages": late}
        answer({**_line(view.line), **told})
        return
    say(*_sheet(view, {(act.seq, act.attempt): act for act in acts}))
    if late:
        say(
            f"Messages de la même clé arrivés depuis : {late}. Si elle ne va pas à son terme, le premier",
            "lancera une exécution à lui.",
        )


@runs.command("retry")
@run_argument
@as_json
@session
def retry(session: Session, *, run: UUID, is_json: bool) -> None:
    """Relance l'étape d'une exécution en rebut, le compte des échecs remis à zéro."""
    operations = session.hub.repairs.operations
    _told(operations.retry(run, actor=session.actor), is_json=is_json)


@runs.command("resume")
@run_argument
@as_json
@session
def resume(session: Session, *, run: UUID, is_json: bool) -> None:
    """Fait repartir sans attendre une exécution qui attend une nouvelle tentative."""
    operations = session.hub.repairs.operations
    _told(operations.resume(run, actor=session.actor), is_json=is_json)


@runs.command("skip")
@run_argument
@reason_option
@sure_option
@as_json
@session
def skip(session: Session, *, run: UUID, reason: str, is_sure: bool, is_json: bool) -> None:
    """Passe l'étape où une exécution est en rebut, avec un motif."""
    _confirm("Sauter cette étape ?", is_sure=is_sure)
    operations = session.hub.repairs.operations
    _told(operations.skip(run, actor=session.actor, reason=reason), is_json=is_json)


@runs.command("discard")
@run_argument
@reason_option
@sure_option
@as_json
@session
def discard(session: Session, *, run: UUID, reason: str, is_sure: bool, is_json: bool) -> None:
    """Écarte une exécution en rebut : ce qu'elle a fait est repris, puis elle finit."""
    _confirm("Écarter cette exécution ?", is_sure=is_sure)
    operations = session.hub.repairs.operations
    _told(operations.discard(run, actor=session.actor, reason=reason), is_json=is_json)


@runs.command("cancel")
@run_argument
@click.option("--reason", help="Pourquoi, en quelques mots et sans nommer personne.")
@sure_option
@as_json
@session
def cancel(
    session: Session, *, run: UUID, reason: str | None, is_sure: bool, is_json: bool
) -> None:
    """Arrête une exécution à sa prochaine étape et reprend ce qu'elle a fait."""
    _confirm("Arrêter cette exécution ?", is_sure=is_sure)
    operations = session.hub.repairs.operations
    _told(operations.cancel(run, actor=session.actor, reason=reason), is_json=is_json)


@runs.command("restart")
@run_argument
@click.option(
    "--version",
    type=click.Choice([version.value for version in Version]),
    default=Version.TODAY.value,
    help="today : la définition d'aujourd'hui ; recorded : celle d'alors.",
)
@sure_option
@as_json
@session
def restart(session: Session, *, run: UUID, version: str, is_sure: bool, is_json: bool) -> None:
    """Recommence depuis le début, sur le même message, une exécution finie ou en rebut."""
    _confirm("Recommencer depuis le début ?", is_sure=is_sure)
    operations = session.hub.repairs.operations
    acted = operations.restart(run, actor=session.actor, version=Version(version))
    _told(acted, is_json=is_json)


@runs.command("fork")
@run_argument
@click.option("--from", "start", required=True, metavar="ÉTAPE", help="Nom ou numéro d'une étape.")
@click.option(
    "--same-effect",
    "keys",
    flag_value=Keys.SAME.value,
    help="Garde les clés d'idempotence : les systèmes ne refont rien.",
)
@sure_option
@as_json
@session
def fork(  # noqa: PLR0913 - one argument per option
    session: Session, *, run: UUID, start: str, keys: str | None, is_sure: bool, is_json: bool
) -> None:
    """Reprend d'une étape, en une nouvelle exécution, ce qu'une exécution finie avait fait."""
    _confirm("Reprendre de cette étape ?", is_sure=is_sure)
    operations = session.hub.repairs.operations
    chosen = Keys(keys or Keys.NEW.value)
    _told(operations.fork(run, start=start, actor=session.actor, keys=chosen), is_json=is_json)


@runs.command("signal")
@run_argument
@click.argument("name", metavar="SIGNAL")
@click.option(
    "--payload-file",
    "payload",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Ce que le signal apporte : un objet JSON, gardé chiffré.",
)
@click.option("--dedup", help="Clé sous laquelle il ne vaut qu'une fois (une nouvelle, montrée).")
@reason_option
@sure_option
@as_json
@session
def signal(  # noqa: PLR0913 - one argument per option
    session: Session,
    *,
    run: UUID,
    name: str,
    payload: Path | None,
    dedup: str | None,
    reason: str,
    is_sure: bool,
    is_json: bool,
) -> None:
    """Donne à une exécution le SIGNAL qu'elle attend, ou attendra, avec un motif."""
    given = HandSignal(
        name=name,
        dedup=dedup or str(ids.uuid7()),
        actor=session.actor,
        reason=reason,
        payload=read_object(payload) if payload else None,
    )
    _confirm("Donner ce signal ?", is_sure=is_sure)
    heard = session.hub.repairs.signals.give(run, given)
    if is_json:
        told = {"run_id": run, "act": "signal", "status": heard.status}
        kept = {"is_new": heard.is_new, "is_reason_kept": heard.is_reason_kept}
        answer({**told, "signal": name, "dedup": given.dedup, **kept})
        return
    if not heard.is_new:
        say(f"{run} : ce signal était déjà donné sous la clé {given.dedup}, rien n'a changé.")
        return
    say(f"{run} : {ACTS['signal']} ; {STATUSES[heard.status]}.", f"Clé : {given.dedup}.")
    _told_of_reason(is_kept=heard.is_reason_kept)


def _confirm(question: str, *, is_sure: bool) -> None:
    if not is_sure:
        confirm(question)


def _told(acted: Acted, *, is_json: bool) -> None:
    if is_json:
        told = {"run_id": acted.run_id, "act": acted.act, "status": acted.status}
        answer({**told, "new_run_id": acted.new_run_id, "is_reason_kept": acted.is_reason_kept})
        return
    say(f"{acted.run_id} : {ACTS[acted.act]} ; {STATUSES[acted.status]}.")
    if acted.new_run_id:
        say(f"Nouvelle exécution : {acted.new_run_id}.")
    _told_of_reason(is_kept=acted.is_reason_kept)


def _told_of_reason(*, is_kept: bool) -> None:
    if not is_kept:
        say("Le motif n'est pas gardé : les données de cette exécution sont effacées.")


def _lines(views: RunViews, asked: RunFilter, limit: int) -> Sequence[RunLine]:
    found: list[RunLine] = []
    start: Position | None = None
    while len(found) < limit:
        page = views.page(asked, start=start)
        found += page.lines
        start = page.older
        if start is None:
            break
    return found[:limit]


def _line(line: RunLine) -> Mapping[str, Any]:
    return {name: getattr(line, name) for name in LINE_NAMES}


def _sentence(line: RunLine) -> str:
    said = f"{line.id}  {at(line.created_at)}  {line.journey} v{line.version}  "
    said += standing(line.status, line.waiting_for)
    return f"{said} ({line.error_code})" if line.error_code else said


def _attempt(attempt: Attempt) -> Mapping[str, Any]:
    row = attempt.row
    names = ("seq", "attempt", "name", "outcome", "cause", "actor", "worker")
    error = {"error": attempt.error_class, "detail": attempt.detail, "system": attempt.system}
    return (
        {name: getattr(row, name) for name in names}
        | error
        | {
            "started_at": row.started_at,
            "ended_at": row.ended_at,
        }
    )


def _act(act: ActDone) -> Mapping[str, Any]:
    names = ("seq", "name", "cause", "actor", "reason", "at")
    return {name: getattr(act, name) for name in names}


def _sheet(view: RunView, acts: Mapping[tuple[int, int], ActDone]) -> Sequence[str]:
    line = view.line
    lines = [
        _sentence(line),
        f"Commencée le {at(line.created_at)}, dernière étape le {at(line.updated_at)}.",
    ]
    if line.wake_at or line.waiting_for:
        until = f", au plus tard le {at(line.wake_at)}" if line.wake_at else ""
        lines.append(f"Attend {line.waiting_for or 'une heure'}{until}.")
    if line.forked_from:
        lines.append(f"Suite de l'exécution {line.forked_from}.")
    if line.parent_id:
        lines.append(f"Lancée par l'exécution {line.parent_id}.")
    if not view.is_version_known:
        lines.append("Ce programme ne connaît pas cette version du parcours.")
    if view.earlier_attempts:
        lines.append("  Des tentatives plus anciennes ne sont pas montrées.")
    for attempt in view.attempts:
        act = acts.get((attempt.row.seq, attempt.row.attempt))
        lines.append(_act_sentence(act) if act else _attempt_sentence(attempt))
    lines += [f"  à venir   {name}" for name in view.ahead]
    return lines


def _attempt_sentence(attempt: Attempt) -> str:
    row = attempt.row
    why = " : ".join(part for part in (row.cause, attempt.error_class, attempt.detail) if part)
    said = f"  {at(row.started_at)}  {row.name}, tentative {row.attempt} : "
    said += OUTCOMES.get(row.outcome, row.outcome)
    return f"{said} ({why})" if why else said


def _act_sentence(act: ActDone) -> str:
    said = f"  {at(act.at)}  {ACTS.get(act.cause, act.cause)} par {act.actor} ({act.name})"
    return f"{said} : {act.reason}" if act.reason else said


COMMANDS: Final[tuple[Callable[..., Any], ...]] = (runs,)
