"""Replays stored logs on the definitions of this code, without doing anything.

A run under way must find, at the position where it stands, the step it would have found when it
began. A definition that was changed under its version sends it to another step: found here before
the code is put in service, in the logs of a real city.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from orchestrator.engine.journey import Journey
from orchestrator.engine.runs import ENDED, UNDO
from orchestrator.services.journey_moves import moved_to
from orchestrator.services.ports.versions import LogRow, RunLog

OWN_ROW: Final = "journey"  # rows about the run itself: put aside, moved to another version
ADVANCING: Final = frozenset({"ok", "skipped"})
_WORKERS: Final = frozenset({None, "worker"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """A run whose log says something else than this code; ``position`` counts the steps done."""

    run_id: UUID
    journey: str
    version: int
    position: int
    logged: str
    expected: str | None

    def sentence(self) -> str:
        """Return what people read."""
        wanted = f"« {self.expected} »" if self.expected else "la fin du parcours"
        return (
            f"{self.run_id} : {self.journey} v{self.version}, position {self.position} : "
            f"le journal dit « {self.logged} », ce code dit {wanted}."
        )


def divergences(
    logs: Iterable[RunLog], journeys: Callable[[str, int], Journey | None]
) -> Iterator[Divergence]:
    """Yield what does not fit, one per run at most."""
    for log in logs:
        found = divergence(log, journeys(log.run.journey, log.run.version))
        if found is not None:
            yield found


def divergence(log: RunLog, journey: Journey | None) -> Divergence | None:
    """Return the first place where a log and the definition part, or None."""
    if journey is None:
        found = f"version {log.run.version}"
        return _divergence(log, log.run.step, found, None)
    names, (position, rows) = [step.name for step in journey.steps], _since_the_last_move(log)
    for row in rows:
        if not _is_forward(row):
            continue
        expected = names[position] if position < len(names) else None
        if row.name != expected:
            return _divergence(log, position, row.name, expected)
        position += _is_step_done(row)
    return _at_its_place(log, position, names)


def _since_the_last_move(log: RunLog) -> tuple[int, list[LogRow]]:
    """Return where the run stood when it came to its version, and what was logged from then on."""
    position, rows = 0, list[LogRow]()
    for row in log.rows:
        moved = moved_to(row.cause) if row.name == OWN_ROW else None
        if moved is not None:
            position, rows = moved, []
        else:
            rows.append(row)
    return position, rows


def _is_forward(row: LogRow) -> bool:
    """Tell whether a row is a try of a step: no undo, no word about the run, no note of a person's."""
    if row.name == OWN_ROW or row.name.endswith(UNDO):
        return False
    return row.actor in _WORKERS or row.outcome in ADVANCING


def _is_step_done(row: LogRow) -> bool:
    """Tell whether a row carries the run to its next step; an ``ok`` with a cause ends the journey."""
    return row.outcome == "skipped" or (row.outcome == "ok" and row.cause is None)


def _at_its_place(log: RunLog, position: int, names: list[str]) -> Divergence | None:
    """Compare the run's own count of steps done with its log's, while it goes forward."""
    run = log.run
    if run.status in ENDED or run.status == "compensating" or run.step == position:
        return None
    expected = names[position] if position < len(names) else None
    logged = names[run.step] if run.step < len(names) else f"étape {run.step + 1}"
    return _divergence(log, position, logged, expected)


def _divergence(log: RunLog, position: int, logged: str, expected: str | None) -> Divergence:
    return Divergence(
        run_id=log.run.id,
        journey=log.run.journey,
        version=log.run.version,
        position=position,
        logged=logged,
        expected=expected,
    )
