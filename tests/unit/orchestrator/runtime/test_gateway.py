from datetime import timedelta

import gevent
import pytest
from gevent.event import Event

from orchestrator.engine.breaker import CLOSED, Cause, Standing, State
from orchestrator.runtime.bulkhead import Bulkhead
from orchestrator.runtime.gateway import Gateway
from orchestrator.services.ports.running import ServiceRef
from schemas import clock
from schemas.commands import Command
from schemas.errors import (
    ConfigurationError,
    PartnerAlreadyDoneError,
    PartnerAwaitedError,
    PartnerBusyError,
    PartnerContractBrokenError,
    PartnerMisconfiguredError,
    PartnerRejectedError,
    PartnerThrottledError,
    PartnerUnavailableError,
)
from schemas.receipts import Receipt

SOON = timedelta(minutes=1)


class Breakers:
    """The breakers' port in memory; ``asked`` is everything that would have been a statement."""

    def __init__(self):
        self.known, self.asked = {}, []

    def standing(self, profile):
        return self.known.get(profile, CLOSED)

    def open(self, profile, *, cause, reason, wait, version=None):
        self.asked.append(("open", cause, reason, version))
        self.known[profile] = Standing(state=State.OPEN, cause=cause)
        self.wait = wait

    def reopen(self, profile, *, reason, pace):
        self.asked.append(("reopen", reason))
        self.known[profile] = Standing(state=State.OPEN, cause=Cause.OUTAGE)

    def close(self, profile):
        self.asked.append(("close",))
        self.known.pop(profile, None)

    def try_out(self, profile, *, lasts):
        self.asked.append(("try_out",))
        standing = self.standing(profile)
        if standing.is_being_tried(clock.utcnow()):
            return False
        self.known[profile] = Standing(state=State.HALF_OPEN, trial_until=clock.utcnow() + lasts)
        return True

    def slow_down(self, profile, *, wait):
        self.asked.append(("slow_down", wait.total_seconds()))
        self.known[profile] = Standing(slow_until=clock.utcnow() + wait)


class Secrets:
    def values(self, names):
        return {name: f"value of {name}" for name in names}


class System:
    """What the kit would open: its behaviour is given by the test."""

    def __init__(self, opener):
        self.opener, self.calls, self.is_closed = opener, 0, False

    def call(self, operation, command, log):
        self.calls += 1
        return self.opener.behave()

    def close(self):
        self.is_closed = True


class Opener:
    """Opens systems and remembers them; ``behave`` decides what their calls do."""

    def __init__(self):
        self.made, self.behave = [], lambda: Receipt(external_ref="1")

    def __call__(self, connector, profile, settings, secrets):
        self.made.append((System(self), secrets))
        return self.made[-1][0]


def service(version="1", profile="koha"):
    return ServiceRef(
        id="lib",
        kind="library",
        name="L",
        profile=profile,
        connector="koha",
        settings={},
        secrets={"client_secret": "koha_secret"},
        version=version,
    )


def command(run="r"):
    return Command(key=f"{run}:s", operation="preregister", data={}, pseudonym="p", purpose="x")


def build(greenlets=16, opening=None):
    breakers, opening = Breakers(), opening or Opener()
    door = Gateway(
        secrets=Secrets(), breakers=breakers, bulkhead=Bulkhead(greenlets), opening=opening
    )
    return door, breakers, opening


def fail(door, error, times=1, *, run=None):
    for n in range(times):
        with pytest.raises(error):
            door.call(service(), command(run or f"r{n}"), [])


def raising(error):
    def behave(*_arguments):
        raise error

    return behave


def test_a_profile_is_opened_once_and_again_when_its_version_moves():
    door, _, opening = build()
    for version in ("1", "1", "2"):
        door.call(service(version), command(), [])
    assert [system.calls for system, _ in opening.made] == [2, 1]
    assert opening.made[0][0].is_closed
    assert opening.made[0][1] == {"client_secret": "value of koha_secret"}


