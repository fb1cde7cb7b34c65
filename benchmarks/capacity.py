"""From measured costs to machines: the tables of ``docs/capacity.md``, calculated.

``python -m benchmarks.capacity`` reads the newest results under ``benchmarks/results`` and writes
the tables between the markers of the page. A cost that no result holds is taken from the bar it
must meet, and the table says so.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final

from benchmarks.lab.figures import RESULTS, ROOT

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
OUTAGE_HOURS: Final = 10
QUEUE_LENGTH: Final = 500_000
BUSY_AT_MOST: Final = 0.5
MONTHS_WITH_BODIES: Final = 1
MONTHS_KEPT: Final = 12


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
    Load(name="métropole", people=2_000_000),
    Load(name="country", people=66_000_000),
)
# the cost, its unit, the measure and the path to it, the bar it must meet
_COSTS: Final = {
    "cpu": ("ms of processor a run", "journeys", ("figures", "cpu_ms"), 1.9),
    "intake": ("ms of processor a message taken in", "journeys", ("figures", "intake_cpu_ms"), 0.5),
    "commits": ("writing transactions a run", "journeys", ("figures", "commits"), 0.5),
    "wal": ("kB of WAL a run, bodies on", "journeys", ("figures", "wal_kb"), 12.0),
    "relay": ("wakes a second of one relay", "relay", ("figures", "relay_per_second"), 10_000.0),
    "flight": (
        "kB a run in flight",
        "worker-memory",
        ("figures", "kib_per_run_in_flight"),
        40.0,
    ),
    "rss": ("MiB of a worker process", "worker-memory", ("figures", "rss_mib"), 120.0),
    "space": ("kB of disk a run kept a year", "growth", ("figures", "kb_per_run"), 4.0),
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
    """Return every unit cost: of the newest result that holds it, else of its bar."""
    return {
        name: _cost(folder, unit, measure, path, bar)
        for name, (unit, measure, path, bar) in _COSTS.items()
    }


def needs(load: Load, cost: Mapping[str, Cost]) -> dict[str, float]:
    """Return what a place needs at its burst, each figure by calculation from the unit costs."""
    each = {name: one.value for name, one in cost.items()}
    rate, flying = load.burst, load.burst * CALLS_A_RUN * SECONDS_A_CALL
    cores = rate * (each["cpu"] + each["intake"]) / 1000
    parked = load.busiest_hour * 3600 * OUTAGE_HOURS
    return {
        "millions of runs a year": load.runs_a_year / 1e6,
        "runs a second, busiest hour of September": load.busiest_hour,
        "runs a second, burst": rate,
        "cores at the burst": cores,
        "machines of 2 cores, half busy": ceil(cores / (2 * BUSY_AT_MOST)),
        "runs in flight": flying,
        "greenlets of 2 worker processes, each": ceil(flying / 2),
        "MiB of 2 worker processes": 2 * each["rss"] + flying * each["flight"] / 1024,
        "share of one relay, %": 100 * rate / each["relay"],
        "transactions a second": rate * each["commits"],
        "MB of WAL a second": rate * each["wal"] / 1000,
        "GB of PostgreSQL after a year": load.runs_a_year * each["space"] / 1e6,
        "GB a month that retention drops": load.runs_a_year * each["space"] / 1e6 / MONTHS_KEPT,
        "thousand runs parked by a night's outage": parked / 1000,
        "minutes until the queue is full, workers away": QUEUE_LENGTH / rate / 60,
    }


def written(cost: Mapping[str, Cost]) -> str:
    """Return the tables as Markdown."""
    lines = ["| unit cost | value | from |", "|---|---:|---|"]
    lines += [f"| {one.unit} | {_short(one.value)} | {one.source} |" for one in cost.values()]
    found = [needs(load, cost) for load in PLACES]
    names = " | ".join(f"{load.name}, {_short(load.people / 1e6)} M people" for load in PLACES)
    lines += ["", f"| what | {names} |", "|---|" + "---:|" * len(PLACES)]
    for what in found[0]:
        lines.append(f"| {what} | {' | '.join(_short(one[what]) for one in found)} |")
    return "\n".join(lines)


def _cost(folder: Path, unit: str, measure: str, path: Sequence[str], bar: float) -> Cost:
    for file in sorted(folder.glob(f"{measure}-2*.json"), reverse=True):
        kept = json.loads(file.read_text(encoding="utf-8"))
        value: Any = kept
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            return Cost(value=float(value), unit=unit, source=f"measured at {kept['commit']}")
    return Cost(value=bar, unit=unit, source="bar, not measured yet")


def _short(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}"


if __name__ == "__main__":
    sys.exit(main())
