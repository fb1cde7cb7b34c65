"""Runs that go back: after a failure, a cancel, a wait that nobody answered, a kill."""

import pytest

from orchestrator.engine.journey import START, Call, Done, End, IssueCode, Local, Wait
from orchestrator.engine.runs import LEASE, MOVES
from orchestrator.engine.world import ChosenLibrary
from orchestrator.journeys.library_arrival import ARRIVAL
from orchestrator.services.run_operations import RunOperations
from orchestrator.store.operations import RunActTable
from schemas import clock, ids
from schemas.errors import (
    PartnerAlreadyDoneError,
    PartnerRejectedError,
    PartnerUnavailableError,
    RunStateError,
)
from tests.fakes.running import LONG, PURPOSE, Ground, Killed, call, choose, journey, pivot, raising

pytestmark = pytest.mark.postgres
LATER = "1h x1; then dead-letter"


@pytest.fixture
def ground(database, vault, hub_keys):
    return Ground(database, vault, hub_keys)


def wait(name="go"):
    return Wait(name, timeout=LONG, otherwise=End("expired"))


def refused(*_):
    raise PartnerRejectedError("ils", "third", "refused")


def down(**members):
    return raising(PartnerUnavailableError("ils", "second", **members))


def test_what_was_done_is_taken_back_latest_first_each_with_its_own_key(ground):
    told = ground.knows(
        journey(choose(), call("first"), call("second"), call("third"), on_failure="undo")
    )
    ground.partner.before["third"] = [refused]
    run_id = ground.start(told)
    assert ground.state(run_id) == ("compensated", "rejected")
    assert ground.log(run_id)[-3:] == [
        ("third", "error"),
        ("second:undo", "compensated"),
        ("first:undo", "compensated"),
    ]
    assert ground.partner.keys("cancel_first") == [f"{run_id}:first:undo"]
    assert ground.partner.calls[-1].data["external_ref"] == "ref-first"
    assert ground.run(run_id).pending == ()


def test_a_failure_with_nothing_to_take_back_gives_the_run_up(ground):
    told = ground.knows(journey(choose(), call("third"), on_failure="undo"))
    ground.partner.before["third"] = [refused]
    assert ground.state(ground.start(told)) == ("failed", "rejected")
    assert [command.operation for command in ground.partner.calls] == ["third"]


def test_a_journey_that_leaves_failures_to_people_is_put_aside_and_keeps_what_it_did(ground):
    told = ground.knows(journey(choose(), call("first"), call("third")))
    ground.partner.before["third"] = [refused]
    assert ground.state(ground.start(told)) == ("stuck", "rejected")
    assert ground.partner.effects["cancel_first"] == 0


def test_a_waiting_run_that_is_cancelled_goes_back_at_once_and_says_who_asked(ground):
    run_id = ground.start(ground.knows(journey(choose(), call("first"), wait())))
    assert ground.runs.cancel(run_id, actor="cli:ana", reason="doublon") == "compensating"
    assert ground.runs.cancel(run_id, actor="cli:bob") == "compensating"
    ground.go()
    assert ground.state(run_id) == ("cancelled", None)
    assert ground.partner.effects == {"first": 1, "cancel_first": 1}
    (act,) = RunActTable(ground.database, ground.vault, ground.notifier).acts(run_id)
    assert (act.name, act.cause, act.actor, act.reason) == (
        *("run:cancel", "cancel", "cli:ana", "doublon"),
    )
    kept = ground.one("SELECT cause, output FROM step WHERE name = 'run:cancel'")
    assert "doublon" not in kept["cause"]
    assert b"doublon" not in bytes(kept["output"])
    assert ground.runs.cancel(run_id, actor="cli:ana") is None
    assert ground.runs.cancel(ids.uuid7(), actor="cli:ana") is None


def test_a_cancel_during_a_call_lets_it_be_logged_and_then_takes_it_back(ground):
    told = ground.knows(journey(choose(), call("first"), call("second")))
    ground.partner.after["first"] = [
        lambda _c: ground.runs.cancel(ground.one("SELECT id FROM run")["id"], actor="cli:ana")
    ]
    run_id = ground.start(told)
    assert ground.state(run_id) == ("cancelled", None)
    assert ground.log(run_id) == [
        ("library", "ok"),
        ("run:cancel", "deferred"),
        ("first", "ok"),
        ("first:undo", "compensated"),
    ]
    assert ground.run(run_id).outputs()["first"]["external_ref"] == "ref-first"
    assert ground.partner.effects["second"] == 0


