"""What was done and never logged is looked for before it is done again, whoever comes next."""

import pytest

from schemas import clock
from tests.reliability.ground import seeded
from tests.reliability.play import Play
from tests.reliability.systems import GOOD
from tests.reliability.test_clock import drive

pytestmark = [pytest.mark.postgres]
PREREGISTER = "preregister"
UNKEYED = "koha_marseille"  # knows no idempotency key: only a look tells what is there


@pytest.fixture
def play(ground, logs):
    made = Play(ground, seeded(12), with_broker=False, logs=logs)
    made.start_worker()
    yield made
    made.end()


def once(operation, fate):
    """A fate for the first call of an operation, good ones afterwards."""
    left = [fate]

    def chosen(call):
        return left.pop() if left and call.operation == operation else GOOD

    return chosen


def made_at(play, profile):
    return sum(play.city.system(profile).made.values())


def arrived(play):
    play.post(play.arrive("13055", (True, "sms")))
    play.check()


def test_an_unreadable_answer_is_looked_for_when_a_person_tries_again(play):
    arrived(play)
    drive(play, once(PREREGISTER, "garbage"))
    (run,) = play.runs()
    assert (run["status"], run["error_code"]) == ("stuck", "contract_broken")

    play.operate(run["id"], "retry")
    drive(play)

    assert play.runs()[0]["status"] == "waiting_signal"
    assert made_at(play, UNKEYED) == 1


def test_an_unreadable_answer_is_taken_back_when_a_person_puts_the_run_away(play):
    arrived(play)
    drive(play, once(PREREGISTER, "garbage"))
    (run,) = play.runs()

    play.operate(run["id"], "discard")
    drive(play)

    (ended,) = play.runs()
    assert ended["status"] == "compensated"
    play.invariants.check_ends(play, [ended])


@pytest.mark.parametrize("later", ["refused", "throttled", "locked_out"])
def test_a_doubt_outlives_tries_that_did_not_even_reach_the_system(play, later):
    arrived(play)
    fates = iter(["lost_after", later])
    drive(play, lambda call: next(fates, GOOD) if call.operation == PREREGISTER else GOOD)
    for _ in range(6):
        (run,) = play.runs()
        if run["status"] == "waiting_timer":
            play.turn(run["wake_at"] - clock.utcnow())
        drive(play, lambda call: next(fates, GOOD) if call.operation == PREREGISTER else GOOD)

    assert play.runs()[0]["status"] == "waiting_signal"
    assert made_at(play, UNKEYED) == 1


def test_a_call_whose_outcome_could_not_be_written_is_looked_for_by_the_same_worker(play):
    """The database goes away between the effect and its line in the log, and comes back."""
    arrived(play)
    worker = play.workers[0]
    while not play.city.system(UNKEYED).calls:
        _one_step(play)
    worker.database.is_away = True
    worker.database.cut()
    play.stage.let_go([here for here in play.stage.parked if here.place == "partner.answers"], GOOD)
    play.rest_once()
    worker.database.is_away = False
    for _ in range(20):
        play.rest_once()
        drive(play)
        if play.runs()[0]["status"] == "waiting_signal":
            break

    assert play.runs()[0]["status"] == "waiting_signal"
    assert made_at(play, UNKEYED) == 1


def test_a_run_begun_again_with_the_same_keys_writes_to_nobody_twice(play):
    arrived(play)
    drive(play, once(PREREGISTER, "rejected"))
    (run,) = play.runs()
    assert run["status"] == "stuck"

    play.operate(run["id"], "restart")
    drive(play)

    assert {each["status"] for each in play.runs()} == {"failed", "waiting_signal"}
    assert (made_at(play, "sms_city"), made_at(play, UNKEYED)) == (1, 1)


def test_a_run_begun_again_under_its_keys_keeps_the_code_that_its_one_message_told(play):
    arrived(play)
    drive(play, once(PREREGISTER, "rejected"))
    (run,) = play.runs()
    (told,) = live_codes(play)

    play.operate(run["id"], "restart")
    drive(play)

    assert live_codes(play) == [told]
    play.redeem()
    drive(play)
    assert {each["status"] for each in play.runs()} == {"failed", "done"}


def test_a_run_begun_again_under_new_keys_tells_a_new_code_and_the_one_before_opens_nothing(play):
    arrived(play)
    drive(play, once(PREREGISTER, "rejected"))
    (stuck,) = play.runs()
    (told,) = live_codes(play)
    play.operate(stuck["id"], "restart")
    drive(play)
    again = next(one for one in play.runs() if one["id"] != stuck["id"])
    play.ground.looking.execute(
        "UPDATE run SET status = 'done', ended_at = parvis_now(), lease_until = NULL WHERE id = %s",
        (again["id"],),
    )

    play.operate(again["id"], "restart")
    drive(play)

    (now,) = live_codes(play)
    assert now != told


def live_codes(play):
    rows = play.ground.looking.execute(
        "SELECT id FROM access_code WHERE redeemed_at IS NULL AND expires_at > parvis_now()"
    ).fetchall()
    return [row["id"] for row in rows]


def _one_step(play):
    play.look()
    moving = [here for here in play.stage.parked if here.place != "worker.waits"]
    play.let_go(moving[:1], GOOD)
