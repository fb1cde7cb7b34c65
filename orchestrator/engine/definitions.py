"""What only all journeys together can tell is wrong, said before any of them runs.

A journey may start runs of another one; a circle would never end, and a deep tree is one nobody can
follow. A call names an operation that some connector of its kind really has, and so does its undo.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from orchestrator.engine.journey import (
    CONSENT_GIVEN,
    PIVOT,
    START,
    Call,
    ForEach,
    Journey,
    Require,
    StartJourney,
    Wait,
)
from schemas.errors import ConfigurationError

DEEPEST: Final = 2


def check_together(journeys: Iterable[Journey]) -> None:
    """Refuse journeys that start unknown ones, themselves by a detour, or too deep a tree.

    So are two that one message would start, and calls whose service no earlier step chooses.

    Raises:
        ConfigurationError: with one French sentence per fault.
    """
    known = list(journeys)
    newest = {one.name: one for one in sorted(known, key=lambda one: one.version)}
    faults = _started_twice(newest.values())
    for journey in known:
        faults += [f"{_said(journey)} : {fault}" for fault in _unchosen(journey)]
        started = _started_by(journey)
        missing = [name for name in started if name not in newest]
        faults += [f"{_said(journey)} : le parcours « {name} » n'existe pas." for name in missing]
        fault = None if missing else _fault_of_tree(journey, newest)
        faults += [f"{_said(journey)} : {fault}"] if fault else []
    if faults:
        raise ConfigurationError(*faults)


def check_operations(journeys: Iterable[Journey], offered: Mapping[str, frozenset[str]]) -> None:
    """Refuse calls of operations that no connector of their kind has.

    A call names the step that chose its service; where that is the name of a kind, only the
    connectors of this kind count.

    Args:
        journeys: Every version of every journey.
        offered: By kind of service, the operations its connectors have.

    Raises:
        ConfigurationError: with one French sentence per fault.
    """
    every = frozenset[str]().union(*offered.values())
    faults = [
        f"{_said(journey)} : étape « {step.name} » : aucun connecteur pour « {step.service} » "
        f"n'offre l'opération « {operation} »."
        for journey in journeys
        for step in journey.steps
        if isinstance(step, Call)
        for operation in (step.operation, step.undo)
        if operation != PIVOT and operation not in offered.get(step.service, every)
    ]
    if faults:
        raise ConfigurationError(*faults)


def awaited_by(journey: Journey) -> frozenset[str]:
    """Return the signals that a run of a journey may hear, a second starting message included."""
    waited = {step.signal for step in journey.steps if isinstance(step, Wait)}
    if any(isinstance(step, Require) for step in journey.steps):
        waited.add(CONSENT_GIVEN)
    return frozenset(waited.union(journey.starts_on))


def _started_twice(newest: Iterable[Journey]) -> list[str]:
    """Tell the messages that would start two journeys: one of them would never be started."""
    starting: dict[str, list[str]] = {}
    for journey in newest:
        for kind in journey.starts_on:
            starting.setdefault(kind, []).append(journey.name)
    return [
        f"le message « {kind} » commence plusieurs parcours : {', '.join(sorted(names))}."
        for kind, names in starting.items()
        if len(names) > 1
    ]


def _unchosen(journey: Journey) -> list[str]:
    names = [step.name for step in journey.steps]
    return [
        f"étape « {step.name} » : aucune étape avant elle ne s'appelle « {step.service} », "
        "qui choisirait son service."
        for number, step in enumerate(journey.steps)
        if isinstance(step, Call) and step.service not in {START, *names[:number]}
    ]


def _started_by(journey: Journey) -> list[str]:
    return [step.journey for step in journey.steps if isinstance(step, ForEach | StartJourney)]


def _fault_of_tree(journey: Journey, newest: Mapping[str, Journey]) -> str | None:
    """Walk what a journey starts, and what that starts; None when the tree is sound."""
    ways = [[journey.name, name] for name in _started_by(journey)]
    first = 0 if newest[journey.name] is journey else 1  # an old version is started by nobody
    while ways:
        way = ways.pop()
        if way[-1] in way[first:-1]:
            return f"il se relance lui-même : {' → '.join(way)}."
        if len(way) - 1 > DEEPEST:
            return f"au plus {DEEPEST} niveaux sous un parcours : {' → '.join(way)}."
        known = newest.get(way[-1])
        ways += [[*way, name] for name in _started_by(known)] if known else []
    return None


def _said(journey: Journey) -> str:
    return f"{journey.name} v{journey.version}"
