import pytest

from orchestrator.store.locks import TIMERS, AdvisoryLock


class Connection:
    """A connection that fails as soon as it is asked."""

    is_closed = False

    def execute(self, *_asked):
        raise ConnectionResetError

    def close(self):
        self.is_closed = True


def test_a_connection_that_fails_while_the_lock_is_asked_for_is_closed_and_holds_nothing():
    opened = []

    class Database:
        def connect(self):
            opened.append(Connection())
            return opened[-1]

    lock = AdvisoryLock(Database(), TIMERS)
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            lock.acquire()

    assert [connection.is_closed for connection in opened] == [True, True]
