import gevent
import pytest

from orchestrator.store.committer import Committer, CommitUnknownError


class Database:
    def connect(self, **_settings):
        return object()


class Bug:
    """A batch with a bug that no database error explains."""

    def write(self, connection, rows):
        raise ZeroDivisionError


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
    assert "ZeroDivisionError" in capsys.readouterr().err
