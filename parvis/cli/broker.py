"""RabbitMQ: what Parvis declares there, and the relay that feeds it."""

import os
import sys

import click

from orchestrator.broker.connection import Broker
from orchestrator.broker.topology import declare, table
from parvis.cli.context import Session, answer, as_json, say, session
from parvis.cli.french import FrenchCommand, FrenchGroup
from schemas.errors import BrokerUnavailableError, ConfigurationError, StoreUnavailableError

NO_BROKER = "PARVIS_BROKER_URL manque : donnez l'adresse de RabbitMQ, amqp://…"
_KINDS = {"exchange": "échange", "queue": "file", "binding": "lien"}


@click.group(cls=FrenchGroup)
def broker() -> None:
    """RabbitMQ, qui réveille les processus de travail."""


@broker.command(cls=FrenchCommand)
@click.option("--declare", "is_declared", is_flag=True, help="Crée ce qui manque ; ne change rien.")
@as_json
@session
def topology(session: Session, *, is_declared: bool, is_json: bool) -> None:
    """Montre les échanges, les files et leurs arguments."""
    if is_declared:
        _declare(session)
    rows = list(table())
    if is_json:
        answer(rows)
        return
    for row in rows:
        arguments = ", ".join(f"{name}={value}" for name, value in row["arguments"].items())
        say(f"{_KINDS[row['object']]:8} {row['name']:42} {row['kind']:8} {arguments}".rstrip())
    if is_declared:
        say("Tout est en place.")


@click.command(cls=FrenchCommand)
@session
def relay(session: Session) -> None:
    """Porte les messages de la base à RabbitMQ (jusqu'à l'arrêt)."""
    check(session)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "parvis.relay"])  # noqa: S606 - fixed program


def broker_of(session: Session) -> Broker:
    """Return the broker of the settings; raises ConfigurationError when there is none."""
    session.settings  # noqa: B018 - all faults of the settings are said first
    if session.hub.broker is None:
        raise ConfigurationError(NO_BROKER)
    return session.hub.broker


def check(session: Session) -> None:
    """Refuse what a person must mend before a process starts; one that is away may come later."""
    try:
        _declare(session)
    except (BrokerUnavailableError, StoreUnavailableError) as error:
        click.echo(f"Remarque : {error.title}", err=True)


def _declare(session: Session) -> None:
    link = broker_of(session).open("command line")
    try:
        declare(link, on_lost=session.hub.runs.wake_all)
    finally:
        link.close()


COMMANDS = (broker, relay)
