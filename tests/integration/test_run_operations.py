import json
from datetime import timedelta
from uuid import UUID

import gevent
import pytest

from orchestrator.engine.journey import Call, Choose, Done, End, Journey, Local, Wait
from orchestrator.engine.runs import Transition
from orchestrator.services.ports.intake import Arrival, RunStart
from orchestrator.services.run_operations import Keys, RunOperations, Version
from orchestrator.store.committer import Committer
from orchestrator.store.intake import PostgresInbox
from orchestrator.store.notifier import Notifier
from orchestrator.store.operations import RunActTable
from orchestrator.store.runs import RunStore
from schemas import clock, ids
from schemas.errors import RunErasedError, RunKeyHeldError, RunStateError, RunUnknownError
from schemas.messages import Message
from tests.integration.kept_database import database_url, kept  # noqa: F401 - fixtures

pytestmark = pytest.mark.postgres

ACTOR = "cli:anne"
STEPS = (
    Choose("library", lambda _context: Done()),
    Call("library", "preregister", purpose="p", undo="cancel"),
    Wait("go", timeout=timedelta(days=1), otherwise=End("expired")),
    Local("last", lambda _context: Done()),
)
JOURNEY = Journey(name="j", version=1, starts_on=(), key=lambda a, b: a + b, steps=STEPS)


class Desk:
    """Runs as workers leave them, and the acts of people on them."""

    def __init__(self, database, vault, *journeys):
        self.database = database
        notifier, committer = Notifier(database), Committer(database)
        self.runs = RunStore(database, committer, vault, notifier)
        self.inbox = PostgresInbox(database, committer, vault, notifier)
        self.rows = RunActTable(database, vault, notifier)
        versions = {(each.name, each.version): each for each in journeys or (JOURNEY,)}
        self.acts = RunOperations(rows=self.rows, cancels=self.runs, versions=lambda: versions)

    def arrive(self, event_id="e1", subject="s1"):
        message = Message(
            type="t.v1", source="/partners/p", id=event_id, subject=subject, data={"commune": "x"}
        )
        starts = RunStart(
            journey="j", version=1, key=f"/partners/p {subject}", data={"commune": "x"}
        )
        self.inbox.accept(
            Arrival(message=message, body=b"{}", body_digest=b"x", headers={}, starts=starts)
        )
        row = self.database.one("SELECT run_id FROM inbox WHERE event_id = %s", (event_id,))
        return row["run_id"]

    def log(self, run_id, name, outcome="ok", *, to="ready", **values):
        run, key = self.runs.read(run_id)
        now, goes_on = clock.utcnow(), outcome in {"ok", "skipped"}
        move = Transition(
            run_id=run_id,
            fence=run.fence,
            step=run.step + goes_on,
            to=to,
            name=name,
            attempt=run.attempts(name) + 1,
            outcome=outcome,
            started_at=now,
            ended_at=now,
            **values,
        )
        assert self.runs.transit(move, seq=run.seq + 1, key=key, worker="w")

    def stuck(self, event_id="e1", subject="s1", **error):
        run_id = self.arrive(event_id, subject)
        self.log(run_id, "library", output={"service_id": "sorgues"})
        values = {"error_code": "rejected", "error": {"class": "PartnerRejectedError", **error}}
        self.log(run_id, "preregister", "error", to="stuck", **values)
        self.database.run("DELETE FROM outbox")
        return run_id

    def over(self, event_id="e1", subject="s1"):
        run_id = self.arrive(event_id, subject)
        self.log(run_id, "library", output={"service_id": "sorgues"})
        self.log(run_id, "preregister", "error", to="failed")
        self.database.run("DELETE FROM outbox")
        return run_id

    def row(self, run_id):
        return self.database.one("SELECT * FROM run WHERE id = %s", (run_id,))

    def wakes(self):
        rows = self.database.all("SELECT key FROM outbox WHERE topic = 'wake' ORDER BY id")
        return [row["key"] for row in rows]

    def steps(self, run_id):
        return self.database.all("SELECT * FROM step WHERE run_id = %s ORDER BY seq", (run_id,))


@pytest.fixture
def desk(database, vault):
    return Desk(database, vault)