def test_a_call_cut_by_a_kill_is_taken_back_although_nobody_logged_it(ground):
    told = ground.knows(journey(choose(), call("first"), call("second")))
    ground.partner.after["second"] = [raising(Killed())]
    run_id = ground.arrive(told)
    with pytest.raises(Killed):
        ground.go()
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.wake(run_id)
    ground.go(redelivered=True)
    assert ground.state(run_id) == ("cancelled", None)
    assert ground.partner.effects["cancel_second"] == 1
    assert ground.partner.effects["cancel_first"] == 1
    assert ground.partner.calls[-2].may_repeat


def test_a_step_that_was_never_begun_is_not_taken_back(ground):
    told = ground.knows(journey(choose(), call("first"), wait(), call("second")))
    run_id = ground.start(told)
    ground.runs.signal(run_id, "go", dedup="1")
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.go()
    assert ground.state(run_id) == ("cancelled", None)
    assert ground.partner.keys("cancel_second") == []


def test_a_call_of_unknown_outcome_is_taken_back_when_the_run_is_cancelled(ground):
    ground.policy = LATER
    told = ground.knows(journey(choose(), call("second")))
    ground.partner.after["second"] = [down(outcome_unknown=True)]
    run_id = ground.start(told)
    assert ground.state(run_id)[0] == "waiting_timer"
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.go()
    assert ground.state(run_id) == ("cancelled", None)
    assert ground.partner.effects == {"second": 1, "cancel_second": 1}


def test_the_doubt_of_a_cut_call_outlives_later_failures(ground):
    ground.policy = LATER
    told = ground.knows(journey(choose(), call("second")))
    ground.partner.after["second"] = [raising(Killed())]
    run_id = ground.arrive(told)
    with pytest.raises(Killed):
        ground.go()
    ground.partner.before["second"] = [down()]
    ground.wake(run_id)
    ground.go(redelivered=True)
    ground.pass_time(run_id)
    assert ground.state(run_id)[0] == "done"
    assert [command.may_repeat for command in ground.partner.calls] == [False, True, True]


def test_an_undo_whose_system_is_down_waits_without_losing_its_way(ground):
    ground.policy = LATER
    told = ground.knows(journey(choose(), call("first"), call("second"), wait()))
    ground.partner.before["cancel_second"] = [down()]
    run_id = ground.start(told)
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.go()
    run = ground.run(run_id)
    assert run.status == "compensating"
    row = ground.one("SELECT lease_until - wake_at AS margin FROM run")
    assert row["margin"] == LEASE
    ground.wake(run_id)
    ground.go()
    assert ground.partner.effects["cancel_second"] == 0
    ground.pass_time(run_id)
    assert ground.state(run_id) == ("cancelled", None)
    assert ground.partner.keys("cancel_second") == [f"{run_id}:second:undo"] * 2


def test_an_undo_that_is_refused_puts_the_run_aside_with_a_task(ground):
    told = ground.knows(journey(choose(), call("first"), call("second"), wait()))
    ground.partner.before["cancel_second"] = [refused]
    run_id = ground.start(told)
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.go()
    assert ground.state(run_id) == ("stuck", "undo_failed")
    task = ground.one("SELECT step, kind, decisions, closed_at FROM human_task")
    assert (task["step"], task["kind"], task["decisions"]) == ("second:undo", "undo_failed", [])
    assert ground.partner.effects["cancel_first"] == 0
    assert ground.runs.cancel(run_id, actor="cli:ana") == "compensating"
    ground.go()
    assert ground.state(run_id) == ("cancelled", None)
    assert ground.one("SELECT closed_at FROM human_task")["closed_at"] is not None
    assert ground.partner.effects["cancel_second"] == 1


