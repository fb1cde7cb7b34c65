import gevent
import pytest

from orchestrator.runtime.timers import Timers
from schemas.errors import StoreUnavailableError


class Runs:
    """Nothing is ever due; counts how often it is asked."""

    def __init__(self, *, away=0):
        self.looks, self.sweeps, self.away = 0, 0, away

    def wake_due(self):
        self.looks += 1
        if self.looks <= self.away:
            raise StoreUnavailableError
        return 100 if self.looks < 20 else 0

    def sweep_late(self):
        self.sweeps += 1
        return 0

    def next_due(self):
        return None


class Lock:
    def __init__(self, *, is_free=True):
        self.is_free, self.released = is_free, 0

    def acquire(self):
        return self.is_free

    def release(self):
        self.released += 1


@pytest.fixture
def started():
    running = []

    def start(runs, lock, *chores):
        timers = Timers(runs=runs, lock=lock, poke=lambda: None, chores=chores)
        running.append((timers, gevent.spawn(timers.run)))
        return timers

    yield start
    for timers, greenlet in running:
        timers.stop()
        greenlet.kill()


def until(is_so):
    with gevent.Timeout(5):
        while not is_so():
            gevent.sleep(0.005)


def test_pages_of_due_runs_are_woken_without_a_pause(started):
    runs = Runs()
    started(runs, Lock())

    until(lambda: runs.looks >= 20)

    assert runs.sweeps == 1


def test_one_who_stands_by_does_nothing(started):
    runs, chores = Runs(), []
    started(runs, Lock(is_free=False), lambda: chores.append(1))

    gevent.sleep(0.05)

    assert (runs.looks, chores) == (0, [])


def test_a_slow_chore_makes_no_timer_late(started):
    runs = Runs()
    started(runs, Lock(), lambda: gevent.sleep(60))

    until(lambda: runs.looks >= 20)


def test_the_bug_of_one_chore_stops_neither_the_others_nor_the_timers(started, capsys):
    runs, done = Runs(), []

    def broken():
        raise ValueError("a value nobody should read")

    timers = started(runs, Lock(), broken, lambda: done.append(1))
    until(lambda: done)
    timers._do_chores()

    assert len(done) == 2
    assert runs.looks
    said = capsys.readouterr()
    assert (said.out + said.err).count("chore.failed") == 1


def test_a_chore_that_works_again_is_told(started, capsys):
    faults = [ValueError()]

    def shaky():
        if faults:
            raise faults.pop()

    timers = started(Runs(), Lock(is_free=False), shaky)
    timers._do_chores()
    timers._do_chores()
    timers._do_chores()

    said = "".join(capsys.readouterr())
    assert (said.count("chore.failed"), said.count("chore.works_again")) == (1, 1)


def test_a_database_that_goes_away_costs_the_lock_and_is_tried_again(started):
    runs, lock = Runs(away=1), Lock()
    started(runs, lock)

    until(lambda: runs.looks > 1)

    assert lock.released == 1


def test_a_bug_of_the_timers_ends_them_for_all_to_see():
    runs = Runs()
    runs.next_due = lambda: 1 / 0
    timers = Timers(runs=runs, lock=Lock(), poke=lambda: None)

    with pytest.raises(ZeroDivisionError):
        timers.run()


def test_the_lock_is_let_go_at_the_end(started):
    lock = Lock()
    timers = started(Runs(), lock)
    gevent.sleep(0.01)
    timers.stop()

    until(lambda: lock.released == 1)