def test_a_retry_wakes_the_run_and_counts_its_failures_from_nought(desk):
    run_id = desk.stuck()
    before = desk.row(run_id)
    assert desk.acts.retry(run_id, actor=ACTOR).status == "ready"
    after, told = desk.row(run_id), desk.steps(run_id)[-1]
    assert (after["status"], after["error_code"], after["ended_at"]) == ("ready", None, None)
    assert after["fence"] == before["fence"] + 1
    assert (told["name"], told["actor"], told["cause"]) == ("preregister:retry", ACTOR, "retry")
    assert desk.wakes() == [run_id]
    assert desk.runs.read(run_id)[0].failures("preregister") == 0


def test_of_two_people_who_retry_at_once_one_is_heard(desk):
    run_id = desk.stuck()
    head = desk.rows.head(run_id)
    desk.acts.retry(run_id, actor="cli:one")

    class Late:
        def __getattr__(self, name):
            return getattr(desk.rows, name)

        def head(self, _run_id):
            return head

    late = RunOperations(rows=Late(), cancels=desk.runs, versions=desk.acts.versions)
    with pytest.raises(RunStateError):
        late.retry(run_id, actor="cli:two")
    assert [row["actor"] for row in desk.steps(run_id)].count("cli:two") == 0
    assert desk.wakes() == [run_id]


def test_a_skip_keeps_its_reason_sealed_and_readable(desk):
    run_id = desk.stuck()
    assert desk.acts.skip(run_id, actor=ACTOR, reason="saisi à la main").is_reason_kept
    told = desk.steps(run_id)[-1]
    assert (desk.row(run_id)["step"], told["outcome"], told["cause"]) == (2, "skipped", "skip")
    assert "main" not in str({name: value for name, value in told.items() if name != "output"})
    assert b"main" not in told["output"]
    (act,) = desk.rows.acts(run_id)
    assert (act.cause, act.actor, act.reason) == ("skip", ACTOR, "saisi à la main")


def test_a_reason_goes_with_the_keys_of_the_person(desk):
    run_id = desk.stuck()
    desk.acts.skip(run_id, actor=ACTOR, reason="saisi à la main")
    desk.database.run("DELETE FROM data_key")
    assert [act.reason for act in desk.rows.acts(run_id)] == [None]


@pytest.mark.parametrize("gone", ["DELETE FROM data_key", "UPDATE run SET data_key_id = NULL"])
def test_a_run_whose_key_is_gone_keeps_who_acted_and_no_reason(desk, gone):
    run_id = desk.stuck()
    desk.database.run(gone)
    acted = desk.acts.skip(run_id, actor=ACTOR, reason="saisi à la main")
    assert (acted.status, acted.is_reason_kept) == ("ready", False)
    told = desk.steps(run_id)[-1]
    assert (told["cause"], told["actor"], told["output"]) == ("skip", ACTOR, None)
    assert told["started_at"] is not None
    assert not desk.acts.cancel(run_id, actor="cli:two", reason="doublon").is_reason_kept
    assert desk.acts.cancel(run_id, actor="cli:two").is_reason_kept
    acts = [(act.cause, act.actor, act.reason) for act in desk.rows.acts(run_id)]
    assert acts == [("skip", ACTOR, None), ("cancel", "cli:two", None)]
    written = str(desk.database.all("SELECT * FROM step"))
    assert "main" not in written
    assert "doublon" not in written


def test_skipping_the_last_step_ends_the_run_without_a_wake(desk):
    run_id = desk.arrive()
    for name in ("library", "preregister", "wait_go"):
        desk.log(run_id, name)
    desk.log(run_id, "last", "error", to="stuck", error_code="retries_exhausted")
    desk.database.run("DELETE FROM outbox")
    desk.acts.skip(run_id, actor=ACTOR, reason="sans objet")
    after = desk.row(run_id)
    assert after["status"] == "done"
    assert after["ended_at"] is not None
    assert desk.wakes() == []


def test_a_discarded_run_that_did_nothing_is_over_and_its_key_is_free(desk):
    run_id = desk.arrive()
    desk.log(run_id, "library", "error", to="stuck", error_code="retries_exhausted")
    assert desk.acts.discard(run_id, actor=ACTOR, reason="doublon").status == "failed"
    assert desk.row(run_id)["ended_at"] is not None
    assert desk.arrive("e2") != run_id


def test_a_discarded_run_that_did_something_goes_back(desk):
    run_id = desk.arrive()
    for name in ("library", "preregister"):
        desk.log(run_id, name)
    desk.log(run_id, "wait_go", "error", to="stuck", error_code="retries_exhausted")
    desk.database.run("DELETE FROM outbox")
    desk.acts.discard(run_id, actor=ACTOR, reason="doublon")
    after = desk.row(run_id)
    assert (after["status"], after["ended_at"]) == ("compensating", None)
    assert desk.wakes() == [run_id]