def test_an_undo_put_aside_keeps_how_the_run_was_to_end(ground):
    told = journey(choose(), call("first"), call("second"), call("third"), on_failure="undo")
    ground.knows(told)
    ground.partner.before["third"] = [refused]
    ground.partner.before["cancel_second"] = [refused]
    run_id = ground.start(told)
    assert ground.state(run_id) == ("stuck", "undo_failed")
    acts = RunOperations(
        rows=RunActTable(ground.database, ground.vault, ground.notifier),
        cancels=ground.runs,
        versions=lambda: ground.journeys,
    )
    assert acts.retry(run_id, actor="cli:ana").status == "compensating"
    ground.go()
    assert ground.state(run_id) == ("compensated", "rejected")


def test_a_run_whose_undos_killed_their_workers_goes_on_going_back_and_ends_as_it_was_to(ground):
    told = ground.knows(journey(choose(), call("first"), wait()))
    run_id = ground.start(told)
    ground.database.run("UPDATE run SET wake_at = parvis_now() WHERE id = %s", (run_id,))
    ground.partner.before["cancel_first"] = [raising(Killed())]
    ground.runs.wake_due()
    with pytest.raises(Killed):
        ground.go()
    ground.database.run(
        "UPDATE run SET recoveries = 5, lease_until = parvis_now() - interval '1 s'"
    )
    assert ground.runs.sweep_late() == 0
    assert ground.state(run_id) == ("stuck", "recoveries")
    acts = RunOperations(
        rows=RunActTable(ground.database, ground.vault, ground.notifier),
        cancels=ground.runs,
        versions=lambda: ground.journeys,
    )
    assert acts.retry(run_id, actor="cli:ana").status == "compensating"
    ground.go()
    assert ground.state(run_id) == ("compensated", "expired")


def test_an_undo_that_nothing_here_can_do_any_more_is_never_silent(ground):
    told = ground.knows(journey(choose(), call("first", "unknown"), wait()))
    run_id = ground.start(told)
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.go()
    assert ground.state(run_id) == ("stuck", "undo_failed")


def test_a_system_that_knows_of_nothing_to_undo_has_undone_it(ground):
    told = ground.knows(journey(choose(), call("first"), wait()))
    ground.partner.before["cancel_first"] = [
        raising(PartnerAlreadyDoneError("ils", "cancel_first"))
    ]
    run_id = ground.start(told)
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.go()
    assert ground.state(run_id) == ("cancelled", None)


def test_an_undo_cut_by_a_kill_is_repeated_under_the_same_key(ground):
    told = ground.knows(journey(choose(), call("first"), wait()))
    run_id = ground.start(told)
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.partner.after["cancel_first"] = [raising(Killed())]
    with pytest.raises(Killed):
        ground.go()
    ground.wake(run_id)
    ground.go(redelivered=True)
    assert ground.state(run_id) == ("cancelled", None)
    assert ground.partner.keys("cancel_first") == [f"{run_id}:first:undo"] * 2
    assert ground.partner.effects["cancel_first"] == 1


def test_after_a_pivot_a_cancel_is_refused_and_the_run_goes_on(ground):
    told = ground.knows(journey(choose(), call("first"), pivot("card"), wait()))
    run_id = ground.start(told)
    with pytest.raises(RunStateError):
        ground.runs.cancel(run_id, actor="cli:ana")
    assert ground.state(run_id)[0] == "waiting_signal"
    ground.runs.signal(run_id, "go", dedup="1")
    ground.go()
    assert ground.state(run_id) == ("done", None)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_cancel_during_the_pivot_itself_comes_too_late(ground, moment):
    told = ground.knows(journey(choose(), call("first"), pivot("card"), wait("later")))
    getattr(ground.partner, moment)["card"] = [
        lambda _c: ground.runs.cancel(ground.one("SELECT id FROM run")["id"], actor="cli:ana")
    ]
    run_id = ground.start(told)
    assert ground.state(run_id)[0] == "waiting_signal"
    ground.runs.signal(run_id, "later", dedup="1")
    ground.go()
    assert ground.state(run_id) == ("done", None)
    assert ground.partner.effects["cancel_first"] == 0


