"""Filters of the list of runs: every one is in the address, a chip with a cross, and may be dropped."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from flask_babel import lazy_gettext as _

from orchestrator.services.ports.views import OWN_PAGES, Position, RunFilter, Way
from orchestrator.services.run_views import within


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A state people filter by, and what it means in the tables."""

    label: Any
    statuses: tuple[str, ...] | None = None
    is_late: bool = False


STATES: Final[Mapping[str, State]] = {
    "en-cours": State(
        label=_("en cours"),
        statuses=("ready", "waiting_timer", "waiting_signal", "waiting_human", "compensating"),
    ),
    "en-attente": State(label=_("en attente"), statuses=("waiting_signal", "waiting_human")),
    "en-echec": State(label=_("en échec"), statuses=("waiting_timer",)),
    "en-retard": State(label=_("en retard"), is_late=True),
    "en-rebut": State(label=_("en rebut"), statuses=("stuck",)),
    "terminees": State(label=_("terminées"), statuses=("done",)),
    "abandonnees": State(label=_("abandonnées"), statuses=("failed", "cancelled", "compensated")),
}
SPANS: Final[Mapping[str, tuple[timedelta | None, Any]]] = {
    "24h": (timedelta(hours=24), _("24 dernières heures")),
    "7j": (timedelta(days=7), _("7 derniers jours")),
    "30j": (timedelta(days=30), _("30 derniers jours")),
    "tout": (None, _("depuis le début")),
}
DEFAULT_SPAN: Final = "24h"
_JOURNEY: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")
_ID: Final = re.compile(r"[a-z][a-z0-9_]{1,39}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


ADDRESS: Final[Mapping[str, str]] = {
    "state": "etat",
    "journey": "parcours",
    "partner": "source",
    "system": "systeme",
    "span": "depuis",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The filters of an address; ``ignored`` are those that nobody could understand."""

    state: str | None = None
    journey: str | None = None
    partner: str | None = None
    system: str | None = None
    span: str = DEFAULT_SPAN
    ignored: tuple[str, ...] = ()

    @classmethod
    def read(cls, arguments: Mapping[str, str]) -> "Asked":
        """Read an address; what is not understood is left out and named."""
        typed = {name: arguments.get(said, "").strip() for name, said in ADDRESS.items()}
        values = {name: value for name, value in typed.items() if _READ[name](value)}
        ignored = tuple(ADDRESS[name] for name in typed if typed[name] and name not in values)
        return cls(**values, ignored=ignored)

    def arguments(self) -> dict[str, str]:
        """Return the address of these filters; the usual span of time goes unsaid."""
        values = {said: getattr(self, name) for name, said in ADDRESS.items()}
        if self.span == DEFAULT_SPAN:
            del values[ADDRESS["span"]]
        return {said: value for said, value in values.items() if value}

    def dropping(self, name: str) -> "Asked":
        """Return these filters without one; dropping the span looks at all of time."""
        dropped: Any = {name: "tout" if name == "span" else None}
        return replace(self, **dropped)

    def active(self) -> Iterator[str]:
        """Name the filters that narrow the list."""
        names = (each.name for each in fields(self) if each.name in ADDRESS)
        return (name for name in names if getattr(self, name) not in {None, "tout"})

    def run_filter(self) -> RunFilter:
        """Return what the store is asked."""
        state = STATES[self.state] if self.state else State(label="")
        asked = RunFilter(
            statuses=state.statuses,
            is_late=state.is_late,
            journey=self.journey,
            partner=self.partner,
            system=self.system,
        )
        return within(asked, SPANS[self.span][0])


_READ: Final[Mapping[str, Callable[[str], object]]] = {
    "state": STATES.__contains__,
    "journey": _JOURNEY.fullmatch,
    "partner": lambda value: value == OWN_PAGES or _ID.fullmatch(value),
    "system": _ID.fullmatch,
    "span": SPANS.__contains__,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A filter in force: what it is, what it says, and the address without it."""

    name: str
    title: Any
    value: Any
    without: Mapping[str, str]


def start_of(arguments: Mapping[str, str]) -> tuple[Position | None, Way]:
    """Return where the page of an address begins."""
    for said, way in (("avant", Way.OLDER), ("apres", Way.NEWER)):
        if (position := _position(arguments.get(said, ""))) is not None:
            return position, way
    return None, Way.OLDER


def written(position: Position) -> str:
    """Return a position as an address carries it."""
    return f"{(position.at - _EPOCH) // timedelta(microseconds=1)}-{position.id.hex}"


def _position(text: str) -> Position | None:
    found = _POSITION.fullmatch(text)
    if found is None:
        return None
    at = _EPOCH + timedelta(microseconds=int(found[1]))
    return Position(at=at, id=UUID(found[2]))


_POSITION: Final = re.compile(r"([0-9]{1,16})-([0-9a-f]{32})")
