"""Runs that wait: for a person's decision, for some time, for a signal that brings something."""

from contextlib import closing
from datetime import timedelta
from threading import Thread

import pytest

from orchestrator.engine.journey import AskPerson, Decision, Done, End, Local, Pause, Require, Wait
from orchestrator.store import tasks
from orchestrator.store.connections import Database
from schemas import ids
from schemas.errors import PartnerUnavailableError
from tests.fakes.running import LONG, PURPOSE, Ground, call, choose, journey, raising
from tests.plugins.hub import until

pytestmark = pytest.mark.postgres
_LOCKED = """
SELECT count(*) AS n FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock'"""


@pytest.fixture
def ground(database, vault, hub_keys):
    return Ground(database, vault, hub_keys)


def ask(**members):
    return AskPerson(
        name="review",
        question="arrival.duplicate",
        decisions=(Decision("accept"), Decision("refuse", End("refused"))),
        timeout=LONG,
        **members,
    )


def task(ground):
    return ground.one("SELECT * FROM human_task ORDER BY opened_at DESC LIMIT 1")


def test_a_question_opens_a_task_and_its_answer_is_the_steps_output(ground):
    run_id = ground.start(ground.knows(journey(ask(), Local("last", lambda _c: Done()))))
    opened = task(ground)
    assert ground.state(run_id)[0] == "waiting_human"
    assert (opened["question"], opened["decisions"]) == ("arrival.duplicate", ["accept", "refuse"])
    assert opened["due_at"] - opened["opened_at"] > timedelta(hours=23)
    assert ground.runs.decide(opened["id"], "accept", actor="cli:ana")
    ground.go()
    assert ground.state(run_id) == ("done", None)
    assert ground.run(run_id).outputs()["review"] == {"decision": "accept"}
    closed = task(ground)
    assert (closed["decision"], closed["decided_by"]) == ("accept", "cli:ana")
    acts = ground.database.all("SELECT name, cause, actor FROM step WHERE actor <> 'worker'")
    assert [tuple(row.values()) for row in acts] == [("review:decide", "decide: accept", "cli:ana")]


def test_only_the_first_answer_counts_and_only_one_that_was_offered(ground):
    ground.start(ground.knows(journey(ask())))
    opened = task(ground)
    assert not ground.runs.decide(opened["id"], "perhaps", actor="cli:ana")
    assert not ground.runs.decide(ids.uuid7(), "accept", actor="cli:ana")
    assert ground.runs.decide(opened["id"], "accept", actor="cli:ana")
    assert not ground.runs.decide(opened["id"], "refuse", actor="cli:bob")
    assert task(ground)["decision"] == "accept"


def test_an_answer_and_a_cancel_that_meet_wait_for_each_other_and_the_first_holds(ground):
    run_id = ground.start(ground.knows(journey(ask())))
    opened, answers = task(ground), []

    def answer():
        with closing(Database(ground.database.url)) as own:  # as another process has
            answers.append(tasks.decide(own, opened["id"], "accept", actor="cli:ana"))

    answering = Thread(target=answer)
    with ground.database.transaction() as cancel:
        cancel.execute("SELECT FROM run WHERE id = %s FOR UPDATE", (run_id,))
        answering.start()
        until(lambda: ground.one(_LOCKED)["n"] == 1, "nobody waits for the run")
        cancel.execute("UPDATE human_task SET closed_at = parvis_now(), decision = 'cancel'")
    answering.join(20)

    assert answers == [False]
    assert task(ground)["decision"] == "cancel"


def test_a_refusal_may_end_the_run_and_take_back_what_was_done(ground):
    run_id = ground.start(ground.knows(journey(choose(), call("first"), ask())))
    ground.runs.decide(task(ground)["id"], "refuse", actor="cli:ana")
    ground.go()
    assert ground.state(run_id) == ("compensated", "refused")
    assert ground.log(run_id)[-2:] == [("review", "ok"), ("first:undo", "compensated")]


