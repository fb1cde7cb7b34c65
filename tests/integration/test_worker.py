from datetime import timedelta

import gevent
import pytest

from orchestrator.engine.journey import Done as StepDone
from orchestrator.engine.journey import End, IssueCode, Journey, Local, Wait
from orchestrator.engine.retry import RetryPolicy
from orchestrator.runtime.executor import Executor
from orchestrator.runtime.steps import StepRunner
from orchestrator.runtime.timers import Timers
from orchestrator.runtime.worker import Worker
from orchestrator.services.ports.intake import Arrival, RunStart
from orchestrator.store.committer import Committer
from orchestrator.store.intake import PostgresInbox
from orchestrator.store.locks import TIMERS, AdvisoryLock
from orchestrator.store.notifier import Notifier
from orchestrator.store.runs import RunStore
from orchestrator.store.waker import EmbeddedWaker
from parvis.metrics import Meter
from schemas.errors import PartnerUnavailableError
from schemas.messages import Message
from tests.plugins.hub import until

pytestmark = pytest.mark.postgres


class Town:
    """A worker in this process on a journey of the test's own, with its calls counted."""

    def __init__(self, database, vault, hub_keys, functions, patience):
        self.database, self.calls = database, []
        steps = tuple(Local(name, self._counted(name, f)) for name, f in functions.items())
        wait = Wait("go", timeout=timedelta(seconds=patience), otherwise=End("expired"))
        self.journey = Journey(
            name="test.journey",
            version=1,
            starts_on=(),
            key=lambda source, subject: f"{source} {subject}",
            steps=(*steps, wait, Local("last", self._counted("last", lambda _c: StepDone()))),
        )
        notifier = Notifier(database)
        committer = Committer(database)
        self.runs = RunStore(database, committer, vault, notifier)
        self.inbox = PostgresInbox(database, committer, vault, notifier)
        runner = StepRunner(
            gateway=None, gate=None, services=None, keys=hub_keys, public_url="http://127.0.0.1"
        )
        executor = Executor(
            runs=self.runs,
            steps=runner,
            world=None,
            journeys=lambda name, version: self.journey if version == 1 else None,
            policy=lambda: RetryPolicy.read("1s x1; then dead-letter"),
            worker="test",
            meter=Meter(),
        )
        self.waker, self.executor = EmbeddedWaker(database), executor
        self.worker = Worker(waker=self.waker, executor=executor, greenlets=8)
        self.timers = Timers(
            runs=self.runs, lock=AdvisoryLock(database, TIMERS), poke=notifier.poke
        )
        self.jobs = []

    def _counted(self, name, function):
        def called(context):
            self.calls.append(name)
            return function(context)

        return called

    def start(self):
        self.jobs = [gevent.spawn(self.worker.run), gevent.spawn(self.timers.run)]

    def again(self):
        """Start another worker, as after a restart."""
        self.waker = EmbeddedWaker(self.database)
        self.worker = Worker(waker=self.waker, executor=self.executor, greenlets=8)
        self.jobs.append(gevent.spawn(self.worker.run))

    def stop(self):
        self.timers.stop()
        self.worker.stop(grace_seconds=2)
        gevent.joinall(self.jobs, timeout=3)

    def arrive(self, event_id="e1", version=1):
        message = Message(type="t.v1", source="/partners/p", id=event_id, subject=event_id, data={})
        starts = RunStart(
            journey="test.journey", version=version, key=f"/partners/p {event_id}", data={}
        )
        self.inbox.accept(
            Arrival(message=message, body=b"x", body_digest=b"x", headers={}, starts=starts)
        )
        return self.database.one("SELECT run_id FROM inbox WHERE event_id = %s", (event_id,))[
            "run_id"
        ]

    def until(self, run_id, *statuses, seconds=20):
        with gevent.Timeout(seconds):
            while True:
                row = self.database.one(
                    "SELECT status, error_code FROM run WHERE id = %s", (run_id,)
                )
                if row["status"] in statuses:
                    return row
                gevent.sleep(0.02)


@pytest.fixture
def town(database, vault, hub_keys):
    towns = []

    def build(patience=60, **functions):
        towns.append(Town(database, vault, hub_keys, functions, patience))
        return towns[-1]

    yield build
    for made in towns:
        made.stop()


def test_a_run_goes_to_its_wait_and_ends_after_the_signal(town):
    made = town(first=lambda _c: StepDone(output={"a": 1}))
    made.start()
    run_id = made.arrive()
    made.until(run_id, "waiting_signal")
    made.runs.signal(run_id, "go", dedup="1")
    assert made.until(run_id, "done")["error_code"] is None
    assert made.calls == ["first", "last"]


def test_a_signal_that_came_early_is_not_waited_for(town):
    made = town()
    run_id = made.arrive()
    made.runs.signal(run_id, "go", dedup="1")
    made.start()
    made.until(run_id, "done")


def test_a_wait_that_nobody_answers_ends_otherwise(town):
    made = town(patience=0.3)
    made.start()
    assert made.until(made.arrive(), "done")["error_code"] == "expired"


