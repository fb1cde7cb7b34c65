"""The journal: a checkpoint to be kept elsewhere, the chain verified, an export for others to verify."""

import json
from pathlib import Path
from typing import Final

import click

from orchestrator.store.journal import JournalEntry, append
from parvis import journal_checkpoints
from parvis.cli.context import Session, answer, as_json, opened, say, session
from parvis.cli.french import FrenchGroup
from schemas import chain

FAULTS: Final = {
    "checkpoint": "la signature du point de contrôle n'est pas celle de notre clé",
    "seq": "une écriture manque, est en double ou déplacée",
    "prev": "une écriture ne suit pas la précédente",
    "hash": "une écriture a été changée",
    "fork": "ce n'est pas le journal dont le point de contrôle a été pris",
    "short": "la fin du journal manque",
}


@click.group(cls=FrenchGroup)
def journal() -> None:
    """Le journal des décisions, à l'épreuve des retouches."""


@journal.command("checkpoint")
@click.argument("file", metavar="FICHIER", type=click.Path(dir_okay=False, path_type=Path))
@session
def checkpoint(session: Session, *, file: Path) -> None:
    """Écrit un point de contrôle signé, à garder hors de cette machine."""
    made = session.hub.checkpoints.make()
    with opened(file) as out:
        out.write(journal_checkpoints.text_of(made))
    say(f"{file} : {made.size} écritures, clé {made.key_id}.", "Gardez-le hors de cette machine.")


@journal.command("verify")
@click.option(
    "--checkpoint",
    "file",
    metavar="FICHIER",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Dernier point de contrôle gardé ailleurs : sans lui, une fin coupée ne se voit pas.",
)
@as_json
@session
def verify(session: Session, *, file: Path | None, is_json: bool) -> int:
    """Vérifie toute la chaîne."""
    known = journal_checkpoints.read(file) if file else None
    rows = session.hub.journal
    if known is not None and known.key_id != session.hub.checkpoints.key_id():
        verdict = chain.Verdict(size=0, head=chain.START, fault="checkpoint")
    else:
        verdict = chain.verify(rows.links(), known)
    late = rows.late()
    if is_json:
        answer({"size": verdict.size, "fault": verdict.fault, "seq": verdict.seq, "late": late})
        return int(verdict.fault is not None)
    if late:
        say(
            f"Remarque : {late} écritures attendent leur sceau depuis plus d'une minute ; "
            "lancez « parvis scheduler »."
        )
    if verdict.fault is not None:
        say(f"Journal NON conforme après l'écriture {verdict.size} : {FAULTS[verdict.fault]}.")
        return 1
    say(f"Journal conforme : {verdict.size} écritures.")
    if known is None:
        say("Sans point de contrôle gardé ailleurs, une fin coupée ne se verrait pas.")
    return 0


@journal.command("export")
@click.argument("file", metavar="FICHIER", type=click.Path(dir_okay=False, path_type=Path))
@session
def export(session: Session, *, file: Path) -> None:
    """Écrit les écritures scellées, une par ligne, sans leur contenu : tools/parvis_verify.py les vérifie."""
    hub, count = session.hub, 0
    with opened(file) as out:
        for link in hub.journal.links():
            out.write(json.dumps(link.as_json(), separators=(",", ":")) + "\n")
            count += 1
    entry = JournalEntry(
        type="journal.exported",
        actor_ref=session.actor,
        record={"action": "exported", "entries": count},
    )
    append(hub.database, hub.vault, entry)
    say(f"{file} : {count} écritures.")


COMMANDS = (journal,)
