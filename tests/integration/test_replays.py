import time
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import gevent
import pytest
from gevent.event import Event

from orchestrator.runtime.replays import MoveReplays
from orchestrator.services.dead_letters import DeadLetters
from orchestrator.services.ports.operations import DISCARD, RETRY
from orchestrator.services.replays import Replays, Selection
from orchestrator.store.dead_letters import DeadLetterTable
from orchestrator.store.notifier import Notifier
from orchestrator.store.replays import ReplayTable
from schemas import clock, ids
from schemas.errors import (
    ConflictError,
    NotFoundError,
    NothingSelectedError,
    ReasonMissingError,
    RequestError,
    StoreUnavailableError,
)
from tests.integration.kept_database import database_url, kept  # noqa: F401 - fixtures
from tests.integration.test_run_operations import ACTOR, Desk

pytestmark = pytest.mark.postgres


class Ward(Desk):
    """Many runs put aside, and the replays of people."""

    def __init__(self, database, vault):
        super().__init__(database, vault)
        rows = DeadLetterTable(database, Notifier(database))
        self.letters = DeadLetters(rows=rows, versions=self.acts.versions)
        self.replays = Replays(
            rows=ReplayTable(database), letters=self.letters, operations=self.acts
        )

    def many(self, count, *, step=1, code="rejected", detail="HTTP 422", name="preregister"):
        """Bare rows of runs put aside."""
        made = [ids.uuid7() for _ in range(count)]
        self.database.run(
            "INSERT INTO run(id, journey, version, key, status, step, seq, error_code)"
            " SELECT id, 'j', 1, id::text, 'stuck', %s, 1, %s FROM unnest(%s::uuid[]) AS t(id)",
            (step, code, made),
        )
        self.database.run(
            "INSERT INTO step(run_id, seq, name, outcome, actor, error, started_at, ended_at)"
            " SELECT id, 1, %s, 'error', 'worker', jsonb_build_object('class', 'PartnerRejectedError',"
            " 'detail', %s::text), parvis_now(), parvis_now() FROM unnest(%s::uuid[]) AS t(id)",
            (name, detail, made),
        )
        return made

    def statuses(self):
        rows = self.database.all("SELECT status, count(*) AS n FROM run GROUP BY status")
        return {row["status"]: row["n"] for row in rows}

    def next_second(self):
        self.database.run("UPDATE replay SET paced_at = paced_at - interval '1 s'")

    def begun(self, act=RETRY, rate=10, **selected):
        planned = self.replays.plan(
            Selection(**selected),
            act=act,
            actor=ACTOR,
            rate=rate,
            reason="doublon" if act == DISCARD else None,
        )
        assert self.replays.start(planned.id, actor="cli:bea")
        return planned.id


@pytest.fixture
def ward(database, vault):
    return Ward(database, vault)


# --- groups ---------------------------------------------------------------------------------------


def test_runs_that_failed_alike_are_one_group_named_alike_each_time(ward):
    ward.many(3)
    ward.many(2, detail="HTTP 409")
    ward.many(1, code="contract_broken", detail="member id missing or of another type")
    groups = ward.letters.failures()
    assert [(group.runs, group.step, group.detail) for group in groups][:2] == [
        (3, "preregister", "HTTP 422"),
        (2, "preregister", "HTTP 409"),
    ]
    assert len({group.fingerprint for group in groups}) == 3
    before = groups[0].fingerprint
    ward.many(1)
    assert ward.letters.failures()[0].fingerprint == before
    assert ward.letters.failures()[0].runs == 4


def test_a_detail_that_may_hold_a_person_is_not_shown_and_splits_nothing(ward):
    ward.many(1, detail="lecteur 12345 anne@example.org refusé")
    ward.many(1, detail="lecteur 67890 bea@example.org refusé")
    (group,) = ward.letters.failures()
    assert group.runs == 2
    assert "@" not in str(group.detail)
    assert len(ward.letters.show(group.fingerprint).runs) == 2


def test_an_act_of_a_person_does_not_hide_the_failure_before_it(ward):
    run_id = ward.stuck(detail="HTTP 422")
    (before,) = ward.letters.failures()
    ward.acts.retry(run_id, actor=ACTOR)
    assert ward.letters.failures() == []
    error = {"class": "PartnerRejectedError", "detail": "HTTP 422"}
    ward.log(run_id, "preregister", "error", to="stuck", error_code="rejected", error=error)
    assert [group.fingerprint for group in ward.letters.failures()] == [before.fingerprint]


