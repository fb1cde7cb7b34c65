"""How the processes of a town fare over time: memory, descriptors, errors they wrote."""

import os
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.town import Town

PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
NOT_OURS = {"postgres", "mocks"}
SHARE = 6  # the first and the last sixth of the watch are held against each other


@dataclass(kw_only=True)
class Life:
    """What was seen of one process, its children in it, in the order it was seen."""

    pids: frozenset[int]
    kib: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """How much more memory it has at the end than at the beginning, as a part."""
        first, last = self._ends(self.kib)
        return statistics.median(last) / statistics.median(first) - 1

    @property
    def more_descriptors(self) -> int:
        """How many more it has open at its highest of the end than at that of the beginning."""
        first, last = self._ends(self.descriptors)
        return max(last) - max(first)

    def _ends(self, seen: list[int]) -> tuple[list[int], list[int]]:
        share = max(1, len(seen) // SHARE)
        return seen[:share], seen[-share:]


class Watch:
    """Looks at every process of the hub now and then; begun after the warm-up."""

    def __init__(self, town: Town, *, every_seconds: float) -> None:
        self._town = town
        self._every = every_seconds
        self._next_at = 0.0
        self.lives: dict[str, Life] = {}
        self.replaced: Counter[str] = Counter()

    def look(self) -> None:
        """Look when it is time to."""
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + self._every
        for name, pid in self._town.crew.pids.items():
            if name not in NOT_OURS:
                self._note(name, frozenset(_family(pid)))

    def _note(self, name: str, pids: frozenset[int]) -> None:
        life = self.lives.setdefault(name, Life(pids=pids))
        if life.pids != pids:  # somebody died, or was replaced
            self.replaced[name] += 1
            life.pids = pids
        life.kib.append(sum(map(_kib, pids)))
        life.descriptors.append(sum(map(_descriptors, pids)))

    def errors(self) -> int:
        """Return how many lines of level error the processes wrote, since they began."""
        marks = ('"level": "error"', '"level":"error"', '"level": "critical"', "Traceback ")
        logs = [self._town.log_of(name) for name in self.lives]
        return sum(any(mark in line for mark in marks) for log in logs for line in log.splitlines())


def _family(pid: int) -> list[int]:
    """Return a process and its children, theirs included."""
    found = [pid]
    for one in found:
        try:
            told = Path(f"/proc/{one}/task/{one}/children").read_text()
        except OSError:
            continue
        found += map(int, told.split())
    return found


def _kib(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_KIB
    except OSError:
        return 0


def _descriptors(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names alone are wanted
    except OSError:
        return 0
