"""Dead letters in groups: runs put aside for one failure, messages that became no run.

A group is named by a short fingerprint of journey, version, step, class of error and its detail, the
same from one look to the next, so that people decide once for everything that failed alike.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from orchestrator.services.masking import mask_detail
from orchestrator.services.ports.operations import (
    DeadLetterRows,
    FailureCount,
    FailureKey,
    Letter,
    LetterCount,
)
from orchestrator.services.run_standing import Journeys
from schemas.errors import NothingSelectedError

LENGTH: Final = 10
SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Runs that failed alike; ``keys`` are how the tables tell their failure."""

    fingerprint: str
    journey: str
    version: int
    step: str
    error_class: str | None
    detail: str | None
    error_code: str | None
    runs: int
    oldest_at: datetime
    newest_at: datetime
    keys: Sequence[FailureKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterGroup:
    """Messages that became no run, put aside by one source for one reason."""

    fingerprint: str
    source: str
    reason: str
    letters: int
    oldest_at: datetime
    newest_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A group with some of what it holds, oldest first."""

    group: FailureGroup | LetterGroup
    runs: Sequence[UUID] = ()
    letters: Sequence[Letter] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """Use cases of what was put aside."""

    rows: DeadLetterRows
    versions: Callable[[], Journeys]

    def failures(self) -> Sequence[FailureGroup]:
        """Return the groups of runs, most frequent first."""
        groups: dict[str, list[tuple[str, FailureCount]]] = defaultdict(list)
        for found in self.rows.failures():
            step = self._step(found.key)
            groups[_fingerprint_of(found.key, step)].append((step, found))
        return [_group(name, found) for name, found in groups.items()]

    def letters(self) -> Sequence[LetterGroup]:
        """Return the groups of messages, most frequent first."""
        return [_letter_group(found) for found in self.rows.letters()]

    def find(self, fingerprint: str) -> FailureGroup | LetterGroup:
        """Return one group by its fingerprint; raises NothingSelectedError when there is none."""
        groups: list[FailureGroup | LetterGroup] = [*self.failures(), *self.letters()]
        for group in groups:
            if group.fingerprint == fingerprint:
                return group
        fault = f"Aucun rebut ne porte l'empreinte « {fingerprint[:40]} »."
        raise NothingSelectedError(fault)

    def show(self, fingerprint: str) -> Shown:
        """Return one group with the oldest of what it holds."""
        group = self.find(fingerprint)
        if isinstance(group, FailureGroup):
            return Shown(group=group, runs=self.rows.runs_of(group.keys, most=SHOWN))
        found = self.rows.letters_of(group.source, group.reason, most=SHOWN)
        return Shown(group=group, letters=found)

    def wake(self, group: LetterGroup, *, actor: str) -> int:
        """Wake the runs that the messages of a group name; returns how many were closed so.

        Raises:
            NothingSelectedError: none of them names a run.
        """
        closed = self.rows.wake_letters(group.source, group.reason, actor=actor)
        if not closed:
            fault = "Ces messages ne désignent aucune exécution : ils ne peuvent qu'être écartés."
            raise NothingSelectedError(fault)
        return closed

    def close(self, group: LetterGroup, *, actor: str) -> int:
        """Put the messages of a group away for good; returns how many."""
        return self.rows.close_letters(group.source, group.reason, actor=actor)

    def _step(self, key: FailureKey) -> str:
        if key.name is not None:
            return key.name
        journey = self.versions().get((key.journey, key.version))
        position = key.position or 0
        if journey is None or position >= len(journey.steps):
            return f"#{position + 1}"
        return journey.steps[position].name


def _fingerprint_of(key: FailureKey, step: str) -> str:
    return _fingerprint(
        key.journey, str(key.version), step, key.error_class, key.error_code, _detail(key)
    )


def _fingerprint(*parts: str | None) -> str:
    said = "\x1f".join(part or "" for part in parts)
    return hashlib.sha256(said.encode()).hexdigest()[:LENGTH]


def _detail(key: FailureKey) -> str | None:
    return mask_detail(key.detail)


def _group(fingerprint: str, found: Sequence[tuple[str, FailureCount]]) -> FailureGroup:
    step, first = found[0]
    counts = [count for _, count in found]
    return FailureGroup(
        fingerprint=fingerprint,
        journey=first.key.journey,
        version=first.key.version,
        step=step,
        error_class=first.key.error_class,
        detail=_detail(first.key),
        error_code=first.key.error_code,
        runs=sum(count.runs for count in counts),
        oldest_at=min(count.oldest_at for count in counts),
        newest_at=max(count.newest_at for count in counts),
        keys=[count.key for count in counts],
    )


def _letter_group(found: LetterCount) -> LetterGroup:
    return LetterGroup(
        fingerprint=_fingerprint("message", found.source, found.reason),
        source=found.source,
        reason=found.reason,
        letters=found.letters,
        oldest_at=found.oldest_at,
        newest_at=found.newest_at,
    )
