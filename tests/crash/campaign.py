"""One campaign under load: events come, things are killed, people use their codes, all comes to an end."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from orchestrator.engine.runs import LEASE
from tests.crash.counting import counted, open_ones, still_open
from tests.crash.load import Load, People
from tests.crash.town import Town
from tests.reliability.reports import Report

# a wake that died with its queue is found when its lease is over; then pauses between tries, and a busy machine
DRAINED_SECONDS = LEASE.total_seconds() + 240.0
AGAIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Accident:
    """Something done on purpose; ``act`` returns None when it cannot be done now, and is called again."""

    name: str
    act: Callable[[], object]


def campaign(
    town: Town,
    *,
    name: str,
    seed: int,
    events: int,
    per_second: float,
    accidents: list[Accident],
    every_seconds: float,
    drained_seconds: float = DRAINED_SECONDS,
) -> Report:
    """Send events at a pace, have the accidents one after the other, and wait for every end."""
    load = Load(town, per_second=per_second).start(People(town, seed).events(events))
    had: Counter[str] = Counter()
    begun = time.monotonic()
    unfinished: AssertionError | None = None
    try:
        planned = max(events / per_second, len(accidents) * every_seconds)
        _go_through(
            town, load, accidents, every_seconds, had, time.monotonic() + planned + drained_seconds
        )
        begun = time.monotonic()
        town.until(
            lambda: town.redeem_some() == 0 and still_open(town) == 0,
            lambda: f"these runs did not end: {open_ones(town)}",
            drained_seconds,
        )
    except AssertionError as error:
        unfinished = error
    finally:
        load.stop()
    report = counted(town, load, name=name, seed=seed)
    report.more |= had
    report.more["kills"] = sum(number for what, number in had.items() if what.startswith("kill"))
    report.more["drained in tenths of a second"] = round((time.monotonic() - begun) * 10)
    report.say()
    if unfinished is not None:
        raise unfinished
    return report


def _go_through(
    town: Town,
    load: Load,
    accidents: list[Accident],
    every_seconds: float,
    had: Counter[str],
    end: float,
) -> None:
    """Have every accident, until all of it was sent and answered."""
    next_at, waiting = time.monotonic() + every_seconds, list(accidents)
    while waiting or not load.is_over:
        assert time.monotonic() < end, f"{load.acknowledged} of {len(load.events)} were answered"
        town.mend()
        if waiting and time.monotonic() >= next_at:
            accident = waiting.pop(0)
            if accident.act() is None:
                waiting.insert(len(waiting) // 2, accident)
                next_at = time.monotonic() + AGAIN_SECONDS
            else:
                had[accident.name] += 1
                next_at = time.monotonic() + every_seconds
        town.redeem_some()
        time.sleep(0.05)


def shuffled(seed: int, *kinds: tuple[int, str, Callable[[], object]]) -> list[Accident]:
    """Return so many of each accident, in an order of the seed's."""
    every = [Accident(name=name, act=act) for number, name, act in kinds for _ in range(number)]
    random.Random(seed).shuffle(every)
    return every


def kills(town: Town, *kinds: tuple[int, str]) -> list[tuple[int, str, Callable[[], object]]]:
    """Return kill -9 of processes of a town, so many of each name."""
    return [(number, f"kill {name}", partial(town.kill, name)) for number, name in kinds]
