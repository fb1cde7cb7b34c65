"""Completed journeys a second: the product, hand-written loops and other engines, in turns.

Every round runs every engine once, in another order; a ratio is that of one round, and told with
its spread. All of them run the same three calls on the same servers, which this makes and takes
away. ``python -m benchmarks.journeys [--quick] [--rounds 3] [--without NAME …] [--part NAME …]``;
the last line is one JSON object.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.engines import Engine, Pass, stopping
from benchmarks.hub.engine import HubEngine
from benchmarks.lab.accounts import wait_for_quiet
from benchmarks.lab.figures import keep, middle, percentile, ratios, table
from benchmarks.lab.ground import Ground, ground
from benchmarks.lab.herd import EngineFailedError
from benchmarks.peers.engines import peer

PARTS: Final = ("fast", "slow", "idle")
HERTZ: Final = 20
# engines that poll even when there is nothing to do are started for their own passes only
KEPT: Final = ("hub", "floor", "camel", "threads")
QUICK: Final = ("celery", "dbos")
WHOLE: Final = (*QUICK, "dramatiq", "procrastinate")
# greenlets, consumers, threads: the best of each when it was tried
WIDTHS: Final = {
    "hub": 64,
    "floor": 64,
    "camel": 8,
    "threads": 4,
    "celery": 4,
    "dbos": 8,
    "dramatiq": 8,
    "procrastinate": 8,
}
SLOW_WIDTH: Final = 400
WARMING: Final = {"camel": 12_000, "hub": 1_500, "floor": 1_500, "threads": 500}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How many runs a pass has; slow engines get fewer, so that each pass lasts seconds."""

    fast: int
    peers: int
    slow: int
    idle: int

    scale: float = 1.0

    def scaled(self, scale: float) -> "Sizes":
        """Return sizes so many times as large."""
        return Sizes(
            fast=int(self.fast * scale),
            peers=int(self.peers * scale),
            slow=int(self.slow * scale),
            idle=int(self.idle * scale),
            scale=scale,
        )

    def warming(self, name: str) -> int:
        """Return how many runs warm an engine up."""
        return max(20, int(WARMING.get(name, self.peers // 5) * self.scale))

    def of(self, name: str) -> int:
        """Return the size of an engine's fast pass."""
        by_name = {"threads": self.fast // 3}
        return by_name.get(name, self.fast if name in KEPT else self.peers)


SMALL: Final = Sizes(fast=3_000, peers=150, slow=4_000, idle=200)
LARGE: Final = Sizes(fast=8_000, peers=400, slow=10_000, idle=600)


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    options = _options(arguments)
    sizes = (SMALL if options.quick else LARGE).scaled(options.scale)
    names = [n for n in (*KEPT, *(QUICK if options.quick else WHOLE)) if n not in options.without]
    passes: dict[str, list[Pass]] = defaultdict(list)
    slow: dict[str, list[Pass]] = defaultdict(list)
    idle: dict[str, list[float]] = {}
    with ground() as place:
        if "fast" in options.part:
            _fast(place, names, sizes, options.rounds, passes)
        if "slow" in options.part:
            _slow(place, [n for n in names if n in {"hub", "floor", "camel"}], sizes, options, slow)
        if "idle" in options.part:
            idle = dict(_idle(place, names, sizes))
    figures = {**summary(passes), **slow_summary(slow), **idle_summary(idle)}
    _print_tables(passes, slow, idle)
    told = {part: _told(found) for part, found in (("fast", passes), ("slow", slow))}
    keep("journeys", {"figures": figures, "passes": told, "idle_ms": _idle_told(idle)})
    print(json.dumps(figures))
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.journeys")
    parser.add_argument("--quick", action="store_true", help="under ten minutes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="size of the passes, for a try")
    parser.add_argument("--without", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--part", nargs="*", default=PARTS, choices=PARTS)
    return parser.parse_args(arguments)


# --- passes --------------------------------------------------------------------------------------


def _fast(
    place: Ground,
    names: Sequence[str],
    sizes: Sizes,
    rounds: int,
    passes: dict[str, list[Pass]],
) -> None:
    engines = dict(_made(place, names, WIDTHS, path="fast"))
    with ExitStack() as stack:
        stack.callback(stopping(engines))
        for name, engine in engines.items():
            if name in KEPT:
                engine.start()
                engine.warm(sizes.warming(name))
        for number in range(rounds):
            for name in _turned(list(engines), number):
                try:
                    passes[name].append(_one(engines[name], sizes.of(name), sizes))
                except (EngineFailedError, subprocess.CalledProcessError) as error:
                    if name in {"hub", "floor"}:
                        raise
                    engines.pop(name).stop()
                    print(f"{name} is left out from here: {error}", file=sys.stderr, flush=True)


def _slow(
    place: Ground,
    names: Sequence[str],
    sizes: Sizes,
    options: argparse.Namespace,
    passes: dict[str, list[Pass]],
) -> None:
    widths = dict.fromkeys(names, SLOW_WIDTH)
    engines = dict(_made(place, names, widths, path="slow"))
    with ExitStack() as stack:
        stack.callback(stopping(engines))
        for engine in engines.values():
            engine.start()
            warming = 6 if engine.name == "camel" else 2  # what a virtual machine compiles last
            engine.warm(int(warming * SLOW_WIDTH * sizes.scale))
        for number in range(options.rounds):
            for name in _turned(list(engines), number):
                size = sizes.slow // 2 if name == "camel" else sizes.slow
                passes[name].append(_one(engines[name], size, sizes))


def _one(engine: Engine, size: int, sizes: Sizes) -> Pass:
    """Measure one pass; an engine that is not kept is started for it and warmed."""
    if engine.name in KEPT:
        done = engine.measure(size)
    else:
        engine.start()
        try:
            engine.warm(sizes.warming(engine.name))
            done = engine.measure(size)
        finally:
            engine.stop()
    print(json.dumps(done.told()), file=sys.stderr, flush=True)
    return done


def _idle(place: Ground, names: Sequence[str], sizes: Sizes) -> Iterator[tuple[str, list[float]]]:
    """Yield the milliseconds of runs that come alone, 20 a second."""
    contenders: dict[str, Any] = {"hub": HubEngine(place, width=WIDTHS["hub"])}
    contenders["hub, no broker"] = HubEngine(place, width=WIDTHS["hub"], is_embedded=True)
    contenders |= dict(_made(place, [n for n in names if n in {"floor", "camel"}], WIDTHS))
    for name, engine in contenders.items():
        try:
            engine.start()
            engine.warm(sizes.warming(engine.name) // 2)
            wait_for_quiet()
            yield name, engine.pace(sizes.idle, HERTZ)
        finally:
            engine.stop()


def _made(
    place: Ground, names: Sequence[str], widths: Mapping[str, int], *, path: str = "fast"
) -> Iterator[tuple[str, Engine]]:
    """Yield the engines that this machine can run; say which it cannot."""
    for name in names:
        try:
            if name == "hub":
                yield name, HubEngine(place, width=widths[name], path=path)
            else:
                yield name, peer(name, place, width=widths[name], path=path)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr, flush=True)


def _turned(names: list[str], number: int) -> list[str]:
    start = number % len(names) if names else 0
    return names[start:] + names[:start]


# --- figures -------------------------------------------------------------------------------------


def summary(passes: Mapping[str, Sequence[Pass]]) -> dict[str, Any]:
    """Return the figures of the fast passes; a ratio is the product's rate over the other's."""
    hub = passes.get("hub", [])
    found: dict[str, Any] = {}
    for name in ("camel", "floor", "threads", *WHOLE):
        compared = _compared(hub, passes.get(name, []))
        found[f"ratio_{name}"] = compared["median"]
        found[f"spread_{name}"] = compared["spread"]
    if hub:
        found |= {
            "rate": middle([one.per_second for one in hub], 0),
            "cpu_ms": middle([one.cpu_ms for one in hub], 3),
            "intake_cpu_ms": middle([one.extra["intake_cpu_ms"] for one in hub], 3),
            "commits": middle([one.commits for one in hub], 3),
            "wal_kb": middle([one.wal_kb for one in hub]),
        }
    floor = passes.get("floor", [])
    cpu = ratios([one.cpu_ms for one in hub], [one.cpu_ms for one in floor])
    return found | {"cpu_ratio_floor": cpu["median"]}


def slow_summary(passes: Mapping[str, Sequence[Pass]]) -> dict[str, Any]:
    """Return the figures with a partner that takes 200 ms."""
    hub = passes.get("hub", [])
    return {
        "slow_rate": middle([one.per_second for one in hub], 0),
        "slow_ratio_floor": _compared(hub, passes.get("floor", []))["median"],
        "slow_ratio_camel": _compared(hub, passes.get("camel", []))["median"],
    }


def idle_summary(idle: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return p50 and p99 of runs that come alone, with and without a broker."""
    found: dict[str, Any] = {}
    for name, label in (("hub", "idle"), ("hub, no broker", "idle_embedded")):
        taken = idle.get(name, [])
        found[f"{label}_p50_ms"] = round(statistics.median(taken), 2) if taken else None
        found[f"{label}_p99_ms"] = round(percentile(taken, 0.99), 2) if taken else None
    return found


def _compared(ours: Sequence[Pass], theirs: Sequence[Pass]) -> dict[str, Any]:
    return ratios([one.per_second for one in ours], [one.per_second for one in theirs])


def _told(passes: Mapping[str, Sequence[Pass]]) -> dict[str, list[dict[str, Any]]]:
    return {name: [one.told() for one in found] for name, found in passes.items()}


def _idle_told(idle: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    return {
        name: {
            "count": len(taken),
            "p50": round(statistics.median(taken), 2),
            "p99": round(percentile(taken, 0.99), 2),
        }
        for name, taken in idle.items()
        if taken
    }


def _print_tables(
    passes: Mapping[str, Sequence[Pass]],
    slow: Mapping[str, Sequence[Pass]],
    idle: Mapping[str, Sequence[float]],
) -> None:
    for title, found in (("partner at once", passes), ("partner after 200 ms", slow)):
        if found:
            rows = [_row(name, ones, found.get("hub", [])) for name, ones in found.items() if ones]
            print(f"\n{title}\n{table(rows)}")
    if idle:
        rows = [{"engine": name, **figures} for name, figures in _idle_told(idle).items()]
        print(f"\none run at a time, {HERTZ} a second, milliseconds\n{table(rows)}")
    print()


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
