"""What a past does to the present: the run rate, the console's questions, the purge of a month.

A database per size, filled by SQL with finished runs of the last year; then the same passes on each
in turns. ``python -m benchmarks.growth [--sizes 10000 1000000]``, about five minutes; ``--whole``
adds ten million, which takes as long again for every million. Bars: 0.9 of the smallest one's rate
at each size; lists and one person's runs in 5 ms.
"""

import argparse
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

import psycopg

from benchmarks.engines import Pass
from benchmarks.hub import past
from benchmarks.hub.engine import HubEngine
from benchmarks.lab.figures import keep, middle, percentile, ratios, table
from benchmarks.lab.ground import Ground, ground
from benchmarks.lab.progress import Progress
from orchestrator.services.ports.views import RunFilter
from orchestrator.services.run_views import within
from orchestrator.store.connections import Database
from orchestrator.store.vault import Vault
from orchestrator.store.views import RunViewRows

SIZES: Final = (10_000, 1_000_000)
TEN_MILLION: Final = 10_000_000
MINUTES_A_MILLION: Final = 2.0
ROUNDS_OF_QUESTIONS: Final = 60
_PERSON: Final = """
SELECT id, journey, status, created_at FROM run WHERE citizen_id = %s
 ORDER BY created_at DESC LIMIT 50"""
_SPACE: Final = """
SELECT c.relname, sum(pg_total_relation_size(coalesce(i.inhrelid, c.oid)))::bigint
  FROM pg_class c LEFT JOIN pg_inherits i ON i.inhparent = c.oid
 WHERE c.relname = ANY(%s) AND c.relnamespace = 'public'::regnamespace GROUP BY 1"""
_TABLES: Final = ["run", "step", "message", "exchange", "inbox", "data_key"]


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    options = _options(arguments)
    sizes = sorted({*options.sizes, *((TEN_MILLION,) if options.whole else ())})
    found: dict[int, dict[str, Any]] = {}
    passes: dict[int, list[Pass]] = defaultdict(list)
    progress = Progress(minutes=4 + MINUTES_A_MILLION * sum(sizes) / 1e6)
    with ground(settings={"max_wal_size": "16GB", "maintenance_work_mem": "512MB"}) as place:
        hubs = {size: _hub(place, size) for size in sizes}
        for size, hub in hubs.items():
            found[size] = _filled(hub)
            progress.tell(f"{size} runs are there", found[size])
        for number in range(options.rounds):
            for size in _turned(sizes, number):
                passes[size].append(_pass(hubs[size], options.runs))
                progress.tell(
                    f"{size} runs: {number + 1}/{options.rounds}", passes[size][-1].told()
                )
        for size, hub in hubs.items():
            found[size] |= {"questions_ms": dict(_questions(hub)), "purge": _purge(hub)}
            progress.tell(f"{size} runs: asked and purged", found[size])
    figures = _summary(sizes, found, passes)
    print(table(figures["sizes"]))
    told = {str(size): one for size, one in found.items()}
    keep("growth", {"figures": figures, "found": told, "is_try": options.runs < 3_000})
    print(json.dumps(figures))
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.growth")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--whole", action="store_true", help="ten million runs too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=3_000, help="runs of a pass")
    return parser.parse_args(arguments)


def _hub(place: Ground, size: int) -> HubEngine:
    return HubEngine(place, width=64, database_name=f"bench_hub_{size}", past_runs=size)


def _filled(hub: HubEngine) -> dict[str, Any]:
    """Fill the database; returns how long it took and what it weighs."""
    hub.lay_out()
    with psycopg.connect(hub.database_url) as connection:
        space: dict[str, int] = dict(connection.execute(_SPACE, (_TABLES,)).fetchall())
    return {
        "filled_in_seconds": round(hub.filled_in),
        "mib": {name: round(size / 2**20) for name, size in space.items()},
    }