def test_a_question_nobody_answers_ends_otherwise_and_its_task_is_closed(ground):
    run_id = ground.start(ground.knows(journey(ask(otherwise=End("unanswered")))))
    ground.pass_time(run_id)
    assert ground.state(run_id) == ("done", "unanswered")
    assert task(ground)["closed_at"] is not None
    assert not ground.runs.decide(task(ground)["id"], "accept", actor="cli:ana")


def test_a_question_without_another_way_is_marked_overdue_and_waits_on(ground):
    run_id = ground.start(ground.knows(journey(ask())))
    ground.database.run("UPDATE human_task SET due_at = parvis_now() - interval '1 s'")
    ground.pass_time(run_id)
    row = ground.one("SELECT status, wake_at FROM run")
    assert tuple(row.values()) == ("waiting_human", None)
    assert ground.one("SELECT count(*) AS n FROM human_task")["n"] == 1
    assert task(ground)["overdue_at"] is not None
    ground.runs.decide(task(ground)["id"], "accept", actor="cli:ana")
    ground.go()
    assert ground.state(run_id) == ("done", None)


def test_a_cancelled_run_asks_nobody_any_more(ground):
    run_id = ground.start(ground.knows(journey(choose(), call("first"), ask())))
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.go()
    assert ground.state(run_id) == ("cancelled", None)
    assert (task(ground)["decision"], task(ground)["decided_by"]) == ("cancel", "cli:ana")


@pytest.mark.parametrize(
    ("decision", "ends"),
    [("retry", ("done", None)), ("discard", ("compensated", "retries_exhausted"))],
)
def test_a_policy_that_asks_a_person_opens_a_task_and_does_what_is_decided(ground, decision, ends):
    ground.policy = "1h x1; then wait-for-a-person"
    down = raising(PartnerUnavailableError("ils", "second"))
    ground.partner.before["second"] = [down, down]
    run_id = ground.start(ground.knows(journey(choose(), call("first"), call("second"))))
    ground.pass_time(run_id)
    assert ground.state(run_id) == ("waiting_human", "retries_exhausted")
    assert task(ground)["kind"] == "step_failed"
    assert ground.runs.decide(task(ground)["id"], decision, actor="cli:ana")
    ground.go()
    assert ground.state(run_id) == ends


def test_a_pause_lets_time_pass_and_no_more(ground):
    told = ground.knows(
        journey(Pause("rest", timedelta(hours=1)), Local("last", lambda _c: Done()))
    )
    run_id = ground.start(told)
    ground.wake(run_id)
    ground.go()
    assert ground.state(run_id)[0] == "waiting_timer"
    assert ground.log(run_id) == []
    ground.pass_time(run_id)
    assert ground.log(run_id) == [("rest", "ok"), ("last", "ok")]


def test_what_a_signal_brings_is_sealed_and_the_output_of_the_wait(ground):
    told = ground.knows(journey(Wait("paid", timeout=LONG, otherwise=End("expired"))))
    run_id = ground.start(told)
    ground.runs.signal(run_id, "paid", dedup="1", payload={"amount": "invented"})
    assert b"invented" not in ground.one("SELECT payload FROM signal")["payload"]
    ground.go()
    assert ground.run(run_id).outputs()["wait_paid"] == {"amount": "invented"}


def test_a_consent_that_is_awaited_in_vain_ends_the_wait_whatever_else_was_told(ground):
    ground.gate.is_open = False
    require = Require(purpose=PURPOSE, timeout=LONG, otherwise=End("expired"))
    run_id = ground.start(ground.knows(journey(require)))
    ground.runs.signal(run_id, "lease.signed.v1", dedup="1")
    ground.runs.signal(run_id, "consent.given", dedup="2")
    ground.go()
    assert ground.state(run_id)[0] == "waiting_signal"
    ground.pass_time(run_id)
    assert ground.state(run_id) == ("done", "expired")


def test_a_cancel_that_meets_a_run_about_to_wait_is_not_lost(ground):
    told = ground.knows(journey(choose(), call("first"), ask()))
    run_id = ground.arrive(told)
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.go()
    assert ground.state(run_id) == ("cancelled", None)
    assert ground.partner.calls == []
    assert task(ground) is None
