"""Moves runs under way from one version of a journey to another: planned first, then done one by one.

A run goes from the step it stands before to the step of the same name, or to the one that was named
for it. It is never moved back over a step it has done, nor to a definition that could not undo what
was done; a run in a worker's hands, one that is being undone and one whose open question would lose
its sense stay where they are, with the reason.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestrator.engine.journey import PIVOT, Call, ForEach, Journey, StartJourney, Step
from orchestrator.services.ports.versions import RunAt, VersionMove, VersionRows
from schemas.errors import JourneyUnknownError, VersionMoveError

PAGE: Final = 500
_CAUSE: Final = re.compile(r"moved: v\d+/\d+ > v\d+/(?P<step>\d+)")
_MOVABLE: Final = frozenset({"waiting_timer", "waiting_signal", "waiting_human", "stuck"})
_WHY_NOT: Final = {
    "ready": "elle est en route : recommencez dans un instant",
    "compensating": "son annulation est en cours, elle finit à sa version",
}


def moved_cause(before: tuple[int, int], after: tuple[int, int]) -> str:
    """Return the cause of the row that tells a move from (version, steps done) to another."""
    return f"moved: v{before[0]}/{before[1]} > v{after[0]}/{after[1]}"


def moved_to(cause: str | None) -> int | None:
    """Return how many steps are done where a move led, or None when the cause tells no move."""
    found = _CAUSE.fullmatch(cause or "")
    return int(found["step"]) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a position leads: steps done there, and what a person should know before.

    ``fault`` says why no run can be moved from here; ``is_forgotten``, that the new version knows
    nothing of a try of ``before`` that may have got through.
    """

    before: str
    after: str | None
    step: int
    is_same: bool
    is_forgotten: bool = False
    never_done: tuple[str, ...] = ()
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What becomes of one run; ``fault`` says why it stays."""

    run: RunAt
    place: Place
    fault: str | None


@dataclass(slots=True, kw_only=True)
class Moved:
    """What a migration did."""

    moved: int = 0
    stayed: list[Planned] = field(default_factory=list)
    overtaken: list[RunAt] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A migration: from one version of a journey to another, ``names`` maps steps that differ."""

    journey: str
    old: int
    new: int
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyMoves:
    """Plans and does migrations of runs under way."""

    rows: VersionRows
    journeys: Mapping[tuple[str, int], Journey]

    def plan(self, wanted: Wanted) -> Iterator[Planned]:
        """Yield what would become of each run under way; changes nothing.

        Raises:
            JourneyUnknownError: this code has not both versions.
            VersionMoveError: a named step exists on neither side, or both versions are the same.
        """
        places = self.places(wanted)
        return self._planned(wanted, places)

    def move(self, wanted: Wanted, *, actor: str) -> Moved:
        """Move every run that can be; raises as ``plan`` does."""
        done = Moved()
        for planned in self.plan(wanted):
            if planned.fault is not None:
                done.stayed.append(planned)
            elif self.rows.move(_move(planned, wanted, actor)):
                done.moved += 1
            else:
                done.overtaken.append(planned.run)
        return done

    def places(self, wanted: Wanted) -> Sequence[Place]:
        """Return where each position of the old version leads."""
        if wanted.old == wanted.new:
            raise VersionMoveError("Les deux versions sont la même.")
        old, new = self._known(wanted.journey, wanted.old), self._known(wanted.journey, wanted.new)
        _check_names(wanted, old, new)
        return [_place(old, new, done, wanted.names) for done in range(len(old.steps))]

    def _known(self, name: str, version: int) -> Journey:
        journey = self.journeys.get((name, version))
        if journey is None:
            fault = f"{name} v{version} : ce code ne l'a pas ; la migration demande les deux."
            raise JourneyUnknownError(fault)
        return journey

    def _planned(self, wanted: Wanted, places: Sequence[Place]) -> Iterator[Planned]:
        after = None
        while True:
            page = self.rows.runs_at(wanted.journey, wanted.old, after=after, most=PAGE)
            for run in page:
                place = places[min(run.step, len(places) - 1)]
                yield Planned(run=run, place=place, fault=place.fault or _fault(run, place))
            if len(page) < PAGE:
                return
            after = page[-1].id


def _check_names(wanted: Wanted, old: Journey, new: Journey) -> None:
    unknown = [
        f"« {name} » n'est pas une étape de la version {version}"
        for version, names, journey in (
            (wanted.old, wanted.names.keys(), old),
            (wanted.new, wanted.names.values(), new),
        )
        for name in names
        if name not in {step.name for step in journey.steps}
    ]
    if unknown:
        raise VersionMoveError(" ; ".join(unknown) + ".")


def _place(old: Journey, new: Journey, done: int, names: Mapping[str, str]) -> Place:
    before = old.steps[done]
    target = names.get(before.name, before.name)
    at = {step.name: index for index, step in enumerate(new.steps)}.get(target)
    if at is None:
        fault = f"aucune étape « {target} » à la version {new.version} : nommez-en une"
        return Place(before=before.name, after=None, step=done, is_same=False, fault=fault)
    was_done = {step.name for step in old.steps[:done]}
    return Place(
        before=before.name,
        after=target,
        step=at,
        is_same=before == new.steps[at],
        is_forgotten=_is_forgotten(before, new.steps[at]),
        never_done=tuple(step.name for step in new.steps[:at] if step.name not in was_done),
        fault=_twice(new, at, was_done) or _not_undone(old.steps[:done], new.steps[:at]),
    )


def _is_forgotten(before: Step, after: Step) -> bool:
    """Tell whether what a step may have done is neither recognised nor undone by another one."""
    if not isinstance(before, Call | ForEach | StartJourney):
        return False
    told = [(type(step), step.name, getattr(step, "undo", None)) for step in (before, after)]
    return told[0] != told[1]


def _twice(new: Journey, at: int, was_done: set[str]) -> str | None:
    again = [step.name for step in new.steps[at:] if step.name in was_done]
    return f"« {again[0]} » serait fait une deuxième fois" if again else None


def _not_undone(done: Sequence[Step], known: Sequence[Step]) -> str | None:
    """Name a step that was done and that the new version could no longer undo."""
    undos = {step.name: getattr(step, "undo", None) for step in known}
    for step in done:
        undo = getattr(step, "undo", None)
        if undo not in {None, PIVOT} and undos.get(step.name) != undo:
            return f"ce que « {step.name} » a fait ne pourrait plus être annulé"
    return None


def _fault(run: RunAt, place: Place) -> str | None:
    if run.status not in _MOVABLE:
        return _WHY_NOT.get(run.status, f"son état est {run.status}")
    if place.is_forgotten and (run.error_code == "recoveries" or place.before in run.doubts):
        return f"« {place.before} » a peut-être déjà agi : relancez, passez ou écartez d'abord"
    if place.is_same or run.status == "stuck":
        return None
    if run.status == "waiting_human":
        return "une décision est demandée, et cette étape change"
    if run.open_children:
        return "elle attend d'autres exécutions, et cette étape change"
    return None


def _move(planned: Planned, wanted: Wanted, actor: str) -> VersionMove:
    run, place = planned.run, planned.place
    return VersionMove(
        run=run,
        version=wanted.new,
        step=place.step,
        keeps_waiting=place.is_same,
        cause=moved_cause((wanted.old, run.step), (wanted.new, place.step)),
        actor=actor,
    )
