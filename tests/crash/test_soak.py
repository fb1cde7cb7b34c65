"""R12: hours at half of what the town can do: memory and descriptors stay, nobody waits, nothing fails."""

import itertools
import os
import time
from collections import Counter

import pytest

from tests.crash.counting import still_open
from tests.crash.load import Load, People
from tests.crash.town import GATEWAY, LIBRARIES
from tests.crash.watching import Watch
from tests.reliability.reports import Report
from tests.reliability.sizes import sized

pytestmark = [
    pytest.mark.journey,
    pytest.mark.postgres,
    pytest.mark.rabbitmq,
    pytest.mark.slow,
]
MINUTES = float(os.environ.get("PARVIS_TEST_SOAK_MINUTES") or 10)
LEAST_SECONDS = 60
WARM_UP = 0.25  # of the whole: caches fill, pools open, tables get their plans
FULL_EVENTS, FULL_PER_SECOND = 400, 400.0
WAVE_SECONDS = 60.0
GROWTH, DESCRIPTORS = 0.05, 8
LAG_SECONDS = 10.0
PAGE = 2000
# from acceptance to the code's text handed over, and from the code's use to the end
_LAG = """
SELECT coalesce(percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds), 0)::float8 AS p99 FROM (
  SELECT extract(epoch FROM s.ended_at - r.created_at) AS seconds
    FROM run r JOIN step s ON s.run_id = r.id AND s.name = 'notify_library_code'
   WHERE r.created_at > %(since)s
  UNION ALL
  SELECT extract(epoch FROM r.ended_at - c.redeemed_at)
    FROM run r JOIN access_code c ON c.run_id = r.id
   WHERE r.created_at > %(since)s AND r.ended_at IS NOT NULL AND c.redeemed_at IS NOT NULL) AS w"""
_DONE = "SELECT count(*) AS n FROM run WHERE status = 'done' AND error_code IS NULL"
_KNOWN = "SELECT count(*) AS n FROM inbox"


class Crowd(People):
    """Newcomers without end: telephones come again, people do not."""

    def __init__(self, town, seed):
        super().__init__(town, seed)
        self._numbers = itertools.cycle(self._numbers)
        self._serial = itertools.count()

    def event(self, commune=None):
        event = super().event(commune)
        event.document["subject"] = f"C-{next(self._serial):08d}"
        return event


class Effects:
    """What the doubles did, read as it comes, so that no journal need be read whole."""

    def __init__(self, town):
        self._after = {town.mock(name): 0 for name in (*LIBRARIES.values(), GATEWAY)}
        self._seen = set()
        self.doubled = 0

    def read(self):
        for double in self._after:
            after = self._after[double]
            while page := double.get(f"/_mock/journal?after={after}&limit={PAGE}")["entries"]:
                after = page[-1]["seq"]
                for entry in page:
                    self._note(double.url, entry)
            self._after[double] = after

    def _note(self, where, entry):
        kind = (entry["effect"] or {}).get("kind")
        if kind not in {"patron.created", "sms.accepted"}:
            return
        effect = (where, kind, entry["reference"])
        self.doubled += effect in self._seen
        self._seen.add(effect)


class Soak:
    """Waves of events through one town, every answer kept."""

    def __init__(self, town, seed):
        self.town = town
        self.crowd = Crowd(town, seed)
        self.effects = Effects(town)
        self.answers = Counter()
        self.sent = self.acknowledged = 0

    def wave(self, count, *, per_second, beside=lambda: None):
        """Send so many events at a pace and let people use their codes; returns the seconds."""
        begun = time.monotonic()
        load = Load(self.town, per_second=per_second).start(self.crowd.events(count))
        try:
            self._until(lambda: load.is_over, beside, 600 + count / per_second)
        finally:
            load.stop()
        self.sent += count
        self.acknowledged += load.acknowledged
        self.answers += load.answers
        self.effects.read()
        return time.monotonic() - begun

    def drain(self):
        """Wait until every run has come to its end."""
        self._until(
            lambda: self.town.redeem_some() == 0 and still_open(self.town) == 0, seconds=300
        )

    def _until(self, is_so, beside=lambda: None, seconds=0.0):
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end, f"{still_open(self.town)} runs did not end"
            self.town.mend()
            self.town.redeem_some()
            beside()
            time.sleep(0.05)


@pytest.mark.timeout(36_000)
def test_at_half_of_what_it_can_do_nothing_grows_and_nothing_waits(town, buses, seed):
    place = town(broker_url=buses(1).url())
    soak = Soak(place, seed)
    half = _capacity(soak) / 2
    seconds = max(LEAST_SECONDS, sized(round(MINUTES * 60)))
    since = place.rows("SELECT clock_timestamp() AS now")[0]["now"]
    watch = Watch(place, every_seconds=max(0.5, seconds / 600))
    begun = time.monotonic()
    while (left := begun + seconds - time.monotonic()) > 0:
        is_warm = time.monotonic() - begun > WARM_UP * seconds
        lasts = min(WAVE_SECONDS, left, seconds * WARM_UP)
        beside = watch.look if is_warm else lambda: None
        soak.wave(max(1, round(half * lasts)), per_second=half, beside=beside)
    soak.drain()

    report = _report(soak, watch, seed)
    lag = place.rows(_LAG, {"since": since})[0]["p99"]
    report.more["lag p99, ms"] = round(lag * 1000)
    report.more["events a minute"] = round(half * 60)
    report.more["seconds"] = seconds
    report.say()
    assert report.is_clean, report
    assert report.ok == report.acknowledged == report.attempt
    assert watch.lives.keys() >= {"web", "worker", "worker2", "relay", "scheduler"}
    assert not watch.replaced
    assert lag < LAG_SECONDS
    assert {name: life.growth for name, life in watch.lives.items() if life.growth >= GROWTH} == {}
    assert max(life.more_descriptors for life in watch.lives.values()) <= DESCRIPTORS


def _capacity(soak):
    """Return the events a second that the town takes from acceptance to their end."""
    begun = time.monotonic()
    soak.wave(FULL_EVENTS, per_second=FULL_PER_SECOND)
    soak.drain()
    return FULL_EVENTS / (time.monotonic() - begun)


def _report(soak, watch, seed):
    """Hold what was acknowledged against the tables and the doubles; any other answer is an error."""
    soak.effects.read()
    report = Report(name="soak", seed=seed, attempt=soak.sent, acknowledged=soak.acknowledged)
    report.ok = soak.town.rows(_DONE)[0]["n"]
    report.lost = max(0, soak.acknowledged - soak.town.rows(_KNOWN)[0]["n"])
    report.duplicated = soak.effects.doubled
    other = {answer for answer in soak.answers if answer not in {202, "accepted", "duplicate"}}
    report.unexpected = sum(soak.answers[answer] for answer in other) + watch.errors()
    report.more |= Counter({f"answer {key}": number for key, number in soak.answers.items()})
    for name, life in watch.lives.items():
        report.more[f"{name} MiB"] = round(life.kib[-1] / 1024)
        report.more[f"{name} growth, thousandths"] = round(life.growth * 1000)
        report.more[f"{name} descriptors, more"] = life.more_descriptors
    return report
