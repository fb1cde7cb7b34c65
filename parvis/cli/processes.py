"""The processes: web server, workers, scheduler, demonstration."""

import os
import sys
import tempfile
from pathlib import Path

import click

from parvis.cli.broker import check as check_broker
from parvis.cli.context import Session, session
from parvis.cli.french import FrenchCommand
from parvis.settings import MOST_GREENLETS_ON_A_BROKER, TOO_MANY_GREENLETS
from schemas.errors import ConfigurationError

GUNICORN = ("-m", "gunicorn", "--no-control-socket", "--config")


@click.command(cls=FrenchCommand)
@session
def serve(session: Session) -> None:
    """Sert les pages et l'API (gunicorn, jusqu'à l'arrêt)."""
    _check(session)
    configuration = Path(__file__).parent.parent / "gunicorn_conf.py"
    if session.settings.metrics_port is not None:
        # one folder per start: counters of a former life would be added to this one's
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="parvis-metrics-")
    _become(*GUNICORN, str(configuration))


@click.command(cls=FrenchCommand)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    metavar="N",
    help="Processus de travail, gardés en vie par un petit parent (par défaut : 1).",
)
@click.option(
    "--greenlets",
    type=click.IntRange(1, 2000),
    metavar="M",
    help="Parcours menés de front par processus (par défaut : PARVIS_GREENLETS).",
)
@click.option(
    "--no-timers", "keeps_no_time", is_flag=True, help="Laisse l'heure à « parvis scheduler »."
)
@session
def worker(session: Session, *, processes: int, greenlets: int | None, keeps_no_time: bool) -> None:
    """Fait avancer les parcours (jusqu'à l'arrêt)."""
    _check(session)
    if session.hub.broker is not None:
        if (greenlets or 0) > MOST_GREENLETS_ON_A_BROKER:
            raise ConfigurationError(TOO_MANY_GREENLETS)
        check_broker(session)
    if greenlets is not None:
        os.environ["PARVIS_GREENLETS"] = str(greenlets)
    arguments = ["--no-timers"] if keeps_no_time else []
    if processes == 1:
        _become("-m", "parvis.worker", *arguments)
    _become("-m", "parvis.workers", str(processes), *arguments)


@click.command(cls=FrenchCommand)
@session
def scheduler(session: Session) -> None:
    """Tient l'heure : minuteries, reprises, entretien (jusqu'à l'arrêt)."""
    _check(session)
    _become("-m", "parvis.scheduler")


@click.command(cls=FrenchCommand)
@click.option("--once", is_flag=True, help="Joue l'histoire puis s'arrête.")
@click.option("--json", "is_json", is_flag=True, help="Dernière ligne : le bilan en JSON.")
@click.option("--data", type=click.Path(path_type=Path), help="Dossier de travail.")
@click.option("--fresh", is_flag=True, help="Oublie d'abord le dossier de travail.")
@click.option("--port", type=click.IntRange(1, 65535), help="Premier port à prendre.")
@click.option(
    "--identity",
    type=click.Choice(["double", "keycloak"]),
    help="Qui identifie les gens : la doublure de Keycloak, ou un vrai (dépôt et Java requis).",
)
def demo(
    *,
    once: bool,
    is_json: bool,
    data: Path | None,
    fresh: bool,
    port: int | None,
    identity: str | None,
) -> None:
    """Démarre une ville de démonstration complète sur cette machine."""
    from parvis.demo.supervisor import main as play  # noqa: PLC0415 - not for production

    flags = [("--once", once), ("--json", is_json), ("--fresh", fresh)]
    arguments = [flag for flag, is_set in flags if is_set]
    arguments += ["--data", str(data)] if data else []
    arguments += ["--port", str(port)] if port else []
    arguments += ["--identity", identity] if identity else []
    play(arguments)


def _check(session: Session) -> None:
    """List every fault of the settings here, before the process changes."""
    session.settings  # noqa: B018 - reading is the check


def _become(*arguments: str) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - no shell, fixed programs


COMMANDS = (serve, worker, scheduler, demo)
