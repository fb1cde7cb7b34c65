"""What the passes of journeys mean: the figures by name, the tables people read, what is kept."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.engines import Pass
from benchmarks.lab.figures import middle, percentile, ratios, table

PEERS: Final = ("camel", "floor", "threads", "celery", "dbos", "dramatiq", "procrastinate")
Passes = Mapping[str, Sequence[Pass]]
Idle = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One measure as it is told."""

    figures: dict[str, Any]
    tables: str
    kept: dict[str, Any]


def told_of(passes: Passes, slow: Passes, idle: Idle, *, hertz: int) -> Told:
    """Return figures, tables and what is kept of a measure."""
    figures = {**summary(passes), **slow_summary(slow), **idle_summary(idle)}
    kept = {
        "passes": {"fast": _lines(passes), "slow": _lines(slow)},
        "idle_ms": {name: _idle_told(taken) for name, taken in idle.items() if taken},
    }
    return Told(figures=figures, tables=_tables(passes, slow, idle, hertz), kept=kept)


def summary(passes: Passes) -> dict[str, Any]:
    """Return the figures of the fast passes; a ratio is the product's rate over the other's."""
    hub, found = passes.get("hub", []), dict[str, Any]()
    for name in PEERS:
        compared = _compared(hub, passes.get(name, []))
        found |= {f"ratio_{name}": compared["median"], f"spread_{name}": compared["spread"]}
    cpu = ratios([one.cpu_ms for one in hub], [one.cpu_ms for one in passes.get("floor", [])])
    return found | {
        "rate": middle([one.per_second for one in hub], 0),
        "cpu_ms": middle([one.cpu_ms for one in hub], 3),
        "cpu_ratio_floor": cpu["median"],
        **{f"{part}_cpu_ms": _cpu_of(hub, part) for part in ("postgres", "broker", "relay")},
        "intake_cpu_ms": middle([one.extra["intake_cpu_ms"] for one in hub], 3),
        "commits": middle([one.commits for one in hub], 3),
        "wal_kb": middle([one.wal_kb for one in hub]),
    }


def slow_summary(passes: Passes) -> dict[str, Any]:
    """Return the figures with a partner that takes 200 ms."""
    hub = passes.get("hub", [])
    return {
        "slow_rate": middle([one.per_second for one in hub], 0),
        "slow_ratio_floor": _compared(hub, passes.get("floor", []))["median"],
        "slow_ratio_camel": _compared(hub, passes.get("camel", []))["median"],
    }


def idle_summary(idle: Idle) -> dict[str, Any]:
    """Return p50 and p99 of runs that come alone, with and without a broker, and the floor's."""
    found: dict[str, Any] = {}
    for name, label in (
        ("hub", "idle"),
        ("hub, no broker", "idle_embedded"),
        ("floor", "idle_floor"),
    ):
        taken = idle.get(name, [])
        told = _idle_told(taken) if taken else {"p50": None, "p99": None}
        found |= {f"{label}_p50_ms": told["p50"], f"{label}_p99_ms": told["p99"]}
    return found


def _cpu_of(hub: Sequence[Pass], part: str) -> float | None:
    return middle([1000 * one.spent.cpu.get(part, 0.0) / one.runs for one in hub], 3)


def _compared(ours: Sequence[Pass], theirs: Sequence[Pass]) -> dict[str, Any]:
    return ratios([one.per_second for one in ours], [one.per_second for one in theirs])


def _lines(passes: Passes) -> dict[str, list[dict[str, Any]]]:
    return {name: [one.told() for one in found] for name, found in passes.items()}


def _idle_told(taken: Sequence[float]) -> dict[str, Any]:
    return {
        "count": len(taken),
        "p50": round(statistics.median(taken), 2),
        "p99": round(percentile(taken, 0.99), 2),
    }


def _tables(passes: Passes, slow: Passes, idle: Idle, hertz: int) -> str:
    made = []
    for title, found in (("partner at once", passes), ("partner after 200 ms", slow)):
        rows = [_row(name, ones, found.get("hub", [])) for name, ones in found.items() if ones]
        made += [f"{title}\n{table(rows)}"] if rows else []
    rows = [{"engine": name, **_idle_told(taken)} for name, taken in idle.items() if taken]
    made += [f"one run at a time, {hertz} a second, ms\n{table(rows)}"] if rows else []
    return "\n\n".join(made)


def _row(name: str, ones: Sequence[Pass], hub: Sequence[Pass]) -> dict[str, Any]:
    compared = _compared(hub, ones)
    return {
        "engine": name,
        "runs/s": middle([one.per_second for one in ones], 0),
        "p99 ms": middle([one.p99_ms for one in ones], 0),
        "cpu ms": middle([one.cpu_ms for one in ones]),
        "commits": middle([one.commits for one in ones]),
        "wal kB": middle([one.wal_kb for one in ones]),
        "hub is": compared["median"],
        "spread": "–".join(f"{end:.2f}" for end in compared["spread"]),
    }