def test_while_a_system_is_well_no_call_asks_the_store_for_anything():
    door, breakers, opening = build()
    for n in range(50):
        door.call(service(), command(f"r{n}"), [])
    opening.behave = raising(PartnerRejectedError("koha", "preregister"))
    fail(door, PartnerRejectedError, 50)
    assert breakers.asked == []


def test_an_outage_opens_the_breaker_once_and_nothing_more_is_sent():
    door, breakers, opening = build()
    opening.behave = raising(PartnerUnavailableError("koha", "preregister"))
    fail(door, PartnerUnavailableError, 5)
    fail(door, PartnerAwaitedError, 20)
    assert opening.made[0][0].calls == 5
    reason = "preregister: PartnerUnavailableError"
    assert breakers.asked == [("open", Cause.OUTAGE, reason, "1")]
    assert 4.4 < breakers.wait.total_seconds() < 5.6


def test_an_answer_that_nobody_can_read_counts_as_a_failure():
    door, breakers, opening = build()
    opening.behave = raising(PartnerContractBrokenError("koha", "preregister"))
    fail(door, PartnerContractBrokenError, 5)
    assert breakers.standing("koha").state is State.OPEN


def test_one_poison_message_never_stops_the_others():
    door, breakers, opening = build()
    opening.behave = raising(PartnerUnavailableError("koha", "preregister"))
    fail(door, PartnerUnavailableError, 30, run="poison")
    assert breakers.asked == []


@pytest.mark.parametrize("answer", [PartnerRejectedError, PartnerAlreadyDoneError])
def test_a_refusal_says_that_the_system_is_well(answer):
    door, breakers, opening = build()
    for _ in range(10):
        opening.behave = raising(PartnerUnavailableError("koha", "preregister"))
        fail(door, PartnerUnavailableError, 3)
        opening.behave = raising(answer("koha", "preregister"))
        fail(door, answer, 7)
    assert breakers.asked == []


def test_an_outage_of_one_system_is_none_of_another():
    door, _, opening = build()
    opening.behave = raising(PartnerUnavailableError("koha", "preregister"))
    fail(door, PartnerUnavailableError, 5)
    opening.behave = lambda: Receipt(external_ref="2")
    assert door.call(service(profile="sms"), command(), []).external_ref == "2"


def test_refused_credentials_open_at_once_and_nothing_more_is_tried():
    door, breakers, opening = build()
    opening.behave = raising(PartnerMisconfiguredError("koha", "preregister"))
    fail(door, PartnerMisconfiguredError)
    fail(door, PartnerAwaitedError, 3)
    assert opening.made[0][0].calls == 1
    assert [asked[:2] for asked in breakers.asked] == [("open", Cause.ACCESS)]
    assert breakers.wait > timedelta(minutes=13)


def test_settings_that_no_longer_open_count_as_refused_access():
    door, breakers, _ = build(opening=raising(ConfigurationError("base_url manque")))
    fail(door, PartnerMisconfiguredError)
    assert breakers.standing("koha").cause is Cause.ACCESS


def test_failures_of_calls_begun_before_the_breaker_opened_write_nothing():
    door, breakers, opening = build(greenlets=64)

    def slowly():
        gevent.sleep(0.05)
        raise PartnerUnavailableError("koha", "preregister")

    opening.behave = slowly

    def one(name):
        fail(door, PartnerUnavailableError, run=name)

    calls = [gevent.spawn(one, f"r{n}") for n in range(30)]
    gevent.joinall(calls, raise_error=True)
    assert [asked[0] for asked in breakers.asked] == ["open"]


def test_a_failure_tells_whether_its_system_is_shut_by_now():
    door, _, opening = build()
    told = []
    for n in range(5):
        error = PartnerUnavailableError("koha", "preregister")
        opening.behave = raising(error)
        fail(door, PartnerUnavailableError, run=f"r{n}")
        told.append(error.is_shut)
    assert told == [False, False, False, False, True]


