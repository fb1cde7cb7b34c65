"""The rate of a system, taken by many processes at once: never more, nothing polled, nothing lost."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.runtime.bulkhead import Bulkhead
from orchestrator.runtime.gateway import Gateway
from orchestrator.runtime.pacing import Pacer
from orchestrator.store.breakers import BreakerStore
from orchestrator.store.connections import Database
from orchestrator.store.pacing import PaceRows
from tests.fakes.running import Ground, call, choose, journey

pytestmark = pytest.mark.postgres


@pytest.fixture
def paces(database):
    return PaceRows(database)


def settle(database):
    """Let all turns taken so far be past."""
    database.run("UPDATE pace SET free_at = parvis_now(), queue_at = parvis_now()")


def test_the_first_call_goes_at_once_and_the_next_ones_follow_at_the_rate(paces):
    first = paces.take("ils", rate=10, wanted=1, soon=0.25)
    assert (first.given, first.first_in) == (1, 0.0)
    more = paces.take("ils", rate=10, wanted=5, soon=0.25)
    assert 1 <= more.given <= 3
    assert more.first_in <= 0.1


def test_a_system_that_was_idle_gives_no_more_at_once_than_its_rate(paces, database):
    paces.take("ils", rate=4, wanted=1, soon=0.25)
    settle(database)
    turns = paces.take("ils", rate=4, wanted=50, soon=0.25)
    assert turns.given == 1
    assert turns.place_in == pytest.approx(0.25)


def test_places_in_the_queue_follow_one_another_and_pass_with_time(paces, database):
    full = paces.take("ils", rate=1, wanted=1001, soon=0.25)
    behind = paces.take("ils", rate=1, wanted=1, soon=0.25)
    assert (full.given, behind.given) == (1, 0)
    assert 900 < behind.place_in <= 1001
    settle(database)
    assert paces.take("ils", rate=1, wanted=1, soon=0.25).given == 1


def test_a_limit_that_is_raised_shortens_the_queue_at_once(paces):
    paces.take("ils", rate=1, wanted=101, soon=0.25)
    turns = paces.take("ils", rate=100, wanted=1, soon=0.0)
    assert (turns.given, turns.place_in <= 1.1) == (0, True)


def test_many_processes_together_get_no_more_turns_than_the_rate(database_url):
    """Each process has connections of its own; all take at the same moment."""
    databases = [Database(database_url) for _ in range(6)]
    together = threading.Barrier(len(databases))

    def taken(database):
        together.wait()
        rows = PaceRows(database)
        return sum(rows.take("ils", rate=20, wanted=4, soon=0.25).given for _ in range(5))

    with ThreadPoolExecutor(len(databases)) as pool:
        counts = list(pool.map(taken, databases))
    row = databases[0].one(
        "SELECT extract(epoch FROM free_at - parvis_now())::float8 AS ahead FROM pace"
    )
    for database in databases:
        database.close()
    assert sum(counts) >= 5  # a quarter of a second ahead, from a standing start
    assert row["ahead"] <= 0.25 + 1 / 20


class Door(Gateway):
    """The gateway, with a partner of the test's behind it."""

    def can(self, service, operation):
        return True


class Profile:
    def __init__(self, partner):
        self.partner = partner

    def call(self, operation, command, log_to):
        return self.partner.call(None, command, log_to)


class NoSecrets:
    def values(self, names):
        return {}


def test_runs_above_the_rate_wait_for_their_turn_without_using_a_try(database, vault, hub_keys):
    ground = Ground(database, vault, hub_keys)
    pacer = Pacer(paces=PaceRows(database), limit=lambda _profile: 1)
    partner = ground.partner
    ground.partner = Door(
        secrets=NoSecrets(),
        breakers=BreakerStore(database),
        bulkhead=Bulkhead(8),
        wait_turn=pacer.wait_turn,
        opening=lambda *_: Profile(partner),
    )
    told = ground.knows(journey(choose(), call("first")))
    first = ground.start(told)
    assert ground.state(first) == ("done", None)
    database.run("UPDATE pace SET free_at = parvis_now() + interval '10 min', queue_at = free_at")
    parked = [ground.start(told) for _ in range(3)]
    for run_id in parked:
        run = ground.run(run_id)
        assert (run.status, run.waiting_for) == ("waiting_timer", None)
        assert run.failures("first") == 0
        assert ground.log(run_id)[-1] == ("first", "deferred")
    soonest = database.one(
        "SELECT extract(epoch FROM min(wake_at) - parvis_now()) AS seconds FROM run"
    )
    assert soonest["seconds"] > 60
    assert partner.effects["first"] == 1
    for run_id in parked:
        settle(database)
        ground.pass_time(run_id)
        assert ground.run(run_id).status == "done"
    assert partner.effects["first"] == 4
