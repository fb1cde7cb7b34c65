"""One process at a time has a run in hand, however often it is woken."""

from contextlib import suppress
from types import SimpleNamespace

import gevent
import pytest

from orchestrator.runtime.worker import Worker
from orchestrator.services.ports.waking import RunHeldError, Wake
from orchestrator.store.committer import Committer
from orchestrator.store.holding import lock_of
from orchestrator.store.notifier import Notifier
from orchestrator.store.runs import RunStore
from schemas import ids

pytestmark = pytest.mark.postgres
INSERT = "INSERT INTO run(id, journey, version, key) VALUES (%s, 'j', 1, %s)"


def process(database, vault):
    """The store of a process, with the reader whose connection its locks are on."""
    reader = Committer(database)
    store = RunStore(database, Committer(database), vault, Notifier(database), reader=reader)
    return SimpleNamespace(runs=store, reader=reader)


@pytest.fixture
def ours(database, vault):
    return process(database, vault)


@pytest.fixture
def theirs(database, vault):
    return process(database, vault)


@pytest.fixture
def run_id(database):
    made = ids.uuid7()
    database.run(INSERT, (made, "k"))
    return made


def ended(one):
    """End the connection a process has its locks on, as when the process dies."""
    one.reader._connection.close()


def test_a_run_in_hand_is_nobody_elses_until_it_is_left(ours, theirs, run_id):
    assert ours.runs.take(run_id)[0].id == run_id
    with pytest.raises(RunHeldError):
        theirs.runs.take(run_id)
    assert ours.runs.take(run_id)[0].id == run_id, "whoever has it may look again"
    ours.runs.leave(run_id)
    gevent.sleep(0.05)
    assert theirs.runs.take(run_id)[0].id == run_id
    with pytest.raises(RunHeldError):
        ours.runs.take(run_id)


def test_reading_takes_nothing(ours, theirs, run_id):
    ours.runs.read(run_id)
    assert theirs.runs.take(run_id)[0].id == run_id
    assert ours.runs.read(run_id)[0].id == run_id


def test_what_a_dead_process_had_in_hand_is_free_at_once(ours, theirs, run_id):
    ours.runs.take(run_id)
    ended(ours)
    with gevent.Timeout(2):
        while True:
            try:
                assert theirs.runs.take(run_id)[0].id == run_id
            except RunHeldError:
                gevent.sleep(0.01)
            else:
                return


def test_a_new_connection_has_the_locks_of_what_is_in_hand(ours, theirs, run_id, database):
    ours.runs.take(run_id)
    ended(ours)
    ours.runs.take(ids.uuid7())
    with pytest.raises(RunHeldError):
        theirs.runs.take(run_id)


def test_who_was_quicker_while_a_connection_was_away_has_the_run(ours, theirs, run_id):
    ours.runs.take(run_id)
    ended(ours)
    gevent.sleep(0.05)
    theirs.runs.take(run_id)
    with pytest.raises(RunHeldError):
        ours.runs.take(run_id)
    ours.runs.leave(run_id)
    gevent.sleep(0.05)
    with pytest.raises(RunHeldError):
        ours.runs.take(run_id)


def test_an_unknown_run_is_nothing_to_have(ours):
    assert ours.runs.take(ids.uuid7()) is None


def test_many_at_once_are_each_somebodys(ours, theirs, database):
    made = [ids.uuid7() for _ in range(60)]
    for run_id in made:
        database.run(INSERT, (run_id, str(run_id)))
    got = []

    def take(one, run_id):
        with suppress(RunHeldError):
            got.append(one.runs.take(run_id)[0].id)

    gevent.joinall(
        [gevent.spawn(take, one, run_id) for run_id in made for one in (ours, theirs)], timeout=5
    )
    assert sorted(got) == sorted(made)
    row = database.one("SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND granted")
    assert row["n"] == len(made)


def test_a_lock_is_never_one_of_the_hubs_own():
    assert all(lock_of(ids.uuid7()) < 0 for _ in range(1000))


class Wakes:
    """A waker that gives one wake."""

    def __init__(self, run_id):
        self.waiting = [Wake(id=1, run_id=run_id, redelivered=False)]
        self.settled, self.returned = [], []

    def acquire(self):
        return True

    def take(self, most):
        given, self.waiting = self.waiting[:most], self.waiting[most:]
        return given

    def settle(self, wakes):
        self.settled += wakes

    def give_back(self, wakes):
        self.returned += wakes

    def wait(self, seconds=1.0):
        gevent.sleep(0.01)

    def drain(self):
        pass

    close = drain


class Executor:
    """Takes a run from a store and leaves it; what it was told of the wake is kept."""

    def __init__(self, runs):
        self.runs, self.told = runs, []

    def execute(self, run_id, *, redelivered, until):
        try:
            self.runs.take(run_id)
            self.told.append(redelivered)
            return True
        finally:
            self.runs.leave(run_id)


def working(store, run_id):
    wakes, executor = Wakes(run_id), Executor(store.runs)
    worker = Worker(waker=wakes, executor=executor, greenlets=2)
    return wakes, executor, worker, gevent.spawn(worker.run)


def test_a_worker_waits_for_a_run_that_another_has_and_then_takes_it_as_in_doubt(
    ours, theirs, run_id
):
    theirs.runs.take(run_id)
    wakes, executor, worker, loop = working(ours, run_id)
    gevent.sleep(0.1)
    assert executor.told == [], "it is not ours yet"
    theirs.runs.leave(run_id)
    with gevent.Timeout(3):
        while not wakes.settled:
            gevent.sleep(0.01)
    assert executor.told == [True], "whoever had it may have been in the middle of a call"
    worker.stop(grace_seconds=1)
    loop.join(timeout=2)


def test_a_worker_that_stops_gives_back_what_it_waits_for(ours, theirs, run_id):
    theirs.runs.take(run_id)
    wakes, executor, worker, loop = working(ours, run_id)
    gevent.sleep(0.05)
    worker.stop(grace_seconds=3)
    loop.join(timeout=2)
    assert (executor.told, wakes.settled, wakes.returned) == ([], [], [1])
