"""From measured costs to machines: the tables of ``docs/capacity.md``, calculated.

``python -m benchmarks.capacity`` reads what ``benchmarks.report`` collected and writes the tables
between the markers of the page. A cost that was not measured is taken from the bar it must meet,
and the table says so.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final

from benchmarks.lab.figures import RESULTS, ROOT
from benchmarks.report import MEASURED

PAGE: Final = ROOT / "docs" / "capacity.md"
START, END = "<!-- calculated: begin -->", "<!-- calculated: end -->"
# what people do, the same everywhere: the country's 8 million moves among 66 million people
MOVES_A_YEAR: Final = 8 / 66
RUNS_A_MOVE: Final = 4.0
OTHER_RUNS_A_PERSON: Final = 1.0
SEPTEMBER: Final = 0.16
BUSIEST_DAY: Final = 1 / 20
BUSIEST_HOUR: Final = 0.14
BURST: Final = 10.0
# what the city's systems are like
SECONDS_A_CALL: Final = 0.8
CALLS_A_RUN: Final = 3
CALLS_A_SECOND: Final = 10.0
OUTAGE_HOURS: Final = 10
# how the hub is run
BUSY_AT_MOST: Final = 0.5
CORES_A_MACHINE: Final = 4
DATABASE_CORES: Final = 8
DISK_SYNCS: Final = 2_000.0
DISK_MB: Final = 60.0
MONTHS_KEPT: Final = 12
PARTITIONED: Final = 3
"""Tables by month: messages, steps, exchanges."""
# how the product is set
QUEUE_LENGTH: Final = 500_000
IN_FLIGHT_A_PROCESS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One unit cost and where it comes from."""

    value: float
    unit: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a place asks of the hub."""

    name: str
    people: int
    largest_system: float
    """The share of all runs that goes to the largest of the cities' systems."""

    @property
    def runs_a_year(self) -> float:
        """Runs of all journeys in a year."""
        return self.people * (MOVES_A_YEAR * RUNS_A_MOVE + OTHER_RUNS_A_PERSON)

    @property
    def busiest_hour(self) -> float:
        """Runs a second in the busiest hour of September."""
        return self.runs_a_year * SEPTEMBER * BUSIEST_DAY * BUSIEST_HOUR / 3600

    @property
    def burst(self) -> float:
        """Runs a second when a partner sends what it held back."""
        return self.busiest_hour * BURST