def test_a_pivot_that_may_have_passed_is_asked_again_before_anything_is_taken_back(ground):
    told = ground.knows(journey(choose(), call("first"), pivot("card")))
    ground.partner.after["card"] = [raising(Killed())]
    run_id = ground.arrive(told)
    with pytest.raises(Killed):
        ground.go()
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.wake(run_id)
    ground.go(redelivered=True)
    assert ground.state(run_id) == ("done", None)
    assert ground.partner.effects == {"first": 1, "card": 1}


def test_past_a_pivot_a_failure_waits_for_a_person_whatever_the_journey_says(ground):
    told = ground.knows(
        journey(choose(), call("first"), pivot("card"), call("third"), on_failure="undo")
    )
    ground.partner.before["third"] = [refused]
    assert ground.state(ground.start(told)) == ("stuck", "rejected")
    assert ground.partner.effects["cancel_first"] == 0


def test_a_wait_that_nobody_answered_takes_back_what_was_done_and_says_why(ground):
    ended = []
    told = ground.knows(
        journey(
            choose(),
            call("first"),
            wait(),
            on_end=lambda _context, outcome: ended.append(outcome) or (),
        )
    )
    run_id = ground.start(told)
    ground.pass_time(run_id)
    assert ground.state(run_id) == ("compensated", "expired")
    assert ground.log(run_id)[-2:] == [("wait_go", "timeout"), ("first:undo", "compensated")]
    assert ended == ["expired"]


def test_an_end_may_keep_what_was_done(ground):
    kept = Wait("go", timeout=LONG, otherwise=End("expired", undo=False))
    told = ground.knows(journey(choose(), call("first"), kept))
    run_id = ground.start(told)
    ground.pass_time(run_id)
    assert ground.state(run_id) == ("done", "expired")
    assert ground.partner.effects["cancel_first"] == 0


def test_a_function_that_ends_the_run_keeps_what_was_done_unless_it_says_otherwise(ground):
    keeps = journey(choose(), call("first"), Local("last", lambda _c: End("enough")))
    takes = journey(
        choose(), call("first"), Local("last", lambda _c: End("enough", undo=True)), name="b"
    )
    ground.knows(keeps, takes)
    assert ground.state(ground.start(keeps)) == ("done", "enough")
    assert ground.state(ground.start(takes)) == ("compensated", "enough")


def test_taking_back_needs_no_consent(ground):
    run_id = ground.start(ground.knows(journey(choose(), call("first"), wait())))
    ground.gate.is_open = False
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.go()
    assert ground.partner.effects["cancel_first"] == 1


def test_the_codes_of_a_cancelled_run_open_nothing_any_more(ground):
    announce = Local("announce", lambda _c: Done(output={"preregistration_id": str(ids.uuid7())}))
    run_id = ground.start(ground.knows(journey(announce, IssueCode(valid_for=LONG), wait())))
    assert ground.one("SELECT expires_at > parvis_now() AS live FROM access_code")["live"]
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.go()
    assert not ground.one("SELECT expires_at > parvis_now() AS live FROM access_code")["live"]


def test_keys_are_those_of_the_run_whose_effect_is_meant(ground):
    first = ids.uuid7()
    run_id = ground.arrive(ground.knows(journey(choose(), call("first"), wait())))
    ground.database.run("UPDATE run SET effect_of = %s", (first,))
    ground.go()
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.go()
    assert ground.partner.keys("first") == [f"{first}:first"]
    assert ground.partner.keys("cancel_first") == [f"{first}:first:undo"]


def test_a_worker_killed_at_any_point_of_the_way_back_leaves_one_effect_each(ground):
    told = ground.knows(journey(choose(), call("first"), call("second"), wait()))
    for point in ("worker.before_call", "worker.after_call", "worker.after_commit"):
        run_id = ground.start(told)
        ground.runs.cancel(run_id, actor="cli:ana")
        ground.fault = _once(point)
        with pytest.raises(Killed):
            ground.go()
        ground.wake(run_id)
        ground.go(redelivered=True)
        assert ground.state(run_id) == ("cancelled", None), point
    assert ground.partner.effects == {
        "first": 3,
        "second": 3,
        "cancel_first": 3,
        "cancel_second": 3,
    }


