"""What agents decide of identities: two people who are one, two who are not, a proof seen at the desk.

Nothing here compares people: an agent has looked, says what at, and it can be taken back for thirty days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from orchestrator.services.ports.merges import (
    CaseLine,
    CaseRows,
    MergeLine,
    MergeRows,
    Merging,
    Proof,
    Verdict,
)
from schemas.errors import ConflictError, InvalidPayloadError, NotFoundError
from schemas.logins import Level

PROOFS_WANTED: Final = 2
_WORTH: Final[Mapping[Proof, Level]] = {
    Proof.DOCUMENT: Level.SEEN,
    Proof.CARD: Level.ACCOUNT_PROVED,
}


class NoSuchCaseError(NotFoundError):
    """No open case bears that id, or it is not about two people."""

    title = "Ce dossier n'est pas ouvert, ou ne concerne pas deux personnes."


class NobodysReferenceError(NotFoundError):
    """No citizen holds an account behind that reference."""

    title = "Aucun usager connecté n'a repris cette préinscription : il saisit d'abord son code."


class TooFewProofsError(ConflictError):
    """A merge rests on two proofs of different kinds."""

    title = "Réunir deux comptes demande deux preuves différentes."


@dataclass(frozen=True, slots=True, kw_only=True)
class Merges:
    """Use cases of an agent."""

    rows: MergeRows
    cases: CaseRows

    def waiting(self) -> Sequence[CaseLine]:
        """Return the cases that wait for an agent."""
        return self.cases.open()

    def merge(self, case_id: UUID, *, proofs: Sequence[Proof], actor: str) -> UUID:
        """Join the two people of a case into the one known longer.

        Raises:
            NoSuchCaseError: no open case about two people.
            TooFewProofsError: fewer than two kinds of proof.
            ConflictError: both have an account in one service, or something of theirs is under way.
        """
        if len(set(proofs)) < PROOFS_WANTED:
            raise TooFewProofsError
        pair = self.cases.pair(case_id)
        if pair is None:
            raise NoSuchCaseError
        survivor_id, merged_id = pair
        merging = Merging(
            survivor_id=survivor_id,
            merged_id=merged_id,
            proofs=tuple(sorted(set(proofs))),
            actor=actor,
            case_id=case_id,
        )
        return self.rows.merge(merging)

    def undo(self, merge_id: UUID, *, actor: str) -> None:
        """Take a merge back.

        Raises:
            NotFoundError: no such merge, or its thirty days are over.
            ConflictError: a later merge stands on it, or something is under way.
        """
        self.rows.undo(merge_id, actor=actor)

    def recent(self) -> Sequence[MergeLine]:
        """Return the merges that can still be undone."""
        return self.rows.recent()

    def close(self, case_id: UUID, verdict: Verdict, *, actor: str) -> None:
        """Close a case without a merge; NoSuchCaseError when it is not open."""
        if not self.cases.close(case_id, verdict, actor=actor):
            raise NoSuchCaseError

    def confirm(self, our_ref: str, proof: Proof, *, actor: str) -> Level:
        """Raise one account to what an agent saw of its holder; returns its level.

        Raises:
            InvalidPayloadError: a kind of proof nobody can show at a desk.
            NobodysReferenceError: nobody holds an account behind the reference.
        """
        our_ref = our_ref.strip().upper()
        level = _WORTH.get(proof)
        if level is None:
            raise InvalidPayloadError((("#/proof", "Au guichet : « document » ou « card »."),))
        if not self.cases.confirm(our_ref, proof=proof, level=level, actor=actor):
            raise NobodysReferenceError
        return level