PLACES: Final = (
    Load(name="métropole", people=2_000_000, largest_system=0.4),
    Load(name="country", people=66_000_000, largest_system=0.03),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a unit cost is measured, and the bar it must meet.

    ``of_rate`` turns a rate of two whole cores into their milliseconds.
    """

    unit: str
    measure: str
    figure: str
    bar: float
    of_rate: bool = False


_SOURCES: Final = {
    "cpu": Source(
        unit="ms of processor a run, all processes",
        measure="journeys",
        figure="cpu_ms",
        bar=1.9,
    ),
    "postgres": Source(
        unit="… of which PostgreSQL", measure="journeys", figure="postgres_cpu_ms", bar=0.5
    ),
    "broker": Source(
        unit="… of which RabbitMQ", measure="journeys", figure="broker_cpu_ms", bar=0.3
    ),
    "intake": Source(
        unit="ms of processor an event taken in, its sender included",
        measure="intake",
        figure="hub_per_second_64",
        bar=1.3,
        of_rate=True,
    ),
    "commits": Source(
        unit="writing transactions a run", measure="journeys", figure="commits", bar=0.5
    ),
    "wal": Source(unit="kB of WAL a run, bodies on", measure="journeys", figure="wal_kb", bar=12.0),
    "relay": Source(
        unit="wakes a second of one relay",
        measure="relay",
        figure="relay_per_second",
        bar=10_000.0,
    ),
    "flight": Source(
        unit="KiB a run in flight",
        measure="worker-memory",
        figure="kib_per_run_in_flight",
        bar=40.0,
    ),
    "rss": Source(
        unit="MiB of a worker process", measure="worker-memory", figure="rss_mib", bar=120.0
    ),
    "space": Source(
        unit="kB of disk a run, kept a year", measure="growth", figure="kb_per_run", bar=5.0
    ),
}


def main() -> int:
    """Write the page's tables."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    made = written(costs(RESULTS))
    PAGE.write_text(f"{before}{START}\n\n{made}\n\n{END}{after}", encoding="utf-8")
    print(made)
    return 0


def costs(folder: Path) -> dict[str, Cost]:
    """Return every unit cost: as it was measured, else its bar."""
    path = folder / MEASURED
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {name: _cost(found, source) for name, source in _SOURCES.items()}


def needs(load: Load, cost: Mapping[str, Cost]) -> dict[str, float]:
    """Return what a place needs at its burst, each figure by calculation from the unit costs."""
    each = {name: one.value for name, one in cost.items()}
    rate, calls = load.burst, load.burst * CALLS_A_RUN
    flying = calls * SECONDS_A_CALL
    own = rate * (each["cpu"] - each["postgres"] - each["broker"] + each["intake"]) / 1000
    parked = load.busiest_hour * 3600 * OUTAGE_HOURS * load.largest_system
    kept = load.runs_a_year * each["space"] / 1e6
    return {
        "millions of runs a year": load.runs_a_year / 1e6,
        "runs a second, busiest hour of September": load.busiest_hour,
        "runs a second, burst": rate,
        "cores of web, workers and relay at the burst": own,
        f"machines of {CORES_A_MACHINE} cores for them, half busy, one of them spare": 1
        + max(1, ceil(own / (CORES_A_MACHINE * BUSY_AT_MOST))),
        "runs in flight": flying,
        f"worker processes that take, {IN_FLIGHT_A_PROCESS} runs each": ceil(
            flying / IN_FLIGHT_A_PROCESS
        ),
        "MiB of the workers' memory": max(2, ceil(flying / IN_FLIGHT_A_PROCESS)) * each["rss"]
        + flying * each["flight"] / 1024,
        "cores of PostgreSQL at the burst": rate * each["postgres"] / 1000,
        "writing transactions a second": rate * each["commits"],
        "MB of WAL a second": rate * each["wal"] / 1000,
        "GB of WAL on September's busiest day": load.runs_a_year
        * SEPTEMBER
        * BUSIEST_DAY
        * each["wal"]
        / 1e6,
        "GB of PostgreSQL after a year": kept,
        "monthly partitions": PARTITIONED * (MONTHS_KEPT + 2),
        "GB of September's partitions": kept * SEPTEMBER,
        "millions of rows in the table of runs": load.runs_a_year / 1e6,
        "wakes a second through RabbitMQ": rate,
        "cores of RabbitMQ's leader at the burst": rate * each["broker"] / 1000,
        "minutes until its queue is full, workers away": QUEUE_LENGTH / rate / 60,
        f"systems that answer {CALLS_A_SECOND:g} calls a second, to follow the burst": ceil(
            calls / CALLS_A_SECOND
        ),
        "thousand runs parked when the largest system is away for a night": parked / 1000,
        "hours that system then needs for them": parked * CALLS_A_RUN / CALLS_A_SECOND / 3600,
    }


def limits(load: Load, cost: Mapping[str, Cost]) -> dict[str, float]:
    """Return the runs a second at which each part has no more to give, the first one first."""
    each = {name: one.value for name, one in cost.items()}
    whole = each["cpu"] + each["intake"]
    largest = CALLS_A_SECOND / CALLS_A_RUN / load.largest_system
    found = {
        f"the largest system, {CALLS_A_SECOND:g} calls a second": largest,
        f"two worker processes, {IN_FLIGHT_A_PROCESS} runs in flight each": 2
        * IN_FLIGHT_A_PROCESS
        / (CALLS_A_RUN * SECONDS_A_CALL),
        "one machine of 2 cores with everything on it": 2000 / whole,
        f"PostgreSQL on {DATABASE_CORES} cores": DATABASE_CORES * 1000 / each["postgres"],
        f"a disk of {DISK_SYNCS:,.0f} syncs a second": DISK_SYNCS / each["commits"],
        f"a disk, or a standby's line, of {DISK_MB:g} MB a second": DISK_MB * 1000 / each["wal"],
        "the one active relay": each["relay"],
        "RabbitMQ's leader on 2 cores": 2000 / each["broker"],
    }
    return dict(sorted(found.items(), key=lambda one: one[1]))


def written(cost: Mapping[str, Cost]) -> str:
    """Return the tables as Markdown."""
    lines = ["| unit cost | value | from |", "|---|---:|---|"]
    lines += [f"| {one.unit} | {_short(one.value)} | {one.source} |" for one in cost.values()]
    found = [needs(load, cost) for load in PLACES]
    names = " | ".join(f"{load.name}, {_short(load.people / 1e6)} M people" for load in PLACES)
    lines += ["", f"| what | {names} |", "|---|" + "---:|" * len(PLACES)]
    for what in found[0]:
        lines.append(f"| {what} | {' | '.join(_short(one[what]) for one in found)} |")
    for load in PLACES:
        title = f"{load.name}: what has no more to give"
        lines += ["", f"| {title} | at runs a second | the burst takes of it |", "|---|---:|---:|"]
        for what, limit in limits(load, cost).items():
            lines.append(f"| {what} | {_short(limit)} | {_short(100 * load.burst / limit)} % |")
    return "\n".join(lines)


def _cost(found: Mapping[str, Any], source: Source) -> Cost:
    kept = found.get(source.measure, {})
    value = kept.get("figures", {}).get(source.figure)
    if value is None:
        return Cost(value=source.bar, unit=source.unit, source="bar, not measured yet")
    measured = 2000 / float(value) if source.of_rate else float(value)
    return Cost(value=measured, unit=source.unit, source=f"measured at {kept['commit']}")


def _short(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    if value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}"


if __name__ == "__main__":
    sys.exit(main())
