"""Journeys as people read them: versions with the runs on each, steps in French, nothing hidden."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from orchestrator.engine.fingerprint import fingerprint
from orchestrator.engine.journey import (
    PIVOT,
    AskPerson,
    Call,
    Choose,
    End,
    ForEach,
    IssueCode,
    Journey,
    Local,
    Notify,
    Pause,
    Require,
    StartJourney,
    Step,
    Wait,
)
from orchestrator.engine.retry import french_length
from orchestrator.services.ports.versions import UnderWay
from schemas.errors import JourneyUnknownError
from schemas.shapes import nearest

KINDS: Final[Mapping[type, str]] = {
    Local: "décision du hub",
    Choose: "choix d'une valeur",
    IssueCode: "code d'accès",
    Notify: "message à la personne",
    Call: "appel d'un logiciel",
    Wait: "attente d'un signal",
    Require: "consentement demandé",
    AskPerson: "décision d'un agent",
    Pause: "pause",
    ForEach: "un parcours par élément",
    StartJourney: "autre parcours",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLine:
    """One version: its digest, what starts it, and the runs under way on it by status.

    ``digest`` is None when runs name a version that this code has not.
    """

    name: str
    version: int
    digest: str | None
    is_newest: bool
    under_way: Mapping[str, int]

    @property
    def total(self) -> int:
        """All runs under way on it."""
        return sum(self.under_way.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step: what it is, what it is told, and where it may lead besides the next one.

    ``ends`` pairs what may happen with the outcome the run then ends with; ``undo`` names the
    operation that takes it back; ``is_pivot`` says that nothing does.
    """

    name: str
    kind: str
    facts: Sequence[str] = ()
    ends: Sequence[tuple[str, str]] = ()
    undo: str | None = None
    is_pivot: bool = False
    starts: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyView:
    """One version of a journey, whole."""

    name: str
    version: int
    digest: str
    starts_on: Sequence[str]
    undoes_at_once: bool
    steps: Sequence[StepView]


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyViews:
    """Reads definitions and counts for people; changes nothing."""

    journeys: Mapping[tuple[str, int], Journey]
    under_way: Callable[[], Sequence[UnderWay]]

    def versions(self) -> Sequence[VersionLine]:
        """Return every version this code knows or a run names, newest first within a name."""
        counts: dict[tuple[str, int], Counter[str]] = {key: Counter() for key in self.journeys}
        for row in self.under_way():
            counts.setdefault((row.journey, row.version), Counter())[row.status] += row.total
        newest = dict(sorted(self.journeys))
        return [
            self._line(key, counts[key], newest=newest.get(key[0]))
            for key in sorted(counts, key=lambda key: (key[0], -key[1]))
        ]

    def show(self, name: str, version: int | None) -> JourneyView:
        """Return one version, the newest when none is named.

        Raises:
            JourneyUnknownError: this code has no such version.
        """
        return view_of(self.definition(name, version))

    def definition(self, name: str, version: int | None) -> Journey:
        """Return the definition itself; raises as ``show`` does."""
        known = sorted(number for known, number in self.journeys if known == name)
        found = self.journeys.get((name, version or (known[-1] if known else 0)))
        if found is None:
            names = sorted({known for known, _ in self.journeys})
            said = f" : versions connues, {', '.join(map(str, known))}." if known else "."
            fault = f"« {name[:60]} »{said}{'' if known else nearest(name, names)}"
            raise JourneyUnknownError(fault)
        return found

    def _line(
        self, key: tuple[str, int], counts: Counter[str], *, newest: int | None
    ) -> VersionLine:
        journey, (name, version) = self.journeys.get(key), key
        return VersionLine(
            name=name,
            version=version,
            digest=fingerprint(journey) if journey else None,
            is_newest=version == newest,
            under_way=dict(sorted(counts.items())),
        )


def view_of(journey: Journey) -> JourneyView:
    """Return a definition as people read it."""
    return JourneyView(
        name=journey.name,
        version=journey.version,
        digest=fingerprint(journey),
        starts_on=journey.starts_on,
        undoes_at_once=journey.on_failure == "undo",
        steps=[_step(step) for step in journey.steps],
    )


def _step(step: Step) -> StepView:
    undo = getattr(step, "undo", None)
    return StepView(
        name=step.name,
        kind=KINDS[type(step)],
        facts=[fact for fact in (_fact(step, *known) for known in _FACTS) if fact],
        ends=_ends(step),
        undo=undo if undo not in {None, "", PIVOT} else None,
        is_pivot=undo == PIVOT,
        starts=getattr(step, "journey", None),
    )


def _ends(step: Step) -> Sequence[tuple[str, str]]:
    found = []
    otherwise = getattr(step, "otherwise", None)
    if isinstance(otherwise, End):
        found.append(("sans réponse à temps", otherwise.outcome))
    if isinstance(step, AskPerson):
        found += [(f"« {it.name} »", it.end.outcome) for it in step.decisions if it.end]
    return found


def _fact(step: Step, member: str, said: Callable[[Any], str]) -> str | None:
    value = getattr(step, member, None)
    return said(value) if value not in {None, "", False} else None


def _length(span: timedelta) -> str:
    return french_length(int(span.total_seconds()))


_FACTS: Final[Sequence[tuple[str, Callable[[Any], str]]]] = (
    ("service", lambda name: f"service choisi à l'étape « {name} »"),
    ("purpose", lambda name: f"finalité {name}"),
    ("template", lambda name: f"texte {name}"),
    ("signal", lambda name: f"signal {name}"),
    ("question", lambda name: f"question {name}"),
    ("decisions", lambda found: f"réponses : {', '.join(it.name for it in found)}"),
    ("journey", lambda name: f"parcours {name}"),
    ("all_or_nothing", lambda _set: "tous ou aucun"),
    ("valid_for", lambda span: f"valable {_length(span)}"),
    ("duration", lambda span: f"dure {_length(span)}"),
    ("timeout", lambda span: f"attend {_length(span)} au plus"),
)
