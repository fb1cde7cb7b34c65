"""Secrets: set from a file or the keyboard, never from the command line; checked without being shown."""

import sys
from pathlib import Path

import click

from orchestrator.services.configuration_checks import referred_secrets
from parvis.cli.context import Session, answer, as_json, say, session
from parvis.cli.french import FrenchGroup
from schemas.errors import ConfigurationError
from schemas.shapes import CONFIG_ID, ID_RULE

LONGEST = 8192


@click.group(cls=FrenchGroup)
def secrets() -> None:
    """Les secrets que la configuration nomme."""


@secrets.command("set")
@click.argument("name", metavar="NOM")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Fichier qui contient la valeur (sinon : entrée standard).",
)
@session
def set_(session: Session, *, name: str, file: Path | None) -> None:
    """Donne sa valeur au secret NOM, scellée sous la clé maîtresse."""
    if not CONFIG_ID.fullmatch(name):
        raise ConfigurationError(f"« {name[:60]} » : {ID_RULE}.")  # noqa: EM102 - one sentence
    value = _given(file)
    if not value or len(value) > LONGEST:
        fault = f"La valeur est vide ou dépasse {LONGEST} caractères : rien n'a été enregistré."
        raise ConfigurationError(fault)
    session.hub.secrets.put(name, value, actor=session.actor)
    say(f"Secret {name} enregistré.")


@secrets.command("check")
@as_json
@session
def check(session: Session, *, is_json: bool) -> int:
    """Dit quels secrets nommés n'ont pas de valeur lisible."""
    named = referred_secrets(session.hub.configuration.entries())
    known = session.hub.secrets.values(named)
    if is_json:
        answer({name: name in known for name in named})
    else:
        say(*(f"{name} : {'bon' if name in known else 'manque'}" for name in named))
    return int(len(known) < len(named))


def _given(file: Path | None) -> str:
    if file is not None:
        return file.read_text(encoding="utf-8").strip()
    if sys.stdin.isatty():
        return str(click.prompt("Valeur", hide_input=True)).strip()
    return sys.stdin.read(LONGEST + 2).strip()


COMMANDS = (secrets,)
