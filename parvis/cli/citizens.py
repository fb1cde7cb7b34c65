"""Identities that an agent looks at: cases, two people who are one, a proof seen at the desk."""

from typing import Final
from uuid import UUID

import click

from orchestrator.services.merges import Merges
from orchestrator.services.ports.merges import CaseLine, MergeLine, Proof, Verdict
from orchestrator.store.identity_cases import CaseTable
from orchestrator.store.merges import MergeTable
from parvis.cli import moments
from parvis.cli.context import Session, answer, as_json, say, session
from parvis.cli.french import FrenchGroup

_PROOF = click.Choice([proof.value for proof in Proof])
_AT_THE_DESK = click.Choice([Proof.DOCUMENT.value, Proof.CARD.value])
_CASE = click.argument("case_id", metavar="DOSSIER", type=click.UUID)
SENTENCES: Final = {
    "near_match": "états civils presque égaux",
    "several_candidates": "plusieurs personnes ont cet état civil",
    "subject_elsewhere": "connexion déjà reliée à quelqu'un d'autre",
    "other_subject": "une autre identité FranceConnect, même état civil ou presque",
    "other_civil_status": "une identité FranceConnect d'un autre état civil",
    "keys_disagree": "une même connexion désigne deux personnes",
    "taken_away": "connexion retirée qui revient",
    "account_exists": "deux inscriptions au même service",
    "card_elsewhere": "fiche de bibliothèque déjà reliée à quelqu'un d'autre",
}


@click.group(cls=FrenchGroup)
def citizens() -> None:
    """Les usagers dont un agent doit regarder l'identité."""


@citizens.command("cases")
@as_json
@session
def cases(session: Session, *, is_json: bool) -> None:
    """Liste les dossiers ouverts, du plus ancien au plus récent, sans dire qui."""
    found = _use_cases(session).waiting()
    if is_json:
        answer([_as_plain(one) for one in found])
        return
    if not found:
        say("Aucun dossier n'attend.")
    for one in found:
        why = SENTENCES.get(one.rule, one.rule)
        say(f"{one.id} : {why}, {one.people} personne(s), depuis le {moments.at(one.opened_at)}")


@citizens.command("close")
@_CASE
@click.argument("verdict", metavar="DÉCISION", type=click.Choice([one.value for one in Verdict]))
@session
def close(session: Session, *, case_id: UUID, verdict: str) -> None:
    """Ferme un dossier : apart (deux personnes), replaced (identité remplacée), settled (vu ailleurs)."""
    _use_cases(session).close(case_id, Verdict(verdict), actor=session.actor)
    say(f"{case_id} : fermé.")


@citizens.command("merge")
@_CASE
@click.option("--proof", "proofs", multiple=True, type=_PROOF, help="Preuve vue ; deux au moins.")
@session
def merge(session: Session, *, case_id: UUID, proofs: tuple[str, ...]) -> None:
    """Réunit les deux personnes d'un dossier en une ; se défait pendant trente jours."""
    made = _use_cases(session).merge(
        case_id, proofs=[Proof(one) for one in proofs], actor=session.actor
    )
    say(f"Réunies : {made}.", f"Pour défaire, sous trente jours : parvis citizens undo {made}")


@citizens.command("undo")
@click.argument("merge_id", metavar="RÉUNION", type=click.UUID)
@session
def undo(session: Session, *, merge_id: UUID) -> None:
    """Défait une réunion : chacun retrouve ce qui était à lui."""
    _use_cases(session).undo(merge_id, actor=session.actor)
    say(f"{merge_id} : défaite.")


@citizens.command("merges")
@as_json
@session
def merges(session: Session, *, is_json: bool) -> None:
    """Liste les réunions qui peuvent encore être défaites."""
    found = _use_cases(session).recent()
    if is_json:
        answer([_as_plain(one) for one in found])
        return
    if not found:
        say("Aucune réunion ne peut être défaite.")
    for one in found:
        proofs = ", ".join(one.proofs)
        say(f"{one.id} : {proofs}, par {one.actor}, jusqu'au {moments.at(one.undo_until)}")


@citizens.command("confirm")
@click.argument("our_ref", metavar="RÉFÉRENCE")
@click.argument("proof", metavar="PREUVE", type=_AT_THE_DESK)
@session
def confirm(session: Session, *, our_ref: str, proof: str) -> None:
    """Note qu'un agent a vu le document ou la carte de qui tient la préinscription RÉFÉRENCE (PV-…)."""
    level = _use_cases(session).confirm(our_ref, Proof(proof), actor=session.actor)
    say(f"{our_ref} : niveau {int(level)} pour ce service.")


def _use_cases(session: Session) -> Merges:
    database, vault = session.hub.database, session.hub.vault
    return Merges(
        rows=MergeTable(database=database, vault=vault),
        cases=CaseTable(database=database, vault=vault),
    )


def _as_plain(line: CaseLine | MergeLine) -> dict[str, object]:
    return {name: getattr(line, name) for name in type(line).__dataclass_fields__}


COMMANDS = (citizens,)