def test_one_call_at_a_time_tries_a_half_open_breaker_and_closes_it():
    door, breakers, opening = build()
    breakers.known["koha"] = Standing(state=State.HALF_OPEN)
    opening.behave = lambda: gevent.sleep(0.05) or Receipt(external_ref="1")
    trial = gevent.spawn(door.call, service(), command("first"), [])
    gevent.sleep(0.01)
    fail(door, PartnerAwaitedError, 5)
    assert trial.get().external_ref == "1"
    assert opening.made[0][0].calls == 1
    assert breakers.asked == [("try_out",), ("close",)]
    assert door.call(service(), command(), []) is not None


@pytest.mark.parametrize(
    ("error", "then"),
    [
        (PartnerUnavailableError("koha", "o"), [("reopen", "o: PartnerUnavailableError")]),
        (PartnerContractBrokenError("koha", "o"), [("reopen", "o: PartnerContractBrokenError")]),
        (PartnerRejectedError("koha", "o"), [("close",)]),
        (PartnerAlreadyDoneError("koha", "o"), [("close",)]),
        (PartnerThrottledError("koha", "o", retry_after=9), [("close",), ("slow_down", 9.0)]),
        (
            PartnerMisconfiguredError("koha", "o"),
            [("open", Cause.ACCESS, "o: PartnerMisconfiguredError", "1")],
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_trial_of_a_half_open_breaker_decides(error, then):
    door, breakers, opening = build()
    breakers.known["koha"] = Standing(state=State.HALF_OPEN)
    opening.behave = raising(error)
    fail(door, type(error))
    assert breakers.asked == [("try_out",), *then]


def test_a_trial_that_another_process_has_is_waited_for():
    door, breakers, _ = build()
    breakers.known["koha"] = Standing(state=State.HALF_OPEN)
    breakers.try_out = lambda *_profile, **_lasts: False
    fail(door, PartnerAwaitedError)


def test_a_wish_to_slow_down_spares_the_system_for_everybody():
    door, breakers, opening = build()
    opening.behave = raising(PartnerThrottledError("koha", "preregister", retry_after=40))
    fail(door, PartnerThrottledError)
    fail(door, PartnerAwaitedError, 10)
    assert opening.made[0][0].calls == 1
    assert breakers.asked == [("slow_down", 40.0)]


def test_a_wish_to_slow_down_is_no_failure_however_often():
    door, breakers, opening = build()
    opening.behave = raising(PartnerThrottledError("koha", "preregister"))
    for n in range(20):
        breakers.known.clear()
        fail(door, PartnerThrottledError, run=f"r{n}")
    assert {asked[0] for asked in breakers.asked} == {"slow_down"}


def test_a_pause_that_is_over_lets_calls_pass_again():
    door, breakers, _ = build()
    breakers.known["koha"] = Standing(slow_until=clock.utcnow() - timedelta(seconds=1))
    assert door.call(service(), command(), []).external_ref == "1"


def test_a_slow_system_never_holds_more_than_its_share():
    door, breakers, opening = build(greenlets=4)
    answered = Event()
    opening.behave = lambda: answered.wait() and Receipt()
    busy = [gevent.spawn(door.call, service(), command(), []) for _ in range(3)]
    gevent.sleep(0.05)
    with pytest.raises(PartnerBusyError) as refused:
        door.call(service(), command(), [])
    assert refused.value.retry_after >= 1.0
    answered.set()
    gevent.joinall(busy, raise_error=True)
    assert door.call(service(), command(), []) is not None
    assert breakers.asked == []


def test_a_full_share_says_nothing_about_a_half_open_system():
    door, breakers, opening = build(greenlets=4)
    answered = Event()
    opening.behave = lambda: answered.wait() and Receipt()
    busy = [gevent.spawn(door.call, service(), command(), []) for _ in range(3)]
    gevent.sleep(0.05)
    breakers.known["koha"] = Standing(state=State.HALF_OPEN)
    fail(door, PartnerBusyError)
    assert breakers.asked == [("try_out",)]
    answered.set()
    gevent.joinall(busy, raise_error=True)
