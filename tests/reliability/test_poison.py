"""R11: a message no system takes is put aside after the tries its policy says; everybody else goes on."""

import pytest

from schemas import clock
from tests.reliability.ground import POLICY, seeded
from tests.reliability.play import COMMUNES, Play
from tests.reliability.systems import GOOD
from tests.reliability.test_clock import drive

pytestmark = [pytest.mark.postgres]
PLACES = {profile: commune for commune, profile in COMMUNES.items()}
TRIES = 1 + sum(int(line.rpartition("x")[2]) for line in POLICY.split(";")[:-1])


@pytest.fixture
def play(ground, logs):
    made = Play(ground, seeded(11), with_broker=False, logs=logs)
    made.start_worker()
    yield made
    made.end()


def crowd(play, profile):
    """Somebody with a poisonous message and three others at the same systems; returns the former."""
    commune = PLACES.get(profile, "13055")
    events = [play.arrive(commune, (True, "sms")) for _ in range(4)]
    play.post(*events)
    play.check()
    return events[0]


def outcomes(play, poisonous):
    runs = {str(run["id"]): run for run in play.runs()}
    return runs.pop(poisonous.run_id), list(runs.values())


def last_error(play, run):
    return play.ground.looking.execute(
        "SELECT error FROM step WHERE run_id = %s ORDER BY seq DESC LIMIT 1", (run["id"],)
    ).fetchone()["error"]


@pytest.mark.parametrize("profile", [*PLACES, "sms_city"])
def test_a_message_a_system_refuses_is_put_aside_at_once_with_its_cause(play, profile):
    poisonous = crowd(play, profile)

    drive(play, lambda call: _fate(call, poisonous, profile, "rejected"))

    run, others = outcomes(play, poisonous)
    assert (run["status"], run["error_code"]) == ("stuck", "rejected")
    assert {other["status"] for other in others} == {"waiting_signal"}
    error = last_error(play, run)
    assert (error["profile"], error["class"]) == (profile, "PartnerRejectedError")
    assert error["detail"]
    play.check()


@pytest.mark.parametrize("profile", ["koha_marseille", "sms_city"])
def test_a_message_that_always_fails_uses_its_tries_and_nobody_elses(play, profile):
    poisonous = crowd(play, profile)

    for _ in range(4 * TRIES):
        drive(play, lambda call: _fate(call, poisonous, profile, "refused"))
        run, others = outcomes(play, poisonous)
        if run["status"] == "stuck":
            break
        play.turn(run["wake_at"] - clock.utcnow())

    assert (run["status"], run["error_code"]) == ("stuck", "retries_exhausted")
    assert {other["status"] for other in others} == {"waiting_signal"}
    calls = [
        call for call, _ in play.city.system(profile).calls if str(call.run_id) == str(run["id"])
    ]
    assert len(calls) == TRIES
    assert last_error(play, run)["detail"]
    play.check()


def _fate(call, poisonous, profile, fate):
    mine = call.profile == profile and str(call.run_id) == poisonous.run_id
    return fate if mine else GOOD
