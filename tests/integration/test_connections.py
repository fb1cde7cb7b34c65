import psycopg
import pytest

from orchestrator.store.committer import Committer
from orchestrator.store.connections import Database
from orchestrator.store.locks import TIMERS, AdvisoryLock

pytestmark = pytest.mark.postgres
END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()"""


@pytest.fixture
def own(database_url):
    opened = Database(database_url)
    yield opened
    opened.close()


def restart(database_url):
    """What a restarted server does to every connection that was open."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(END_OTHERS)


def test_a_connection_ended_while_it_was_idle_fails_no_request(own, database_url):
    with own.connection(), own.connection():
        pass
    restart(database_url)
    assert [own.one("SELECT 1 AS n")["n"] for _ in range(3)] == [1, 1, 1]


def test_the_committer_goes_on_after_its_idle_connection_was_ended(own, database_url):
    class Ones:
        def write(self, connection, rows):
            connection.execute("SELECT 1")
            return list(rows)

    committer, batch = Committer(own), Ones()
    assert committer.put(batch, 1) == 1
    restart(database_url)
    assert committer.put(batch, 2) == 2


def test_a_lock_whose_connection_was_ended_is_taken_again(own, database_url):
    mine, other = AdvisoryLock(own, TIMERS), AdvisoryLock(own, TIMERS)
    assert mine.acquire()
    assert not other.acquire()
    restart(database_url)
    assert mine.acquire()
    assert not other.acquire()
    mine.release()
    assert other.acquire()
    other.release()
