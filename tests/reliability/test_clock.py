"""R10: the clock jumps; timers are late by as much at most, none is lost, nobody is written to twice."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas import clock
from tests.reliability.ground import seeded
from tests.reliability.play import Play
from tests.reliability.systems import GOOD

pytestmark = [pytest.mark.postgres]
BACK_AND_FORTH = [
    timedelta(hours=1),
    timedelta(hours=-1),
    timedelta(days=3),
    timedelta(days=-3),
]
# Europe/Paris goes back to winter time at this moment; the hub counts in UTC
DAYLIGHT_ENDS = datetime(2027, 10, 31, 1, 0, tzinfo=UTC)


@pytest.fixture
def play(ground, logs):
    made = Play(ground, seeded(10), with_broker=False, logs=logs)
    made.start_worker()
    yield made
    made.end()


def drive(play, fate_of=lambda _call: GOOD):
    """Let everything go on until it waits, each call with its own fate."""
    while True:
        play.tick()
        play.look()
        moving = [here for here in play.stage.parked if here.place != "worker.waits"]
        if not moving:
            return
        for here in moving:
            asked = here.place == "partner.asked"
            play.let_go([here], fate_of(here.about) if asked else GOOD)


def waiting_retry(play):
    """A run whose library did not answer, and the moment it tries again."""
    play.post(play.arrive("13055", (True, "sms")))
    drive(play, lambda call: "lost_before" if call.operation == "preregister" else GOOD)
    (run,) = play.runs()
    assert run["status"] == "waiting_timer"
    return run


def texts(play):
    return sum(play.city.system("sms_city").made.values())


@pytest.mark.parametrize("jump", BACK_AND_FORTH, ids=str)
def test_a_timer_survives_a_jump_and_fires_once(play, jump):
    run = waiting_retry(play)

    play.turn(jump)
    drive(play)
    if jump < timedelta():
        assert play.runs()[0]["status"] == "waiting_timer"
        play.turn(run["wake_at"] - clock.utcnow() + timedelta(seconds=1))
        drive(play)

    (after,) = play.runs()
    assert after["status"] == "waiting_signal"
    assert texts(play) == 1
    assert not play.city.system("koha_marseille").doubled()
    play.check()


@pytest.mark.parametrize("jump", BACK_AND_FORTH, ids=str)
def test_a_deadline_of_ninety_days_is_kept_through_a_jump_and_ends_the_run_once(play, jump):
    play.post(play.arrive("13055", (True, "sms")))
    drive(play)
    (run,) = play.runs()
    play.turn(jump)
    drive(play)
    assert play.runs()[0]["status"] == "waiting_signal"

    play.turn(run["wake_at"] - clock.utcnow() - timedelta(minutes=1))
    drive(play)
    assert play.runs()[0]["status"] == "waiting_signal"
    play.turn(timedelta(minutes=2))
    drive(play)

    (ended,) = play.runs()
    assert (ended["status"], ended["error_code"]) == ("compensated", "expired")
    assert texts(play) == 1
    play.check()
    play.invariants.check_ends(play, [ended])


def test_an_hour_that_comes_twice_by_the_wall_is_one_hour_for_a_timer(play):
    play.turn(DAYLIGHT_ENDS - timedelta(minutes=30) - clock.utcnow())
    play.post(play.arrive("13055", (True, "sms"), kind="campaign.trip_asked.v1"))
    drive(play)
    play.decide("go")
    drive(play)
    (run,) = [run for run in play.runs() if run["waiting_for"] == "timer:rest"]

    lasts = run["wake_at"] - clock.utcnow()
    play.turn(timedelta(minutes=59))
    drive(play)
    still = [each["status"] for each in play.runs() if each["id"] == run["id"]]
    play.turn(timedelta(minutes=2))
    drive(play)

    assert timedelta(minutes=59) < lasts <= timedelta(hours=1)
    assert still == ["waiting_timer"]
    (after,) = [each for each in play.runs() if each["id"] == run["id"]]
    assert after["waiting_for"] != "timer:rest"


def test_a_leap_second_in_an_event_is_answered_like_any_moment(play):
    event = play.arrive("13055", (True, "sms"))
    day = (clock.utcnow() - timedelta(days=1)).date()
    event.event["time"] = event.event["recordedtime"] = f"{day}T23:59:60Z"

    play.post(event)

    drive(play)
    play.check()  # taken in or refused for its time; anything else is counted as a fault
    assert play.counts["unexpected"] == 0