def test_the_end_of_a_child_by_hand_reaches_its_parent(desk):
    parent, child = desk.arrive(), desk.arrive("e2", "s2")
    desk.log(child, "library", "error", to="stuck", error_code="retries_exhausted")
    desk.database.run("DELETE FROM outbox")
    desk.database.run(
        "UPDATE run SET status = 'waiting_signal', waiting_for = 'children.ended', open_children = 1"
        " WHERE id = %s",
        (parent,),
    )
    desk.database.run("UPDATE run SET parent_id = %s WHERE id = %s", (parent, child))
    desk.acts.discard(child, actor=ACTOR, reason="doublon")
    after = desk.row(parent)
    assert (after["status"], after["open_children"], after["signals"]) == ("ready", 0, 1)
    assert desk.wakes() == [parent]


def test_an_act_settles_the_task_that_asked_for_it(desk):
    run_id = desk.stuck()
    desk.database.run(
        "INSERT INTO human_task(id, run_id, step, kind, question, decisions)"
        " VALUES (%s, %s, 'preregister', 'step_failed', 'step_failed', '{}')",
        (ids.uuid7(), run_id),
    )
    desk.acts.retry(run_id, actor=ACTOR)
    task = desk.database.one("SELECT closed_at, decision, decided_by FROM human_task")
    assert task["closed_at"] is not None
    assert (task["decision"], task["decided_by"]) == ("retry", ACTOR)


def test_a_waiting_run_goes_at_once_and_its_time_is_forgotten(desk):
    run_id = desk.arrive()
    later = clock.utcnow() + timedelta(hours=2)
    desk.log(run_id, "library", "error", to="waiting_timer", wake_at=later)
    desk.database.run("DELETE FROM outbox")
    desk.acts.resume(run_id, actor=ACTOR)
    after = desk.row(run_id)
    assert (after["status"], after["wake_at"]) == ("ready", None)
    assert desk.wakes() == [run_id]


def test_a_run_begins_again_on_the_same_message_and_the_old_one_is_over(desk):
    run_id = desk.stuck()
    acted = desk.acts.restart(run_id, actor=ACTOR)
    old, new = desk.row(run_id), desk.row(acted.new_run_id)
    assert (old["status"], old["error_code"]) == ("failed", "restarted")
    assert (new["status"], new["step"], new["forked_from"]) == ("ready", 0, run_id)
    assert (new["key"], new["message_id"]) == (old["key"], old["message_id"])
    run, _ = desk.runs.read(acted.new_run_id)
    assert run.start.data == {"commune": "x"}
    assert run.key("preregister") == f"{run_id}:preregister"
    assert desk.wakes() == [acted.new_run_id]
    assert [row["actor"] for row in desk.steps(acted.new_run_id)] == [ACTOR]
    assert desk.steps(run_id)[-1]["name"] == "preregister:restart"
    assert desk.database.one("SELECT run_id FROM inbox")["run_id"] == acted.new_run_id


def test_a_run_that_begins_again_follows_todays_definition_unless_told(database, vault):
    newer = Journey(name="j", version=2, starts_on=(), key=lambda a, b: a + b, steps=STEPS)
    desk = Desk(database, vault, JOURNEY, newer)
    first = desk.acts.restart(desk.stuck(), actor=ACTOR)
    assert desk.row(first.new_run_id)["version"] == 2
    second = desk.acts.restart(desk.stuck("e2", "s2"), actor=ACTOR, version=Version.RECORDED)
    assert desk.row(second.new_run_id)["version"] == 1


