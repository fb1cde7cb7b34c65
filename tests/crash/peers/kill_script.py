"""One script for all: events in, the worker killed again and again while it works, then every run counted."""

import random
import time

from tests.crash.peers.contestants import Contestant
from tests.crash.peers.double import CALLS, Office
from tests.reliability.reports import Report

LIFE_SECONDS = (0.3, 1.2)  # between the first call of a life and its end
BORN_SECONDS = 60.0
PATIENCE_SECONDS = 150.0  # without a call; more than any lease of those compared


def under_kills(contestant: Contestant, office: Office, *, events, kills, seed) -> Report:
    """Run the script on one engine; the seed draws the same lives for each."""
    chances = random.Random(seed)
    contestant.start()
    accepted = contestant.send(events)
    cut, had = set(), 0
    for _ in range(kills):
        if not _is_at_work(office, accepted):
            break
        time.sleep(chances.uniform(*LIFE_SECONDS))
        cut |= office.under_way()
        contestant.kill()
        contestant.restart()
        had += 1
    _wait_for_the_end(contestant, office, accepted)
    return _report(contestant, office, accepted, cut=cut, kills=had, seed=seed)


def _is_at_work(office, accepted):
    """Wait until this life made its first call; False when there is nothing left to do."""
    before, end = office.requests, time.monotonic() + BORN_SECONDS
    while office.requests == before:
        if len(office.ended()) == accepted or time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _wait_for_the_end(contestant, office, accepted):
    """Wait until all is done, or until nothing was asked for so long that nothing will come."""
    seen, quiet_since = office.requests, time.monotonic()
    while len(office.ended()) < accepted or contestant.done() < accepted:
        if office.requests != seen:
            seen, quiet_since = office.requests, time.monotonic()
        if time.monotonic() - quiet_since > PATIENCE_SECONDS:
            return
        time.sleep(0.2)


def _report(contestant, office, accepted, *, cut, kills, seed):
    ended = office.ended()
    report = Report(
        name=f"peers_{contestant.name}",
        seed=seed,
        attempt=accepted,
        acknowledged=accepted,
        ok=len(ended),
        lost=accepted - len(ended),
        duplicated=office.doubled,
        recovered=len(cut & ended),
        unexpected=abs(len(ended) - contestant.done()),
        is_ours=contestant.is_ours,
    )
    report.more["kills"] = kills
    report.more["calls asked again"] = office.asked_again
    report.more["calls"] = office.requests
    report.more["least calls"] = accepted * len(CALLS)
    report.say()
    return report
