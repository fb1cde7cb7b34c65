"""Completed journeys a second: the product, hand-written loops and other engines, in turns.

Every round runs every engine once, in another order; a ratio is that of one round, and told with
its spread. All of them run the same three calls on the same servers, which this makes and takes
away. ``python -m benchmarks.journeys [--quick] [--rounds 3] [--without NAME …] [--part NAME …]``;
the last line is one JSON object. ``--quick`` keeps under ten minutes: what comes last has fewer
runs when what came first took longer than it should.
"""

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final

from benchmarks.engines import Engine, Pacer, Pass
from benchmarks.hub.engine import HubEngine
from benchmarks.journey_figures import told_of
from benchmarks.lab.accounts import wait_for_quiet
from benchmarks.lab.figures import keep
from benchmarks.lab.ground import Ground, ground
from benchmarks.lab.herd import EngineFailedError
from benchmarks.lab.progress import Progress
from benchmarks.peers.engines import peer

PARTS: Final = ("fast", "idle", "slow")
HERTZ: Final = 20
EMBEDDED: Final = "hub, no broker"
# without the product or its floor there is no measure; any other engine may be missing
NEEDED: Final = ("hub", "floor")
RUNNING: Final = (*NEEDED, "camel", "threads")
# these poll even when there is nothing to do: between their passes the kernel holds them
HELD: Final = ("celery", "dbos")
# and these lose their place when they are held: started for each pass anew
STARTED_ANEW: Final = ("dramatiq", "procrastinate")
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
SLOW: Final = ("hub", "floor", "camel")
SLOW_WIDTH: Final = 400
WARMING: Final = {"camel": 12_000, "hub": 1_500, "floor": 1_500, "threads": 250}
# a virtual machine compiles last what it met last
SLOW_WARMING: Final = {"hub": 800, "floor": 800, "camel": 2_400}
FAILURES: Final = (EngineFailedError, OSError, subprocess.SubprocessError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How many runs a pass has; slow engines get fewer, so that each pass lasts seconds."""

    fast: int
    peers: int
    slow: int
    idle: int
    minutes: float
    slow_seconds: float
    scale: float = 1.0

    def of(self, name: str) -> int:
        """Return the size of an engine's pass."""
        known = {"threads": self.fast // 3}
        count = known.get(name, self.fast if name in RUNNING else self.peers)
        return self.scaled(count)

    def of_slow(self, name: str, share: float) -> int:
        """Return the size of a pass with slow partners, cut to a share of it."""
        return self.scaled((self.slow // 2 if name == "camel" else self.slow) * share)

    def warming(self, name: str) -> int:
        """Return how many runs warm an engine up."""
        return self.scaled(WARMING.get(name, self.peers // 5))

    def scaled(self, count: float) -> int:
        """Return so many runs, or fewer for a try."""
        return max(20, int(count * self.scale))


SMALL: Final = Sizes(fast=2_400, peers=150, slow=3_200, idle=200, minutes=9, slow_seconds=150)
LARGE: Final = Sizes(fast=8_000, peers=400, slow=10_000, idle=600, minutes=45, slow_seconds=420)
Figures = dict[str, list[Pass]]


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    options = _options(arguments)
    chosen = SMALL if options.quick else LARGE
    sizes = Sizes(**{**_members(chosen), "scale": options.scale})
    every = (*RUNNING, *HELD, *(() if options.quick else STARTED_ANEW))
    names = [name for name in every if name not in options.without]
    progress = Progress(minutes=sizes.minutes)
    with ground() as place:
        progress.tell("servers are up")
        course = Course(place, sizes, progress, rounds=options.rounds)
        if "fast" in options.part or "idle" in options.part:
            course.fast(names, options.part)
        if "idle" in options.part:
            course.idle_without_broker()
        if "slow" in options.part:
            course.slow([name for name in names if name in SLOW])
    told = told_of(course.passes, course.slow_passes, course.idle, hertz=HERTZ)
    print(f"\n{told.tables}\n")
    is_whole = options.scale == 1.0 and options.rounds >= 3 and set(options.part) == set(PARTS)
    kept = {**told.kept, "seconds": round(progress.seconds), "is_try": not is_whole}
    keep("journeys", {"figures": told.figures, **kept})
    print(json.dumps(told.figures))
    return 0


def _members(sizes: Sizes) -> dict[str, float]:
    return {name: getattr(sizes, name) for name in sizes.__slots__}


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.journeys")
    parser.add_argument("--quick", action="store_true", help="under ten minutes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="size of the passes, for a try")
    parser.add_argument("--without", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--part", nargs="*", default=PARTS, choices=PARTS)
    return parser.parse_args(arguments)


class Course:
    """The passes of one measure, in turns; what they gave is kept by engine."""

    def __init__(self, place: Ground, sizes: Sizes, progress: Progress, *, rounds: int) -> None:
        self._place = place
        self._sizes = sizes
        self._progress = progress
        self._rounds = rounds
        self.passes: Figures = defaultdict(list)
        self.slow_passes: Figures = defaultdict(list)
        self.idle: dict[str, list[float]] = {}

    def fast(self, names: Sequence[str], parts: Sequence[str]) -> None:
        """Measure with partners that answer at once; then runs that come alone."""
        with ExitStack() as stack:
            engines = self._started(stack, names, WIDTHS, self._sizes.warming, path="fast")
            if "fast" in parts:
                self._in_turns(engines, "fast", self.passes, self._sizes.of)
            if "idle" in parts:
                for name in NEEDED:
                    self._pace(name, engines[name])

    def slow(self, names: Sequence[str]) -> None:
        """Measure with partners that take 200 ms, as much of it as the time left allows."""
        share = self._progress.share(self._sizes.slow_seconds, least=0.4)
        widths = dict.fromkeys(names, SLOW_WIDTH)
        with ExitStack() as stack:
            warming = {name: self._sizes.scaled(SLOW_WARMING[name] * share) for name in names}
            engines = self._started(stack, names, widths, warming.__getitem__, path="slow")
            sizes = {name: self._sizes.of_slow(name, share) for name in names}
            self._in_turns(engines, "slow", self.slow_passes, sizes.__getitem__)

    def idle_without_broker(self) -> None:
        """Measure runs that come alone when the worker reads the outbox itself."""
        hub = HubEngine(self._place, width=WIDTHS["hub"], is_embedded=True)
        with ExitStack() as stack:
            stack.callback(hub.stop)
            hub.start()
            hub.warm(self._sizes.warming("hub") // 2)
            self._pace(EMBEDDED, hub)

    def _pace(self, name: str, engine: Engine) -> None:
        assert isinstance(engine, Pacer)  # noqa: S101 - those that are needed all are
        wait_for_quiet()
        taken = engine.pace(self._sizes.scaled(self._sizes.idle), HERTZ)
        self.idle[name] = taken
        self._progress.tell(f"idle {name}: {len(taken)} runs")

    def _started(
        self,
        stack: ExitStack,
        names: Sequence[str],
        widths: Mapping[str, int],
        warming: Callable[[str], int],
        *,
        path: str,
    ) -> dict[str, Engine]:
        """Return the engines that this machine can run, warm; say which it cannot."""
        found = {}
        for name in names:
            try:
                engine = _made(name, self._place, width=widths[name], path=path)
                stack.callback(_stopped, engine)
                if name not in STARTED_ANEW:
                    engine.start()
                    engine.warm(warming(name))
                if name in HELD:
                    engine.herd.hold()
            except FAILURES as error:
                self._left_out(name, error)
                continue
            found[name] = engine
            self._progress.tell(f"{path}: {name} is warm")
        return found

    def _in_turns(
        self,
        engines: dict[str, Engine],
        part: str,
        passes: Figures,
        size_of: Callable[[str], int],
    ) -> None:
        for number in range(self._rounds):
            for name in turned(list(engines), number):
                try:
                    done = self._one(engines[name], size_of(name))
                except FAILURES as error:
                    self._left_out(name, error)
                    _stopped(engines.pop(name))
                    continue
                passes[name].append(done)
                self._progress.tell(f"{part} {number + 1}/{self._rounds}", done.told())

    def _one(self, engine: Engine, size: int) -> Pass:
        """Measure one pass, and leave the engine as it was found."""
        if engine.name in STARTED_ANEW:
            engine.start()
            try:
                engine.warm(self._sizes.warming(engine.name))
                return engine.measure(size)
            finally:
                engine.stop()
        done = engine.measure(size)
        if engine.name in HELD:
            engine.herd.hold()
        return done

    def _left_out(self, name: str, error: Exception) -> None:
        if name in NEEDED:
            raise error
        self._progress.tell(f"{name} is left out from here: {error}")


def _made(name: str, place: Ground, *, width: int, path: str) -> Engine:
    if name == "hub":
        return HubEngine(place, width=width, path=path)
    return peer(name, place, width=width, path=path)


def _stopped(engine: Engine) -> None:
    """End an engine, whatever became of it."""
    with suppress(*FAILURES):
        engine.stop()


def turned(names: list[str], number: int) -> Iterator[str]:
    """Yield the names, from another one in every round."""
    start = number % len(names) if names else 0
    yield from names[start:]
    yield from names[:start]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