def test_a_fork_holds_what_was_done_before_readable_under_its_own_rows(desk):
    run_id = desk.stuck()
    desk.acts.skip(run_id, actor=ACTOR, reason="saisi à la main")
    desk.log(run_id, "wait_go", to="done", error_code="expired")
    desk.database.run("DELETE FROM outbox")
    acted = desk.acts.fork(run_id, start="wait_go", actor="cli:bea")
    run, _ = desk.runs.read(acted.new_run_id)
    assert (run.step, run.outputs()["library"]) == (2, {"service_id": "sorgues"})
    assert run.key("last") == f"{acted.new_run_id}:last"
    rows = desk.steps(acted.new_run_id)
    assert [(row["seq"], row["name"], row["outcome"], row["worker"]) for row in rows] == [
        (1, "library", "ok", "copied"),
        (2, "preregister", "skipped", "copied"),
        (3, "wait_go:fork", "deferred", None),
    ]
    assert run.seq == 3
    assert desk.rows.acts(acted.new_run_id)[0].reason == "saisi à la main"
    assert desk.row(acted.new_run_id)["fork_step"] == 3
    assert desk.wakes() == [acted.new_run_id]
    assert desk.row(run_id)["status"] == "done"


def test_a_fork_of_the_same_effect_keeps_the_keys_even_of_a_fork(desk):
    run_id = desk.over()
    first = desk.acts.fork(run_id, start="1", actor=ACTOR, keys=Keys.SAME).new_run_id
    desk.log(first, "library", to="failed")
    second = desk.acts.fork(first, start="2", actor=ACTOR, keys=Keys.SAME).new_run_id
    assert desk.runs.read(second)[0].key("preregister") == f"{run_id}:preregister"


def test_a_fork_while_another_run_holds_the_key_is_refused_and_leaves_nothing(desk):
    run_id = desk.over()
    desk.arrive("e2")
    with pytest.raises(RunKeyHeldError):
        desk.acts.fork(run_id, start="1", actor=ACTOR)
    with pytest.raises(RunKeyHeldError):
        desk.acts.restart(run_id, actor=ACTOR)
    assert desk.database.one("SELECT count(*) AS n FROM run")["n"] == 2


def test_sixteen_forks_at_once_make_one_run(desk):
    run_id = desk.over()
    jobs = [
        gevent.spawn(desk.acts.fork, run_id, start="1", actor=f"cli:{number}")
        for number in range(16)
    ]
    gevent.joinall(jobs)
    assert sum(job.successful() for job in jobs) == 1
    refused = [job.exception for job in jobs if job.exception]
    assert all(isinstance(error, RunKeyHeldError) for error in refused)
    assert len(desk.wakes()) == 1


def test_what_is_erased_does_not_begin_again(desk):
    run_id = desk.stuck()
    desk.database.run("DELETE FROM data_key")
    with pytest.raises(RunErasedError):
        desk.acts.restart(run_id, actor=ACTOR)
    assert desk.row(run_id)["status"] == "stuck"


def test_a_message_whose_time_is_over_does_not_begin_again(desk):
    run_id = desk.stuck()
    desk.database.run("DELETE FROM message")
    with pytest.raises(RunErasedError):
        desk.acts.restart(run_id, actor=ACTOR)
    assert desk.database.one("SELECT count(*) AS n FROM run")["n"] == 1


def test_a_code_that_somebody_holds_reaches_the_run_that_waits_now(desk):
    run_id = desk.over()
    for redeemed in ("NULL", "parvis_now()"):
        desk.database.run(
            "INSERT INTO access_code(id, preregistration_id, run_id, digest, expires_at, redeemed_at)"
            f" VALUES (%s, %s, %s, %s, parvis_now() + interval '1 day', {redeemed})",
            (ids.uuid7(), ids.uuid7(), run_id, redeemed.encode()),
        )
    new = desk.acts.fork(run_id, start="2", actor=ACTOR).new_run_id
    rows = desk.database.all("SELECT run_id, redeemed_at FROM access_code ORDER BY redeemed_at")
    assert [row["run_id"] for row in rows] == [run_id, new]


def test_the_reader_of_the_log_sees_every_act_with_its_actor(desk):
    run_id = desk.stuck()
    desk.acts.retry(run_id, actor="cli:one")
    desk.log(run_id, "preregister", "error", to="stuck", error_code="rejected")
    desk.acts.cancel(run_id, actor="cli:two", reason="à la demande du guichet")
    told = [(act.cause, act.actor, act.reason) for act in desk.rows.acts(run_id)]
    assert told == [
        ("retry", "cli:one", None),
        ("cancel", "cli:two", "à la demande du guichet"),
    ]


def test_nobody_acts_on_a_run_that_is_not_there(desk):
    for act in (desk.acts.retry, desk.acts.resume, desk.acts.cancel, desk.acts.restart):
        with pytest.raises(RunUnknownError):
            act(UUID(int=7), actor=ACTOR)
    assert json.dumps(desk.wakes()) == "[]"
