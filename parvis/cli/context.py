"""What every command shares: the settings, the hub, who asks, and how answers are printed."""

import json
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

import click

from orchestrator.services.intake import MOST_EVENT_BYTES
from parvis.bootstrap import Hub, open_hub
from parvis.cli.french import MistypedError
from parvis.settings import Settings
from schemas import clock


@dataclass(frozen=True)
class Session:
    """One call of the command line; nothing is read or opened before it is needed."""

    @cached_property
    def settings(self) -> Settings:
        """The process settings; raises ConfigurationError with all their faults."""
        settings = Settings.read(os.environ)
        for remark in settings.remarks:
            click.echo(f"Remarque : {remark}", err=True)
        return settings

    @cached_property
    def hub(self) -> Hub:
        """The hub."""
        return open_hub(self.settings)

    def close(self) -> None:
        """Close what was opened."""
        if "hub" in self.__dict__:
            self.hub.database.close()

    @property
    def actor(self) -> str:
        """Who asks, as the system knows them."""
        try:
            return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
        except KeyError:
            return f"cli:{os.getuid()}"


session = click.make_pass_decorator(Session, ensure=True)
as_json = click.option("--json", "is_json", is_flag=True, help="Réponse en JSON, sur une ligne.")


def answer(value: Any) -> None:
    """Print a value as one line of JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, sort_keys=True, default=_plain))


def _plain(value: object) -> str:
    return clock.rfc3339(value) if isinstance(value, datetime) else str(value)


def confirm(question: str) -> None:
    """Ask before an act, beside the answer; whoever does not say yes aborts the command."""
    said: str = click.prompt(f"{question} [o/N]", default="n", show_default=False, err=True)
    if said.strip().lower() not in {"o", "oui", "y", "yes"}:
        raise click.Abort


def read_object(path: Path) -> Mapping[str, Any]:
    """Read a file that holds one JSON object; another content, or a long one, is told unquoted."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_EVENT_BYTES + 1)
        found = json.loads(content) if len(content) <= MOST_EVENT_BYTES else None
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        most = MOST_EVENT_BYTES // 1024
        fault = f"« {path} » ne contient pas un objet JSON de {most} Kio au plus."
        raise MistypedError(fault)
    return found


def opened(path: Path) -> TextIO:
    """Open a file to write; one that cannot be written is told."""
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        fault = f"« {path} » ne s'écrit pas : voyez le dossier et ses droits."
        raise MistypedError(fault) from error


def say(*lines: str) -> None:
    """Print lines for people."""
    for line in lines:
        click.echo(line)
