"""Two leases where the library's system cannot be written: a file for the desk, then nothing at all."""

import csv
import io
from pathlib import Path
from typing import Final
from uuid import UUID

from parvis.demo.city import drop_folder
from parvis.demo.facts import Row, Run
from parvis.demo.story.stage import Sent, Stage

COMMUNE: Final = "84129"
EVENT: Final = "lease.signed.v1"


def play(stage: Stage) -> None:
    """Play both leases."""
    _with_a_name(stage)
    _with_the_commune_alone(stage)


def _with_a_name(stage: Stage) -> None:
    person, partner = stage.newcomer(), stage.sender_of(EVENT)
    texts = stage.gateway.mark()
    sent = stage.announce(
        EVENT,
        commune=COMMUNE,
        has_person=True,
        newcomer=person,
    )
    stage.accepted(sent)
    stage.say(
        f"{partner['name']} annonce un bail {stage.at(COMMUNE)}, avec un nom et l'accord pour la "
        "préinscription, sans moyen de joindre la personne : reçu (202)."
    )
    row = stage.library_of(sent.source, sent.subject, COMMUNE)
    stage.then(f"Bibliothèque ouverte la plus proche : {row['shown']}.")
    _parked(stage, sent)
    row = _state(stage, sent, row, "staged")
    path, line = stage.awaited(
        lambda: _line_of(stage, row), "la ligne n'est pas dans un fichier du guichet"
    )
    stage.must(
        (line["nom"], line["prenom"]) == (person.family_name, person.given_name),
        "le fichier du guichet ne porte pas le nom annoncé",
    )
    stage.then(
        "Son logiciel ne s'écrit pas à distance : ligne "
        f"{row['our_ref']} relue dans {path.relative_to(stage.folder.path)}."
    )
    _no_message(stage, sent, texts)
    stage.then("Aucun message n'est parti ; la préinscription attend au guichet.")


def _with_the_commune_alone(stage: Stage) -> None:
    partner, texts = stage.sender_of(EVENT), stage.gateway.mark()
    sent = stage.announce(EVENT, commune=COMMUNE)
    stage.accepted(sent)
    stage.say(f"{partner['name']} annonce un second bail {stage.at(COMMUNE)}, la commune seule.")
    row = stage.library_of(sent.source, sent.subject, COMMUNE)
    run = _parked(stage, sent)
    _state(stage, sent, row, "staged")
    stage.must(not stage.facts.exchanges(run), "quelque chose est sorti de Parvis")
    stage.must(_line_of(stage, row) is None, "le guichet a reçu une ligne")
    _no_message(stage, sent, texts)
    stage.then(
        f"Préinscription {row['our_ref']} gardée dans Parvis pour {row['shown']} ; rien n'en sort : "
        "0 appel, 0 message."
    )


def _parked(stage: Stage, sent: Sent) -> UUID:
    run: Run = stage.awaited(
        lambda: found if (found := stage.run_of(sent)).is_waiting_for_code else None,
        "le parcours n'est pas arrivé à l'attente du code",
    )
    return run.id


def _state(stage: Stage, sent: Sent, row: Row, wanted: str) -> Row:
    now = stage.facts.preregistration(sent.source, sent.subject) or {}
    stage.must(now.get("state") == wanted, f"la préinscription est « {now.get('state')} »")
    return {**row, **now}


def _no_message(stage: Stage, sent: Sent, texts: int) -> None:
    run = stage.run_of(sent)
    stage.must(not stage.facts.notifications(run.id), "un message est noté en base")
    stage.must(not stage.gateway.effects("sms.accepted", after=texts), "un SMS est parti")


def _line_of(stage: Stage, row: Row) -> tuple[Path, dict[str, str]] | None:
    """Find the line of a pre-registration in the finished files of its desk."""
    profile = stage.service(row["service_id"])["profile"]
    for path in sorted(drop_folder(stage.folder, profile).glob("preinscriptions_*.csv")):
        text = path.read_bytes().decode("utf-8-sig")
        for line in csv.DictReader(io.StringIO(text, newline=""), delimiter=";"):
            if line["reference"] == row["our_ref"]:
                return path, line
    return None