def test_a_run_put_aside_without_a_failed_try_is_named_by_the_step_it_stands_at(ward):
    run_id = ward.arrive()
    ward.log(run_id, "library")
    ward.database.run("UPDATE run SET status = 'stuck', error_code = 'recoveries'")
    (group,) = ward.letters.failures()
    assert (group.step, group.error_code, group.error_class) == ("preregister", "recoveries", None)
    assert ward.letters.show(group.fingerprint).runs == [run_id]


def test_a_fingerprint_nobody_bears_is_told(ward):
    with pytest.raises(NothingSelectedError, match="empreinte"):
        ward.letters.find("0123456789")


def test_messages_that_became_no_run_are_closed_with_their_actor(ward):
    for _ in range(2):
        ward.database.run(
            "INSERT INTO dead_letter(id, source, reason, detail) VALUES (%s, 'broker', 'rejected', '{}')",
            (ids.uuid7(),),
        )
    (group,) = ward.letters.letters()
    assert group.letters == len(ward.letters.show(group.fingerprint).letters) == 2
    with pytest.raises(NothingSelectedError, match="aucune exécution"):
        ward.letters.wake(group, actor=ACTOR)
    assert ward.letters.close(group, actor=ACTOR) == 2
    assert ward.letters.letters() == []
    closed = ward.database.all("SELECT closed_by FROM dead_letter")
    assert {row["closed_by"] for row in closed} == {ACTOR}


def test_a_dead_wake_that_names_a_run_wakes_it_and_is_closed(ward):
    run_id = ward.arrive()
    ward.database.run("DELETE FROM outbox")
    for named in (str(run_id), "no id at all"):
        ward.database.run(
            "INSERT INTO dead_letter(id, source, reason, detail)"
            " VALUES (%s, 'broker', 'delivery_limit', jsonb_build_object('run_id', %s::text))",
            (ids.uuid7(), named),
        )
    (group,) = ward.letters.letters()
    assert ward.letters.wake(group, actor=ACTOR) == 1
    assert ward.wakes() == [run_id]
    assert ward.letters.letters()[0].letters == 1


# --- replays --------------------------------------------------------------------------------------


def test_a_plan_counts_and_freezes_and_touches_nothing(ward):
    ward.many(5)
    ward.many(2, detail="HTTP 409")
    fingerprint = ward.letters.failures()[0].fingerprint
    planned = ward.replays.plan(Selection(fingerprint=fingerprint), act=RETRY, actor=ACTOR)
    ward.many(3)
    assert (planned.total, planned.pending, planned.state) == (5, 5, "planned")
    assert ward.replays.state(planned.id).total == 5
    ward.replays.advance()
    assert ward.statuses() == {"stuck": 10}


def test_a_replay_goes_at_its_pace_and_tells_its_end(ward):
    ward.many(7)
    replay_id = ward.begun(rate=3)
    seen = []
    for _ in range(3):
        seen.append(ward.replays.advance())
        assert ward.replays.advance() == 0
        ward.next_second()
    state = ward.replays.state(replay_id)
    assert seen == [3, 3, 1]
    assert (state.state, state.done, state.pending, state.skipped) == ("done", 7, 0, {})
    assert state.ended_at is not None
    assert (state.planned_by, state.started_by) == (ACTOR, "cli:bea")
    assert ward.statuses() == {"ready": 7}
    assert len(ward.wakes()) == 7
    acts = ward.database.all("SELECT actor FROM step WHERE name = 'preregister:retry'")
    assert [row["actor"] for row in acts] == ["cli:bea"] * 7


def test_a_clock_that_was_turned_back_stops_no_replay(ward):
    ward.many(2)
    ward.begun(rate=1)
    assert ward.replays.advance() == 1
    ward.database.run("UPDATE replay SET paced_at = parvis_now() + interval '1 hour'")
    assert ward.replays.advance() == 1
    assert ward.replays.advance() == 0


def test_a_second_start_changes_nothing(ward):
    ward.many(2)
    replay_id = ward.begun()
    assert not ward.replays.start(replay_id, actor=ACTOR)
    ward.replays.advance()
    assert not ward.replays.start(replay_id, actor=ACTOR)
    ward.next_second()
    assert ward.replays.advance() == 0
    assert ward.replays.state(replay_id).started_by == "cli:bea"
    assert len(ward.wakes()) == 2


