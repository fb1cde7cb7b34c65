"""What every command shares: the settings, the hub, who asks, and how answers are printed."""

import json
import os
import pwd
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import click

from parvis.bootstrap import Hub, open_hub
from parvis.settings import Settings


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
    click.echo(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))


def say(*lines: str) -> None:
    """Print lines for people."""
    for line in lines:
        click.echo(line)
