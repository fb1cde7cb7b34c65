"""One of five partners hangs for ten seconds: what the other four feel.

The same work, one fifth for each partner, with all five healthy and then with the fifth hanging: at
a fixed rate (how late are the healthy ones?) and from a backlog (how many a second of the healthy
ones?). The partner's answer comes before the connector's own limit, so nothing but the share of
each system keeps the others going. ``python -m benchmarks.hanging [--quick]``; about five minutes.
Bars: the healthy ones keep 0.8 of their rate, their p99 stays under twice.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from benchmarks.hub.city import SYSTEMS
from benchmarks.hub.engine import HubEngine
from benchmarks.lab.accounts import wait_for_quiet
from benchmarks.lab.figures import keep, middle, ratios
from benchmarks.lab.ground import Ground, ground
from benchmarks.lab.progress import Progress

HANGS_MS: Final = 10_000
JOURNEYS: Final = tuple(f"bench.{name}" for name in SYSTEMS)
HEALTHY, SICK = list(JOURNEYS[:-1]), SYSTEMS[-1]
_LEFT: Final = """
SELECT count(*) FROM run
 WHERE created_at >= %(since)s AND ended_at IS NULL AND journey = ANY(%(journeys)s)"""
_FOUND: Final = """
WITH r AS (SELECT id, created_at, ended_at FROM run WHERE created_at >= %(since)s
              AND journey = ANY(%(journeys)s) AND status = 'done')
SELECT count(*), extract(epoch FROM max(ended_at) - (SELECT min(s.started_at) FROM step s JOIN r
         ON s.run_id = r.id))::float8,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - created_at))::float8,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - created_at))::float8
  FROM r"""


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.hanging")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--greenlets", type=int, default=64)
    parser.add_argument("--hertz", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=0, help="of the fixed rate")
    parser.add_argument("--backlog", type=int, default=0)
    options = parser.parse_args(arguments)
    seconds = options.seconds or (10 if options.quick else 15)
    backlog = options.backlog or (2_000 if options.quick else 3_000)
    progress, rounds = Progress(minutes=6), list[dict[str, Any]]()
    with ground() as place:
        hub = HubEngine(place, width=options.greenlets, read_timeout="30s")
        try:
            hub.start()
            hub.warm(500)
            progress.tell("warm")
            for number in range(options.rounds):
                rounds.append(_round(place, hub, options.hertz, seconds, backlog))
                progress.tell(f"round {number + 1}/{options.rounds}", rounds[-1])
        finally:
            hub.stop()
    figures = _summary(rounds)
    keep("hanging", {"figures": figures, "rounds": rounds, "is_try": backlog < 2_000})
    print(json.dumps(figures))
    return 0


def _round(
    place: Ground, hub: HubEngine, hertz: float, seconds: float, backlog: int
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for state, delay in (("healthy", 0), ("hanging", HANGS_MS)):
        found[state] = {
            "flow": _flow(place, hub, delay, hertz=hertz, seconds=seconds),
            "backlog": _backlog(place, hub, delay, backlog),
        }
    return found


def _flow(
    place: Ground, hub: HubEngine, delay: int, *, hertz: float, seconds: float
) -> dict[str, float]:
    """Feed at a fixed rate; returns what became of the healthy systems' runs."""
    wait_for_quiet()
    place.ask_partner("PUT", f"_delay/{SICK}/{delay}")
    since = hub.now()
    hub.feed(do="flow", seconds=seconds, hertz=hertz, journeys=list(JOURNEYS))
    return _healthy(place, hub, since)


def _backlog(place: Ground, hub: HubEngine, delay: int, count: int) -> dict[str, float]:
    """Lay out a backlog with the workers held, let go; returns what the healthy systems did."""
    wait_for_quiet()
    place.ask_partner("PUT", f"_delay/{SICK}/{delay}")
    since = hub.now()
    hub.herd.hold()
    hub.feed(do="fill", count=count, journeys=list(JOURNEYS))
    time.sleep(1)
    hub.herd.go()
    return _healthy(place, hub, since)


def _healthy(place: Ground, hub: HubEngine, since: Any) -> dict[str, float]:
    """Wait for the healthy systems' runs and tell; then mend the sick one and let it finish."""
    _wait(hub, since, HEALTHY)
    runs, lasted, p50, p99 = hub.ask(_FOUND, {"since": since, "journeys": HEALTHY})
    place.ask_partner("PUT", f"_delay/{SICK}/0")
    _wait(hub, since, list(JOURNEYS))
    return {
        "runs": runs,
        "per_second": round(runs / lasted, 1),
        "p50_ms": round(p50 * 1000, 1),
        "p99_ms": round(p99 * 1000, 1),
    }


def _wait(hub: HubEngine, since: Any, journeys: list[str], patience: float = 180) -> None:
    end = time.monotonic() + patience
    while hub.ask(_LEFT, {"since": since, "journeys": journeys})[0]:
        hub.herd.check()
        if time.monotonic() > end:
            raise SystemExit(f"runs of {journeys} did not end in {patience} s")
        time.sleep(0.2)


def _summary(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in ("flow", "backlog"):
        for figure in ("per_second", "p99_ms"):
            sick = [one["hanging"][kind][figure] for one in rounds]
            well = [one["healthy"][kind][figure] for one in rounds]
            compared = ratios(sick, well)
            found[f"{kind}_{figure}_ratio"] = compared["median"]
            found[f"{kind}_{figure}_ratios"] = compared["pairs"]
            found[f"{kind}_{figure}"] = middle(well, 1)
            found[f"{kind}_{figure}_hanging"] = middle(sick, 1)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
