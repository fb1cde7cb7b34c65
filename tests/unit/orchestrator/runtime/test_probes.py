from datetime import timedelta

import gevent
import pytest

from orchestrator.engine.breaker import Cause, Pace, State
from orchestrator.runtime.probes import Probes
from orchestrator.services.ports.breakers import BreakerRow
from orchestrator.services.ports.running import ServiceRef
from schemas import clock
from schemas.errors import PartnerMisconfiguredError, Recovery, StoreUnavailableError
from schemas.receipts import ProbeLevel, ProbeResult

PAST, FUTURE = timedelta(seconds=-1), timedelta(hours=1)


class City:
    """One system with its breaker, its probe and those who wait for it."""

    def __init__(self, state, *, cause=Cause.OUTAGE, due=PAST, waiting=0, version="1"):
        now = clock.utcnow()
        self.row = {
            "profile": "ils",
            "connector": "koha",
            "state": state,
            "cause": None if state is State.CLOSED else cause,
            "reason": None,
            "actor": None,
            "version": "1",
            "probes": 0,
            "opened_at": now,
            "next_probe_at": now + due,
            "trial_until": None,
            "slow_until": None,
        }
        self.waiting, self.version = waiting, version
        self.done, self.claimed, self.probed, self.woken = [], [], [], []
        self.answer = ProbeResult(level=ProbeLevel.TRANSACTION, is_up=True, probed_at=now)
        self.chore = Probes(
            breakers=self,
            gateway=self,
            runs=self,
            system=lambda _profile: self.service(),
            most_per_second=lambda _profile: 5,
            pace=Pace(),
        )

    def service(self):
        return ServiceRef(
            id="lib",
            kind="library",
            name="L",
            profile="ils",
            connector="koha",
            settings={},
            version=self.version,
        )

    def tick(self):
        self.chore()
        gevent.sleep(0)
        gevent.sleep(0)

    def rows(self):
        return [BreakerRow(**self.row, is_awaited=self.waiting > 0)]

    def claim_probe(self, profile, *, state, wait, version=None):
        self.claimed.append((state, wait.total_seconds()))
        self.row |= {"probes": self.row["probes"] + 1, "next_probe_at": clock.utcnow() + wait}
        self.row["version"] = version or self.row["version"]
        return True

    def half_open(self, profile, *, wait):
        self.done.append("half_open")
        self.row |= {"state": State.HALF_OPEN, "next_probe_at": clock.utcnow() + wait}

    def close(self, profile, *, after):
        self.done.append(f"close after {after[0]}")
        self.row |= {"state": State.CLOSED}

    def open(self, profile, *, cause, reason, wait, version=None):
        self.done.append(f"open for {cause}")

    def reopen(self, profile, *, reason, pace):
        self.done.append("reopen")

    def probe(self, service, level):
        self.probed.append(level)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def wake(self, profile, *, most):
        woken = min(most, self.waiting)
        self.waiting -= woken
        self.woken.append(woken)
        return woken

    def fails(self, recovery):
        self.answer = ProbeResult(
            level=ProbeLevel.TRANSACTION,
            is_up=False,
            probed_at=clock.utcnow(),
            recovery=recovery,
        )


def test_an_open_breaker_is_left_alone_until_its_time_has_come():
    city = City(State.OPEN, due=FUTURE, waiting=3)
    city.tick()
    assert (city.probed, city.woken, city.done) == ([], [], [])


def test_a_system_that_is_still_down_is_probed_more_and_more_rarely_and_for_ever():
    city = City(State.OPEN, waiting=3)
    city.fails(Recovery.RETRY)
    for _ in range(30):
        city.row["next_probe_at"] = clock.utcnow()
        city.tick()
    waits = [seconds for _, seconds in city.claimed]
    assert len(city.probed) == 30
    assert [round(wait / 10) for wait in waits[:3]] == [1, 2, 3]
    assert all(27 <= wait <= 33 for wait in waits[3:])
    assert (city.done, city.woken) == ([], [])


def test_a_system_that_answers_gets_one_real_call_first():
    city = City(State.OPEN, waiting=3)
    city.tick()
    assert (city.done, city.woken) == (["half_open"], [])
    city.row["next_probe_at"] = clock.utcnow()
    city.tick()
    city.tick()
    assert city.woken == [1]
    assert city.probed == [ProbeLevel.TRANSACTION]


