"""The ground the hub stands on: keys, tables, open data, and whether all is well."""

import base64
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import click

from orchestrator.services.open_data import SHIPPED_DATES, SOURCES, ImportReport, read_all
from orchestrator.store.consent import ConsentRows
from orchestrator.store.offer import OpenDataRows
from parvis import doctor as health
from parvis.cli.context import Session, answer, as_json, say, session
from parvis.cli.french import FrenchCommand, FrenchGroup
from parvis.findings import Finding
from schemas.errors import ConfigurationError, ImportRefusedError

SHIPPED = Path(__file__).parent.parent / "data"


@click.command(cls=FrenchCommand)
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("/etc/parvis"),
    show_default="/etc/parvis",
    help="Dossier des clés.",
)
def init(folder: Path) -> None:
    """Fait les fichiers de clés, lisibles de leur seul propriétaire."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    master, cookies = folder / "master.key", folder / "secret.key"
    existing = [str(path) for path in (master, cookies) if path.exists()]
    if existing:
        raise ConfigurationError(
            *(f"{path} existe déjà : une clé perdue ne se refait pas." for path in existing)
        )
    _write(master, base64.b64encode(secrets.token_bytes(32)).decode())
    _write(cookies, secrets.token_urlsafe(48))
    say(
        f"PARVIS_MASTER_KEY_FILE={master}",
        f"PARVIS_SECRET_KEY_FILE={cookies}",
        "Gardez une copie de la clé maîtresse hors de cette machine : sans elle, les données "
        "personnelles et les secrets sont perdus.",
    )


def _write(path: Path, content: str) -> None:
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(f"{content}\n", encoding="utf-8")


@click.command(cls=FrenchCommand)
@session
def migrate(session: Session) -> None:
    """Met la base à la dernière migration et y inscrit finalités et textes."""
    from orchestrator.store.migrate import upgrade  # noqa: PLC0415 - Alembic takes long to load

    revision = upgrade(session.settings.database_url)
    written = ConsentRows(session.hub.database).seed()
    say(f"Base à la migration {revision} ; {written} finalités et textes ajoutés.")


@click.group(cls=FrenchGroup)
def db() -> None:
    """La base de données."""


db.add_command(migrate, "upgrade")


@click.group(cls=FrenchGroup)
def data() -> None:
    """Les données ouvertes : communes, bibliothèques, musées."""


@data.command("import")
@click.option(
    "--dir",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Dossier des quatre fichiers (par défaut : ceux livrés avec Parvis).",
)
@click.option("--report", "is_full", is_flag=True, help="Dit chaque correction, ligne par ligne.")
@as_json
@session
def import_data(session: Session, *, folder: Path | None, is_full: bool, is_json: bool) -> None:
    """Charge les fichiers ; une deuxième fois ne change rien."""
    files = {source.file: _read(folder or SHIPPED, source.file) for source in SOURCES}
    found, reports = read_all(files, source_dates={} if folder else SHIPPED_DATES)
    counts = OpenDataRows(session.hub.database).import_open_data(found, actor=session.actor)
    if is_json:
        answer({name: _members(count) for name, count in counts.items()})
        return
    for report in reports:
        say(*report.summary(), *(_sentences(report) if is_full else ()))
    for name, count in counts.items():
        say(
            f"{_FRENCH[name]} : {count.created} ajoutés, {count.changed} changés, "
            f"{count.same} identiques, {count.absent} d'une édition précédente gardés."
        )


_FRENCH = {"communes": "Communes", "places": "Lieux"}


def _members(count: object) -> dict[str, int]:
    return {name: getattr(count, name) for name in ("created", "changed", "same", "absent")}


def _sentences(report: ImportReport) -> tuple[str, ...]:
    return tuple(f"  {finding.sentence()}" for finding in report.findings)


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        fault = f"{folder / name} est illisible : placez-y les quatre fichiers."
        raise ImportRefusedError(fault) from error


@click.group(cls=FrenchGroup, invoke_without_command=True)
@as_json
@click.pass_context
def doctor(context: click.Context, *, is_json: bool) -> int:
    """Vérifie l'installation ; chaque ligne qui ne va pas dit quoi faire."""
    if context.invoked_subcommand is not None:
        return 0
    return _told(health.examined(os.environ), is_json=is_json)


@doctor.command("identity")
@as_json
@session
def doctor_identity(session: Session, *, is_json: bool) -> int:
    """Vérifie la connexion : clés, royaumes, mappeurs, horloges, rôles, applications."""
    from parvis.doctor_identity import examined_identity  # noqa: PLC0415 - loads the SAML library

    return _told(examined_identity(session.hub, os.environ), is_json=is_json)


def _told(findings: Sequence[Finding], *, is_json: bool) -> int:
    if is_json:
        answer([finding.as_json() for finding in findings])
    else:
        say(*(finding.sentence() for finding in findings))
    return int(any(finding.is_fault for finding in findings))


COMMANDS = (init, migrate, db, data, doctor)
