import gevent
import pytest

from orchestrator.store.committer import Committer, CommitUnknownError


class Connection:
    closed = True

    def close(self):
        pass


class Database:
    def connect(self, **_settings):
        return Connection()


class Bug:
    """A batch that forgets the outcomes."""

    def write(self, connection, rows):
        return []


class Doubles:
    """A batch that fails over a row which is no number."""

    def write(self, connection, rows):
        return [2 * int(row) for row in rows]


@pytest.fixture
def told():
    return []


@pytest.fixture
def committer(told):
    return Committer(Database(), on_death=lambda: told.append("dead"))


def test_a_committer_that_dies_of_a_bug_leaves_nobody_waiting_and_says_so(committer, told, capsys):
    batch = Bug()
    waiters = [gevent.spawn(committer.put, batch, row) for row in range(3)]
    gevent.joinall(waiters, timeout=2)
    assert [type(waiter.exception) for waiter in waiters] == [CommitUnknownError] * 3
    assert told == ["dead"]
    assert "ValueError" in capsys.readouterr().err


def test_a_row_that_nothing_can_be_made_of_harms_only_itself(committer, told):
    batch = Doubles()
    waiters = [gevent.spawn(committer.put, batch, row) for row in (1, "one", 3)]
    gevent.joinall(waiters, timeout=2)
    assert [waiter.value for waiter in waiters] == [2, None, 6]
    assert type(waiters[1].exception) is ValueError
    assert told == []


class Slow:
    """A batch that takes its time."""

    def __init__(self):
        self.written = []

    def write(self, connection, rows):
        gevent.sleep(0.1)
        self.written += rows
        return rows


def test_a_committer_rests_when_all_is_written_that_nobody_waits_for(committer):
    batch = Slow()
    assert committer.rest(0.0), "it has nothing to do"
    for number in range(3):
        committer.tell(batch, number)
    gevent.sleep(0.01)
    assert not committer.rest(0.01)
    assert committer.rest(2.0)
    assert batch.written == [0, 1, 2]