def test_nobody_is_woken_while_somebody_tries_the_system():
    city = City(State.HALF_OPEN, waiting=3)
    city.row["trial_until"] = clock.utcnow() + timedelta(seconds=30)
    city.tick()
    assert (city.woken, city.probed) == ([], [])


def test_a_system_nobody_waits_for_closes_on_its_harmless_transaction():
    city = City(State.OPEN)
    city.tick()
    assert city.done == ["close after open"]


def test_a_half_open_breaker_nobody_calls_through_is_decided_by_a_probe():
    city = City(State.HALF_OPEN)
    city.fails(Recovery.RETRY)
    city.tick()
    assert city.done == ["reopen"]
    city = City(State.HALF_OPEN)
    city.tick()
    assert city.done == ["close after half_open"]


def test_a_refusal_of_the_probe_shows_that_the_system_answers():
    city = City(State.OPEN)
    city.fails(Recovery.DEAD_LETTER)
    city.tick()
    assert city.done == ["close after open"]


def test_refused_access_is_tried_by_logging_in_only_and_rarely():
    city = City(State.OPEN, cause=Cause.ACCESS, waiting=2)
    city.tick()
    assert city.probed == [ProbeLevel.AUTHENTICATED]
    assert 800 < city.claimed[0][1] < 1000
    assert city.done == ["half_open"]


def test_access_refused_during_an_outage_is_told_apart():
    city = City(State.OPEN)
    city.fails(Recovery.PAUSE)
    city.tick()
    assert city.done == ["open for access"]


def test_settings_that_do_not_open_are_refused_access():
    city = City(State.OPEN)
    city.answer = PartnerMisconfiguredError("ils", "open")
    city.tick()
    assert city.done == ["open for access"]


@pytest.mark.parametrize(("version", "probes"), [("2", 1), ("1", 0)])
def test_mended_settings_are_tried_at_once_and_once(version, probes):
    city = City(State.OPEN, cause=Cause.ACCESS, due=FUTURE, version=version)
    city.fails(Recovery.PAUSE)
    for _ in range(3):
        city.tick()
    assert len(city.probed) == probes


def test_a_pause_by_hand_ends_with_a_probe():
    city = City(State.OPEN, cause=Cause.HAND, due=FUTURE)
    city.tick()
    assert city.probed == []
    city.row["next_probe_at"] = clock.utcnow()
    city.tick()
    assert city.probed == [ProbeLevel.TRANSACTION]


def test_those_who_waited_come_back_in_waves_that_double_up_to_what_the_system_takes():
    city = City(State.HALF_OPEN, waiting=20)
    city.row["trial_until"] = clock.utcnow() + timedelta(seconds=30)
    city.tick()
    city.row["state"] = State.CLOSED
    for _ in range(8):
        city.tick()
    assert city.woken == [1, 2, 4, 5, 5, 3]


def test_a_run_that_parked_just_as_the_breaker_closed_is_not_forgotten():
    city = City(State.CLOSED)
    city.tick()
    city.waiting = 1
    city.tick()
    assert city.woken == [1]


def test_a_system_that_asked_for_a_pause_gets_it():
    city = City(State.CLOSED, waiting=5)
    city.row["slow_until"] = clock.utcnow() + timedelta(seconds=30)
    city.tick()
    assert city.woken == []
    city.row["slow_until"] = clock.utcnow()
    city.tick()
    assert city.woken == [1]


def test_a_probe_that_hangs_holds_up_nobody_and_is_not_doubled():
    city = City(State.OPEN)
    city.probe = lambda *_arguments: city.probed.append(1) or gevent.sleep(60)
    for _ in range(5):
        city.row["next_probe_at"] = clock.utcnow()
        city.tick()
    assert city.probed == [1]


def test_a_system_no_service_uses_is_not_probed():
    city = City(State.OPEN)
    city.chore._system = lambda _profile: None
    city.tick()
    assert city.probed == []


def test_a_database_that_goes_away_during_a_probe_costs_one_probe(capfd):
    city = City(State.OPEN)
    answers = iter([StoreUnavailableError()])

    def close(profile, *, after):
        for error in answers:
            raise error
        city.done.append("closed")

    city.close = close
    city.tick()
    city.row["next_probe_at"] = clock.utcnow()
    city.tick()
    assert city.done == ["closed"]
    assert "Traceback" not in capfd.readouterr().err