def test_a_run_in_nobodys_hands_is_taken_over_on_its_way_back(ground):
    run_id = ground.start(ground.knows(journey(choose(), call("first"), wait())))
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.database.run("DELETE FROM outbox")
    ground.database.run("UPDATE run SET lease_until = parvis_now() - interval '1 s'")
    assert ground.runs.sweep_late() == 1
    ground.go()
    assert ground.state(run_id) == ("cancelled", None)


def test_a_person_who_took_care_makes_the_tries_count_from_nought(ground):
    ground.policy = "1h x1; then dead-letter"
    told = ground.knows(journey(choose(), call("second")))
    ground.partner.before["second"] = [down(), down(), down()]
    run_id = ground.start(told)
    ground.pass_time(run_id)
    assert ground.state(run_id) == ("stuck", "retries_exhausted")
    now = clock.utcnow()
    ground.database.run(
        "INSERT INTO step(run_id, seq, name, outcome, cause, actor, started_at, ended_at) "
        "SELECT id, seq + 1, 'second:retry', 'deferred', 'retry', 'cli:ana', %s, %s FROM run",
        (now, now),
    )
    ground.database.run("UPDATE run SET status = 'ready', seq = seq + 1, error_code = NULL")
    ground.wake(run_id)
    ground.go()
    assert ground.state(run_id)[0] == "waiting_timer"
    ground.pass_time(run_id)
    assert ground.state(run_id)[0] == "done"


@pytest.mark.parametrize(
    ("leave", "ends", "state"),
    [
        ("pass_time", ("compensated", "expired"), "expired"),
        ("cancel", ("cancelled", None), "withdrawn"),
    ],
)
def test_an_arrival_that_comes_to_nothing_is_taken_back_at_the_library(ground, leave, ends, state):
    ground.world = _City()
    person = {"family_name": "Fictive", "given_name": "Ana"}
    run_id = ground.start(ground.knows(ARRIVAL), commune="84129", person=person)
    assert ground.partner.effects == {"preregister": 1}
    if leave == "cancel":
        ground.runs.cancel(run_id, actor="cli:ana")
        ground.go()
    else:
        ground.pass_time(run_id)
    assert ground.state(run_id) == ends
    row = ground.one("SELECT state, our_ref FROM preregistration")
    undo = ground.partner.calls[-1]
    assert undo.operation == "cancel_preregistration"
    assert (undo.data["our_ref"], undo.data["external_ref"]) == (row["our_ref"], "ref-preregister")
    assert row["state"] == state
    assert not ground.one("SELECT expires_at > parvis_now() AS live FROM access_code")["live"]


def test_every_move_on_the_way_back_is_a_legal_one():
    assert MOVES["compensating"] >= {"compensating", "compensated", "cancelled", "failed", "stuck"}
    assert MOVES["stuck"] >= {"ready", "compensating", "failed"}


class _City:
    """A city of one library."""

    def territory_of(self, commune):
        return "sorgues"

    def commune_name(self, code):
        return "Sorgues"

    def nearest_open_library(self, commune, location):
        return ChosenLibrary(
            place_id="1", name="L", commune=commune, distance_km=1.0, service_id="lib"
        )

    def preregistration_of(self, source, subject):
        return None

    def pseudonym_of(self, citizen_id, service):
        return None


def _once(point):
    left = [point]

    def at(name):
        if left and name == left[0]:
            left.clear()
            raise Killed

    return at


def test_a_service_that_came_with_the_start_is_asked_and_asked_back(ground):
    steps = (
        Call(START, "first", PURPOSE, "cancel_first"),
        Call(START, "second", PURPOSE, "cancel_second"),
    )
    told = ground.knows(journey(*steps, on_failure="undo"))
    ground.partner.before["second"] = [refused]
    run_id = ground.start(told, service_id="lib", pseudonym="P")
    assert ground.state(run_id) == ("compensated", "rejected")
    assert ground.partner.effects == {"first": 1, "cancel_first": 1}
    assert {command.pseudonym for command in ground.partner.calls} == {"P"}


def test_a_start_that_names_no_service_asks_nobody(ground):
    run_id = ground.start(ground.knows(journey(Call(START, "first", PURPOSE, "cancel_first"))))
    assert ground.log(run_id) == [("first", "skipped")]
    assert ground.partner.calls == []
