"""The city's configuration: what a file would change, changing it, writing it out."""

from pathlib import Path

import click

from orchestrator.services.configuration import Absent, Plan
from orchestrator.store.consent import ConsentRows
from parvis.cli.context import Session, answer, as_json, confirm, opened, say, session
from parvis.cli.french import FrenchCommand
from schemas.errors import ConfigurationError

file_argument = click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FICHIER"
)
retire_option = click.option(
    "--retire", "is_retiring", is_flag=True, help="Retire ce que le fichier ne nomme pas."
)


@click.command(cls=FrenchCommand)
@file_argument
@retire_option
@as_json
@session
def plan(session: Session, *, file: Path, is_retiring: bool, is_json: bool) -> int:
    """Montre ce qu'appliquer FICHIER changerait, sans rien changer."""
    planned = session.hub.configuration.plan(_text(file), _absent(is_retiring=is_retiring))
    _show(planned, is_json=is_json)
    if planned.faults and not is_json:
        raise ConfigurationError(*planned.faults)
    return 78 if planned.faults else 0


@click.command(cls=FrenchCommand)
@file_argument
@retire_option
@click.option("--yes", "is_sure", is_flag=True, help="Ne demande pas avant de retirer.")
@as_json
@session
def apply(session: Session, *, file: Path, is_retiring: bool, is_sure: bool, is_json: bool) -> None:
    """Applique FICHIER : tout, en une révision, ou rien."""
    configuration, text = session.hub.configuration, _text(file)
    absent = _absent(is_retiring=is_retiring)
    planned = configuration.plan(text, absent)
    if planned.retire and not is_sure and not planned.faults:
        say(*planned.sentences())
        confirm("Retirer ces éléments ?")
    ConsentRows(session.hub.database).seed()
    applied = configuration.apply(text, actor=session.actor, absent=absent)
    if is_json:
        answer({**applied.plan.summary(), "revision": applied.revision})
        return
    say(*applied.plan.sentences())
    if not applied.plan.is_empty:
        say(f"Appliqué : révision {applied.revision}.")


@click.command(cls=FrenchCommand)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Fichier à écrire.")
@session
def export(session: Session, *, output: Path | None) -> None:
    """Écrit la configuration en vigueur, secrets par leur nom."""
    text = session.hub.configuration.export()
    if output is None:
        click.echo(text, nl=False)
    else:
        with opened(output) as file:
            file.write(text)
        say(f"Écrit dans {output}.")


def _show(planned: Plan, *, is_json: bool) -> None:
    if is_json:
        answer(planned.summary())
    else:
        say(*planned.sentences())


def _absent(*, is_retiring: bool) -> Absent:
    return Absent.RETIRED if is_retiring else Absent.KEPT


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fault = f"{file} est illisible : un fichier YAML en UTF-8 est attendu."
        raise ConfigurationError(fault) from error


COMMANDS = (plan, apply, export)
