"""One campaign under load: events come, things are killed, people use their codes, all comes to an end."""

import random
import time
from collections.abc import Callable

from tests.crash.counting import counted, still_open
from tests.crash.load import Load, People
from tests.crash.town import Town
from tests.reliability.reports import Report

DRAINED_SECONDS = 90.0


def campaign(
    town: Town,
    *,
    name: str,
    seed: int,
    events: int,
    per_second: float,
    accidents: list[Callable[[], object]],
    every_seconds: float,
    drained_seconds: float = DRAINED_SECONDS,
) -> Report:
    """Send events at a pace, have the accidents one after the other, and wait for every end."""
    kills = town.kills
    load = Load(town, per_second=per_second).start(People(town, seed).events(events))
    try:
        next_at, waiting = time.monotonic() + every_seconds, list(accidents)
        while waiting or not load.is_over:
            town.mend()
            if waiting and time.monotonic() >= next_at:
                waiting.pop(0)()
                next_at = time.monotonic() + every_seconds
            town.redeem_some()
            time.sleep(0.05)
        drained = town.until(
            lambda: town.redeem_some() == 0 and still_open(town) == 0,
            lambda: f"{still_open(town)} runs did not end",
            drained_seconds,
        )
    finally:
        load.stop()
    report = counted(town, load, name=name, seed=seed)
    report.more["kills"] = town.kills - kills
    report.more["drained in tenths of a second"] = round(drained * 10)
    report.say()
    return report


def shuffled(seed: int, *kinds: tuple[int, Callable[[], object]]) -> list[Callable[[], object]]:
    """Return so many of each accident, in an order of the seed's."""
    every = [act for number, act in kinds for _ in range(number)]
    random.Random(seed).shuffle(every)
    return every
