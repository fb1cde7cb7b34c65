"""The commands put together, and what each exit code means.

0 done, 1 refused or not well, 2 mistyped, 69 the database, the broker or the sign-in server
does not answer, 78 the configuration is wrong, 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence

import click

from parvis.cli import (
    api_clients,
    broker,
    citizens,
    city,
    connectors,
    dead_letters,
    ground,
    identity,
    journal,
    journeys,
    partners,
    processes,
    replays,
    retry,
    runs,
    secrets,
    staff,
    tasks,
    users,
)
from parvis.cli.context import Session
from parvis.cli.french import FrenchGroup, sentence
from parvis.logs import configure
from parvis.metrics import running_version
from schemas.errors import (
    BrokerRefusedError,
    BrokerUnavailableError,
    ConfigurationError,
    IdentityUnavailableError,
    ParvisError,
    StoreUnavailableError,
)

DONE, REFUSED, MISTYPED, UNAVAILABLE, MISCONFIGURED, INTERRUPTED = 0, 1, 2, 69, 78, 130
_BROKER_AWAY = "RabbitMQ ne répond pas : vérifiez PARVIS_BROKER_URL et le serveur."
_AWAY = "La base de données ne répond pas : vérifiez PARVIS_DATABASE_URL et le serveur."


@click.group(
    cls=FrenchGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(
    running_version(), "--version", message="Parvis %(version)s", help="Montre la version."
)
@click.pass_context
def cli(context: click.Context) -> None:
    """Parvis : la place devant tous les services de la ville."""
    context.obj = Session()
    context.call_on_close(context.obj.close)


for part in (
    *(
        processes,
        broker,
        ground,
        city,
        partners,
        secrets,
        staff,
        users,
        citizens,
        identity,
        api_clients,
        journal,
    ),
    *(journeys, runs, dead_letters, tasks, replays),
    *(connectors, retry),
):
    for command in part.COMMANDS:
        cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    try:
        outcome = cli.main(args=arguments, prog_name="parvis", standalone_mode=False)
    except (ParvisError, click.ClickException, click.Abort, KeyboardInterrupt) as error:
        code, lines = _explained(error)
        for line in lines:
            click.echo(line, err=True)
        return code
    return outcome if isinstance(outcome, int) else DONE


def _explained(error: BaseException) -> tuple[int, tuple[str, ...]]:
    match error:
        case BrokerRefusedError():
            return MISCONFIGURED, error.faults
        case ConfigurationError():
            return MISCONFIGURED, (error.title, *error.faults)
        case StoreUnavailableError():
            return UNAVAILABLE, (_AWAY,)
        case BrokerUnavailableError():
            return UNAVAILABLE, (_BROKER_AWAY,)
        case IdentityUnavailableError():
            return UNAVAILABLE, (error.title, *filter(None, (error.detail,)))
        case ParvisError():
            return REFUSED, (error.title, *filter(None, (error.detail,)))
        case click.ClickException():
            return MISTYPED, (sentence(error),)
    return INTERRUPTED, ("Interrompu.",)


def run() -> None:
    """Run from ``python -m parvis``: standard output is the command's answer, logs go beside it."""
    configure(os.environ.get("PARVIS_LOG_FORMAT") or "console")
    sys.exit(main())