def test_a_stopped_replay_does_no_more_and_goes_on_where_it_was(ward):
    ward.many(5)
    replay_id = ward.begun(rate=2)
    ward.replays.advance()
    stopped = ward.replays.stop(replay_id, actor="cli:cleo")
    assert (stopped.state, stopped.stopped_by, stopped.pending) == ("stopped", "cli:cleo", 3)
    ward.next_second()
    assert ward.replays.advance() == 0
    assert ward.statuses() == {"ready": 2, "stuck": 3}
    with pytest.raises(ConflictError):
        ward.replays.stop(replay_id, actor=ACTOR)
    assert ward.replays.start(replay_id, actor=ACTOR)
    for _ in range(2):
        ward.replays.advance()
        ward.next_second()
    assert ward.statuses() == {"ready": 5}


def test_a_stop_in_the_middle_of_a_page_holds_at_the_next_run(ward):
    ward.many(4)
    replay_id = ward.begun(rate=4)
    (allowance,) = ward.replays.rows.allow()
    ward.replays._settle(allowance, *allowance.runs[0])
    ward.replays.stop(replay_id, actor=ACTOR)
    for run in allowance.runs[1:]:
        assert not ward.replays._settle(allowance, *run)
    state = ward.replays.state(replay_id)
    assert (state.done, state.pending, state.skipped) == (1, 3, {})
    assert ward.statuses() == {"ready": 1, "stuck": 3}


def test_runs_that_moved_since_the_plan_are_left_alone_and_reported(ward):
    moved, gone, *_ = ward.many(4)
    replay_id = ward.begun()
    ward.acts.retry(moved, actor=ACTOR)
    ward.database.run("DELETE FROM run WHERE id = %s", (gone,))
    assert ward.replays.advance() == 2
    state = ward.replays.state(replay_id)
    assert (state.state, state.done, sum(state.skipped.values())) == ("done", 2, 2)
    assert any("changé depuis" in reason for reason in state.skipped)
    acts = ward.database.all(
        "SELECT actor FROM step WHERE run_id = %s AND actor <> 'worker'", (moved,)
    )
    assert [row["actor"] for row in acts] == [ACTOR]


def test_a_bug_about_one_run_stops_no_other_and_is_reported(ward):
    first, *_ = ward.many(3)
    replay_id = ward.begun()
    retry = ward.acts.retry

    def failing(run_id, **members):
        if run_id == first:
            raise KeyError("journey")
        return retry(run_id, **members)

    operations = SimpleNamespace(retry=failing)
    assert replace(ward.replays, operations=operations).advance() == 2
    state = ward.replays.state(replay_id)
    assert (state.state, state.done, sum(state.skipped.values())) == ("done", 2, 1)
    assert "KeyError" in next(iter(state.skipped))
    assert ward.statuses() == {"stuck": 1, "ready": 2}


def test_a_replay_whose_database_went_away_leaves_its_runs_to_the_next_second(ward):
    ward.many(2)
    replay_id = ward.begun()

    def away(run_id, **members):
        raise StoreUnavailableError

    with pytest.raises(StoreUnavailableError):
        replace(ward.replays, operations=SimpleNamespace(retry=away)).advance()
    ward.next_second()
    assert ward.replays.advance() == 2
    assert ward.replays.state(replay_id).skipped == {}


def test_a_replay_puts_away_what_can_be_and_says_what_cannot(ward):
    ward.many(2, step=0, name="library")
    (pivoted,) = ward.many(1, step=0, name="library")
    ward.database.run("UPDATE run SET pivoted = true WHERE id = %s", (pivoted,))
    replay_id = ward.begun(DISCARD)
    ward.replays.advance()
    assert ward.statuses() == {"failed": 2, "stuck": 1}
    state = ward.replays.state(replay_id)
    assert (state.done, list(state.skipped.values())) == (2, [1])


def test_two_processes_that_move_replays_do_nothing_twice(ward):
    ward.many(20)
    ward.begun(rate=20)
    jobs = [gevent.spawn(ward.replays.advance) for _ in range(4)]
    gevent.joinall(jobs, raise_error=True)
    assert sum(job.value for job in jobs) == 20
    assert len(ward.wakes()) == 20


