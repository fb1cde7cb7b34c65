"""Tasks of people: what waits for a decision, and deciding."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import click

from orchestrator.services.ports.human_tasks import TaskRow
from parvis.cli.context import Session, answer, as_json, say, session
from parvis.cli.french import FrenchGroup
from parvis.cli.moments import at
from parvis.cli.run_words import TASKS


@click.group(cls=FrenchGroup)
def tasks() -> None:
    """Les décisions que des exécutions attendent d'une personne."""


@tasks.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=200, help="Combien au plus (200).")
@as_json
@session
def list_(session: Session, *, limit: int, is_json: bool) -> None:
    """Liste ce qui attend une décision, le plus ancien d'abord."""
    found = session.hub.repairs.tasks.waiting(most=limit)
    if is_json:
        answer([_task(row) for row in found])
    elif found:
        say(*(line for row in found for line in _lines(row)))
    else:
        say("Aucune décision n'est attendue.")


@tasks.command("decide")
@click.argument("task", type=click.UUID, metavar="TÂCHE")
@click.argument("decision", metavar="DÉCISION")
@as_json
@session
def decide(session: Session, *, task: UUID, decision: str, is_json: bool) -> None:
    """Donne la DÉCISION d'une TÂCHE ; la première réponse vaut."""
    row = session.hub.repairs.tasks.decide(task, decision, actor=session.actor)
    if is_json:
        answer(_task(row))
    else:
        say(f"{row.run_id} : « {decision} », l'exécution reprend.")


_NAMES: Final = (
    *("id", "run_id", "journey", "step", "kind", "question", "decisions", "opened_at", "due_at"),
    *("overdue_at", "closed_at", "decision", "decided_by"),
)


def _task(row: TaskRow) -> Mapping[str, Any]:
    return {name: getattr(row, name) for name in _NAMES}


def _lines(row: TaskRow) -> list[str]:
    late = " (en retard)" if row.overdue_at else ""
    what = TASKS.get(row.kind, row.kind)
    answers = ", ".join(row.decisions) or "agissez sur l'exécution (« parvis runs »)"
    return [
        f"{row.id}  depuis le {at(row.opened_at)}{late}",
        f"  {row.journey}, étape {row.step} : {what} ({row.question})",
        f"  exécution {row.run_id} ; réponses : {answers}",
    ]


COMMANDS = (tasks,)
