"""The memory of a worker process: over many runs, and per run that waits for a partner.

``python -m benchmarks.worker_memory [--quick] [--runs 100000]``; about five minutes. First so many runs through two
processes, resident memory read every tenth of them: growth is from the first tenth to the last.
Then a partner that takes ten seconds and as many greenlets as a process can have: what each run in
flight costs. Bars: 120 MiB a process, growth under 5 %, 40 kB a run in flight.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from benchmarks.hub.engine import HubEngine
from benchmarks.lab.accounts import pss_kib, rss_kib
from benchmarks.lab.figures import keep
from benchmarks.lab.ground import Ground, ground
from benchmarks.lab.progress import Progress

HANGS_MS: Final = 10_000
GREENLETS: Final = 400
TENTHS: Final = 10


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.worker_memory")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--only-in-flight", action="store_true")
    options = parser.parse_args(arguments)
    runs = options.runs or (10_000 if options.quick else 100_000)
    progress, grown = Progress(minutes=6), dict[str, Any]()
    with ground() as place:
        if not options.only_in_flight:
            grown = _over_many_runs(place, runs, progress)
        flying = _in_flight(place)
        progress.tell("in flight", flying)
    figures = {**grown, **flying}
    keep("worker-memory", {"figures": figures, "is_try": runs < 100_000 or options.only_in_flight})
    print(json.dumps(figures))
    return 0


def _over_many_runs(place: Ground, runs: int, progress: Progress) -> dict[str, Any]:
    """Run so many; returns the memory of each process at every tenth, in MiB."""
    hub, seen = HubEngine(place, width=64), list[list[float]]()
    try:
        hub.start()
        for tenth in range(1, TENTHS + 1):
            hub.measure(runs // TENTHS, patience=600, is_quiet=False)
            seen.append([round(rss_kib(pid) / 1024, 1) for pid in hub.herd.pids])
            progress.tell(f"{runs * tenth // TENTHS} runs", {"rss_mib": seen[-1]})
        shared = [round(pss_kib(pid) / 1024, 1) for pid in hub.herd.pids]
    finally:
        hub.stop()
    growth = max(last / first - 1 for first, last in zip(seen[0], seen[-1], strict=True))
    return {
        "runs": runs,
        "rss_mib": max(seen[-1]),
        "rss_mib_by_tenth": seen,
        "pss_mib": max(shared),
        "growth_percent": round(growth * 100, 1),
    }


def _in_flight(place: Ground) -> dict[str, Any]:
    """Have as many runs as will wait for a slow partner; returns what each one costs."""
    place.ask_partner("PUT", "_delay/hangs/0")
    hub = HubEngine(place, width=GREENLETS, path="hangs", read_timeout="30s")
    try:
        hub.start()
        # a few at a time first: what a process holds once it has done everything once is no run's
        since = hub.now()
        hub.feed(do="flow", seconds=8, hertz=50, journeys=["bench.three_calls"])
        _wait(hub, since)
        place.ask_partner("PUT", f"_delay/hangs/{HANGS_MS}")
        idle = sum(rss_kib(pid) for pid in hub.herd.pids)
        hub.feed(do="fill", count=2 * GREENLETS, journeys=["bench.three_calls"])
        count, flying = _most(place, hub)
        place.ask_partner("PUT", "_delay/hangs/0")
        _wait(hub, since)
    finally:
        hub.stop()
    return {"in_flight": count, "kib_per_run_in_flight": round((flying - idle) / count, 1)}


def _most(place: Ground, hub: HubEngine) -> tuple[int, int]:
    """Wait until no more runs come to hang; returns how many do, and the workers' memory then."""
    most, flying, end = 0, 0, time.monotonic() + 3 * HANGS_MS / 1000
    while time.monotonic() < end:
        time.sleep(2)
        told = json.loads(place.ask_partner("GET", "_figures"))
        count = int(told["in_flight"].get("hangs", 0))
        if most and count <= most:
            return most, flying
        most, flying = count, sum(rss_kib(pid) for pid in hub.herd.pids)
    if not most:
        raise SystemExit("no run ever waited for the partner that hangs")
    return most, flying


def _wait(hub: HubEngine, since: Any) -> None:
    sql = "SELECT count(*) FROM run WHERE created_at >= %s AND ended_at IS NULL"
    end = time.monotonic() + 300
    while hub.ask(sql, (since,))[0]:
        if time.monotonic() > end:
            raise SystemExit("runs in flight did not end")
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