def test_a_system_that_is_down_for_a_moment_is_tried_again(town):
    tries = []

    def shaky(_context):
        tries.append(1)
        if len(tries) == 1:
            raise PartnerUnavailableError("koha", "preregister")
        return StepDone()

    made = town(shaky=shaky)
    made.start()
    run_id = made.arrive()
    made.until(run_id, "waiting_signal")
    rows = made.database.all("SELECT name, attempt, outcome FROM step ORDER BY seq")
    assert [(row["attempt"], row["outcome"]) for row in rows] == [(1, "error"), (2, "ok")]


def test_a_run_that_fails_for_good_is_stuck_with_its_reason(town):
    def broken(_context):
        raise PartnerUnavailableError("koha", "preregister")

    made = town(broken=broken)
    made.start()
    assert made.until(made.arrive(), "stuck")["error_code"] == "retries_exhausted"


def test_a_version_this_code_does_not_know_is_put_aside(town):
    made = town()
    made.start()
    assert made.until(made.arrive(version=7), "stuck")["error_code"] == "version_unknown"


def test_what_a_dead_worker_held_is_taken_up_at_once_by_the_next(town):
    made = town(first=lambda _c: StepDone())
    run_id = made.arrive()
    assert made.waker.acquire()
    assert [wake.run_id for wake in made.waker.take(10)] == [run_id]
    made.waker.close()
    made.start()
    made.until(run_id, "waiting_signal", seconds=2)
    assert made.calls == ["first"]


def test_wakes_that_were_lost_are_written_anew_for_runs_under_way_only(town):
    made = town(first=lambda _c: StepDone())
    lost, waiting = made.arrive("e1"), made.arrive("e2")
    made.database.run("UPDATE run SET status = 'waiting_signal' WHERE id = %s", (waiting,))
    made.database.run("DELETE FROM outbox")

    assert made.runs.wake_all() == 1
    made.start()

    made.until(lost, "waiting_signal")
    left = made.database.one("SELECT count(*) AS n FROM outbox WHERE key = %s", (waiting,))
    assert (made.calls, left["n"]) == (["first"], 0)


def test_before_the_first_migration_there_is_nothing_to_wake(town):
    made = town()
    made.database.run("ALTER TABLE run RENAME TO not_made_yet")

    assert made.runs.wake_all() == 0


def test_a_run_in_hand_goes_on_undisturbed_when_all_are_woken(town):
    def slow(_context):
        gevent.sleep(0.3)
        return StepDone()

    made = town(first=slow, second=lambda _c: StepDone())
    made.start()
    run_id = made.arrive()
    with gevent.Timeout(5):
        while made.calls != ["first"]:
            gevent.sleep(0.01)

    assert made.runs.wake_all() == 1
    made.until(run_id, "waiting_signal")
    assert made.calls == ["first", "second"]


def test_a_worker_told_to_stop_leaves_a_long_run_to_the_next_one_between_two_steps(town):
    def slow(_context):
        gevent.sleep(0.3)
        return StepDone()

    made = town(first=slow, second=slow)
    made.start()
    run_id = made.arrive()
    with gevent.Timeout(5):
        while made.calls != ["first"]:
            gevent.sleep(0.01)
    made.worker.stop(patience_seconds=0.0)
    gevent.joinall(made.jobs[:1], timeout=3)
    row = made.database.one("SELECT status, step, lease_until FROM run WHERE id = %s", (run_id,))
    assert (row["status"], row["step"], made.calls) == ("ready", 1, ["first"])

    made.again()
    made.until(run_id, "waiting_signal", seconds=3)
    assert made.calls == ["first", "second"]


def test_two_hundred_runs_share_commits_and_all_end(town):
    made = town(first=lambda _c: StepDone(), second=lambda _c: StepDone())
    made.start()
    runs = [made.arrive(f"e{n}") for n in range(200)]
    for run_id in runs:
        made.runs.signal(run_id, "go", dedup="1")
    for run_id in runs:
        made.until(run_id, "done")
    assert made.database.one("SELECT count(*) AS n FROM step")["n"] == 800
    gevent.sleep(1.2)
    assert made.database.one("SELECT count(*) AS n FROM outbox")["n"] == 0


def test_a_second_worker_stands_by_until_the_first_ends(town, database):
    made = town()
    made.start()
    made.until(made.arrive(), "waiting_signal", "done")
    standby = EmbeddedWaker(database)
    assert not standby.acquire()
    made.stop()
    until(standby.acquire, "the turn of the standby")  # the server ends its side in its own time
    standby.close()


def test_what_was_settled_goes_while_the_worker_waits_or_once_it_is_much(database):
    left = "SELECT count(*) AS n FROM outbox"
    wake = "INSERT INTO outbox(topic, key) SELECT 'wake', gen_random_uuid() FROM generate_series(1, %s)"
    database.run(wake, (66,))
    waker = EmbeddedWaker(database)
    assert waker.acquire()
    wakes = [wake.id for wake in waker.take(66)]

    waker.settle(wakes[:1])
    assert waker.take(9) == []
    assert database.one(left)["n"] == 66
    waker.wait(0.01)
    assert database.one(left)["n"] == 65
    waker.settle(wakes[1:65])
    assert waker.take(9) == []
    assert database.one(left)["n"] == 1
    waker.close()


def test_issue_code_is_a_step_of_its_own():
    assert IssueCode(valid_for=timedelta(days=30)).name == "issue_code"