def test_what_an_interrupted_page_left_is_done_by_the_next(ward):
    ward.many(3)
    replay_id = ward.begun(rate=3)
    (allowance,) = ward.replays.rows.allow()
    ward.replays._settle(allowance, *allowance.runs[0])
    ward.next_second()
    assert ward.replays.advance() == 2
    assert ward.replays.state(replay_id).done == 3
    assert len(ward.wakes()) == 3


@pytest.mark.parametrize(
    "selected",
    [
        {"journey": "nobody"},
        {"step": "library"},
        {"error_code": "recoveries"},
        {"fingerprint": "0123456789"},
        {"since": clock.utcnow() + timedelta(days=1)},
    ],
)
def test_a_replay_of_nothing_is_refused_and_leaves_nothing(ward, selected):
    ward.many(2)
    with pytest.raises(NothingSelectedError):
        ward.replays.plan(Selection(**selected), act=RETRY, actor=ACTOR)
    assert ward.replays.latest() == []


def test_a_replay_is_narrowed_by_journey_step_code_and_time(ward):
    ward.many(2)
    old = ward.many(1)
    ward.database.run(
        "UPDATE run SET updated_at = updated_at - interval '2 days' WHERE id = ANY(%s)", (old,)
    )
    selection = Selection(
        journey="j",
        step="preregister",
        error_code="rejected",
        since=clock.utcnow() - timedelta(hours=1),
    )
    planned = ward.replays.plan(selection, act=RETRY, actor=ACTOR)
    assert planned.total == 2
    assert planned.selection["step"] == "preregister"


@pytest.mark.parametrize(("act", "rate"), [("restart", 10), (RETRY, 0), (RETRY, 201)])
def test_another_act_or_pace_is_refused(ward, act, rate):
    ward.many(1)
    with pytest.raises(RequestError):
        ward.replays.plan(Selection(), act=act, actor=ACTOR, rate=rate)
    with pytest.raises(ReasonMissingError):
        ward.replays.plan(Selection(), act=DISCARD, actor=ACTOR)
    assert ward.replays.latest() == []


def test_a_replay_nobody_planned_is_not_found(ward):
    for asked in (ward.replays.state,):
        with pytest.raises(NotFoundError):
            asked(ids.uuid7())
    with pytest.raises(NotFoundError):
        ward.replays.start(ids.uuid7(), actor=ACTOR)


def test_the_chore_moves_one_page_at_a_time_and_outlives_a_database_that_is_away():
    class Away:
        def __init__(self):
            self.asked, self.goes_on = 0, Event()

        def advance(self):
            self.asked += 1
            self.goes_on.wait()
            raise StoreUnavailableError

    away = Away()
    chore = MoveReplays(away)
    for _ in range(3):
        chore()
        gevent.sleep(0)
    assert away.asked == 1
    away.goes_on.set()
    for _ in range(3):
        gevent.sleep(0)
    chore()
    gevent.sleep(0)
    assert away.asked == 2


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_thousand_dead_letters_are_replayed_exactly_once_at_their_pace(ward):
    ward.many(10_000)
    replay_id = ward.begun(rate=200)
    begun = time.monotonic()
    while ward.replays.state(replay_id).state == "running":
        ward.replays.advance()
        gevent.sleep(0.05)
    state = ward.replays.state(replay_id)
    assert (state.done, state.skipped) == (10_000, {})
    assert len(set(ward.wakes())) == len(ward.wakes()) == 10_000
    assert time.monotonic() - begun >= 0.9 * 10_000 / 200 * 0.95


def test_a_selection_is_too_large_by_what_it_holds_not_by_what_its_groups_do(ward, monkeypatch):
    monkeypatch.setattr("orchestrator.services.replays.MOST", 2)
    old, _ = ward.many(1), ward.many(2)
    ward.database.run(
        "UPDATE run SET updated_at = parvis_now() - interval '2 d' WHERE id = ANY(%s)", (old,)
    )
    with pytest.raises(NothingSelectedError, match="Plus de 2 exécutions"):
        ward.replays.plan(Selection(), act=RETRY, actor=ACTOR)
    assert ward.replays.latest() == []
    since = clock.utcnow() - timedelta(days=1)
    assert ward.replays.plan(Selection(since=since), act=RETRY, actor=ACTOR).total == 2
