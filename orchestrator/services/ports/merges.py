"""What an agent's acts on identities need of the store: cases, merges, proofs seen at a desk."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from schemas.logins import Level


class Proof(StrEnum):
    """What an agent saw or received before acting on somebody's identity."""

    DOCUMENT = "document"
    CARD = "card"
    LOGIN = "login"
    POST = "post"


class Verdict(StrEnum):
    """What an agent decided of a case without a merge.

    ``APART``: two people, for good. ``REPLACED``: one person whose FranceConnect subject changed; the
    old one is closed and the next sign-in takes its place. ``SETTLED``: seen to elsewhere.
    """

    APART = "apart"
    REPLACED = "replaced"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLine:
    """An open case as an agent sees it: both sides masked."""

    id: UUID
    kind: str
    rule: str
    alias: str | None
    people: int
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeLine:
    """A merge that can still be undone."""

    id: UUID
    merged_at: datetime
    undo_until: datetime
    proofs: Sequence[str]
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Merging:
    """Two people who are one: what stays, what joins it, who says so and on what proofs."""

    survivor_id: UUID = field(repr=False)
    merged_id: UUID = field(repr=False)
    proofs: Sequence[Proof]
    actor: str
    case_id: UUID | None = None


class CaseRows(Protocol):
    """Cases that wait for a person, and proofs seen at a desk."""

    def open(self) -> Sequence[CaseLine]:
        """Return the open cases, oldest first."""

    def pair(self, case_id: UUID) -> tuple[UUID, UUID] | None:
        """Return the two people of an open case, whoever is known longer first; None for any other."""

    def close(self, case_id: UUID, verdict: Verdict, *, actor: str) -> bool:
        """Close a case with its effect; False when it is not open."""

    def confirm(self, our_ref: str, *, proof: Proof, level: Level, actor: str) -> bool:
        """Raise the account behind a pre-registration; False when nobody holds one."""


class MergeRows(Protocol):
    """Merges, undone within thirty days."""

    def merge(self, merging: Merging) -> UUID:
        """Join two people, all or nothing; returns the merge."""

    def undo(self, merge_id: UUID, *, actor: str) -> None:
        """Take a merge back."""

    def recent(self) -> Sequence[MergeLine]:
        """Return the merges that can still be undone, newest first."""