def _pass(hub: HubEngine, runs: int) -> Pass:
    """Measure one pass; only one size has its processes up at a time: they share a queue."""
    try:
        hub.start()
        hub.warm(max(50, runs // 6))
        return hub.measure(runs)
    finally:
        hub.stop()


def _turned(sizes: Sequence[int], number: int) -> Sequence[int]:
    """Return the sizes, in every second round from the largest."""
    return sizes[::-1] if number % 2 else sizes


def _questions(hub: HubEngine) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield p50 and p95 of what the console asks, through the very code its pages use."""
    database = Database(hub.database_url)
    rows = RunViewRows(database, Vault([bytes(32)]))
    asked = {
        "all": RunFilter(),
        "stuck": RunFilter(statuses=("stuck",)),
        "waiting": RunFilter(statuses=("waiting_signal",)),
        "rare journey": RunFilter(journey="bench.system_1"),
        "last day": within(RunFilter(), timedelta(hours=24)),
    }
    try:
        for label, wanted in asked.items():
            yield label, _timed(partial(rows.page, wanted, size=50))
        yield "counters", _timed(rows.counters)
        who = hub.ask(
            "SELECT citizen_id FROM run WHERE created_at < now() - interval '1 hour'"
            " AND status = 'done' ORDER BY created_at DESC LIMIT 1"
        )
        yield "one person's runs", _timed(lambda: database.all(_PERSON, who))
    finally:
        database.close()


def _timed(ask: Callable[[], object]) -> dict[str, float]:
    taken = []
    for _ in range(ROUNDS_OF_QUESTIONS):
        begun = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - begun) * 1000)
    return {"p50": round(statistics.median(taken), 2), "p95": round(percentile(taken, 0.95), 2)}


def _purge(hub: HubEngine) -> dict[str, Any]:
    """Take the oldest whole month away, as retention does: detach and drop its partitions."""
    month = past.second_oldest_month()
    found: dict[str, Any] = {"month": month}
    with psycopg.connect(hub.database_url, autocommit=True) as connection:
        for name in past.TABLES:
            part = f"{name}_{month}"
            counted = connection.execute(f"SELECT count(*) FROM {part}").fetchone()  # noqa: S608
            begun = time.perf_counter()
            connection.execute(f"ALTER TABLE {name} DETACH PARTITION {part}")
            connection.execute(f"DROP TABLE {part}")
            taken = round((time.perf_counter() - begun) * 1000, 1)
            found[name] = {"rows": counted[0] if counted else 0, "milliseconds": taken}
    return found


def _purged(purge: dict[str, Any]) -> float:
    return max(float(purge[name]["milliseconds"]) for name in past.TABLES)


def _summary(
    sizes: Sequence[int], found: dict[int, dict[str, Any]], passes: dict[int, list[Pass]]
) -> dict[str, Any]:
    base = [one.per_second for one in passes[sizes[0]]]
    rows = []
    for size in sizes:
        compared = ratios([one.per_second for one in passes[size]], base)
        slowest = max(found[size]["questions_ms"].items(), key=lambda one: one[1]["p95"])
        rows.append(
            {
                "runs": size,
                "per_second": middle([one.per_second for one in passes[size]], 0),
                "ratio": compared["median"],
                "wal_kb": middle([one.wal_kb for one in passes[size]]),
                "cpu_ms": middle([one.cpu_ms for one in passes[size]]),
                "person_p95_ms": found[size]["questions_ms"]["one person's runs"]["p95"],
                "slowest_question": slowest[0],
                "slowest_p95_ms": slowest[1]["p95"],
                "gib": round(sum(found[size]["mib"].values()) / 1024, 2),
            }
        )
    largest = sizes[-1]
    return {
        "sizes": rows,
        "slowest_question_ms": max(row["slowest_p95_ms"] for row in rows),
        "person_ms": max(row["person_p95_ms"] for row in rows),
        "purge_ms": max(_purged(found[size]["purge"]) for size in sizes),
        "growth_ratio": min(row["ratio"] or 0 for row in rows),
        "kb_per_run": round(sum(found[largest]["mib"].values()) * 2**20 / largest / 1000, 2),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
