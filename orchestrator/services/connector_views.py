"""The console's view of the city's systems: how each one is, since when, and what is to be done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from orchestrator.services.ports.views import LastExchange, SystemRow, SystemRows

_REFUSED: Final = frozenset({401, 403, 407})
_OVERLOADED: Final = 429


class Health(Enum):
    """How a system is, as far as the last exchange tells; what is not known is not up."""

    ANSWERS = "answers"
    UNKNOWN = "unknown"
    FAILS = "fails"
    REFUSES_US = "refuses_us"
    PAUSED = "paused"
    HELD = "held"
    OFF = "off"
    DRAFT = "draft"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemView:
    """One system as its card shows it; ``title`` is the connector's own name for people."""

    row: SystemRow
    title: str
    health: Health

    @property
    def needs_somebody(self) -> bool:
        """Tell whether a person must act: it will not mend by itself."""
        return self.health in {Health.PAUSED, Health.REFUSES_US}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorViews:
    """Reads the systems for people; ``titles`` gives the connectors' names."""

    rows: SystemRows
    titles: Callable[[], Mapping[str, str]]

    def systems(self) -> Sequence[SystemView]:
        """Return every system, those that need somebody first."""
        titles = self.titles()
        found = [
            SystemView(
                row=row, title=titles.get(row.connector, row.connector), health=health_of(row)
            )
            for row in self.rows.systems()
        ]
        return sorted(found, key=lambda view: (_ORDER.index(view.health), view.row.profile))


_ORDER: Final = (
    Health.PAUSED,
    Health.REFUSES_US,
    Health.HELD,
    Health.FAILS,
    Health.UNKNOWN,
    Health.ANSWERS,
    Health.DRAFT,
    Health.OFF,
)
_BY_CAUSE: Final[Mapping[str | None, Health]] = {
    "outage": Health.FAILS,
    "hand": Health.HELD,
}


def health_of(row: SystemRow) -> Health:
    """Judge a system by its own state, its breaker, then its last exchange."""
    if row.state == "draft":
        return Health.DRAFT
    if row.state != "live":
        return Health.OFF
    if row.is_paused:
        return _BY_CAUSE.get(row.cause, Health.PAUSED)
    return _judged(row.last) if row.last else Health.UNKNOWN


def _judged(last: LastExchange) -> Health:
    """A system that says no to one request is up; one that says no to us is not."""
    if last.outcome == "ok":
        return Health.ANSWERS
    if last.status is None or last.status >= 500 or last.status == _OVERLOADED:
        return Health.FAILS
    return Health.REFUSES_US if last.status in _REFUSED else Health.ANSWERS
