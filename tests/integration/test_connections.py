import psycopg
import pytest

from orchestrator.store import migrate
from orchestrator.store.committer import Committer
from orchestrator.store.connections import Database
from orchestrator.store.locks import TIMERS, AdvisoryLock
from orchestrator.store.readiness import ReadinessRows
from tests.plugins.hub import until

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
    until(mine.acquire, "the end of the connection before")
    assert not other.acquire()
    mine.release()
    assert other.acquire()
    other.release()


def test_both_sides_notice_within_seconds_that_a_machine_vanished(own):
    settings = ("idle", "5"), ("interval", "3"), ("count", "3")
    for name, seconds in settings:
        assert own.one(f"SELECT current_setting('tcp_keepalives_{name}') AS n")["n"] == seconds
    assert own.one("SELECT current_setting('tcp_user_timeout') AS n")["n"] in {"15s", "15000"}
    with own.connection() as connection:
        ours = {option.keyword: option.val for option in connection.pgconn.info}
    assert (ours[b"keepalives_idle"], ours[b"tcp_user_timeout"]) == (b"5", b"15000")


def test_an_address_of_several_servers_leads_to_the_one_that_writes(database_url):
    """The first one is away, as the machine of a lost primary is."""
    before, _, after = database_url.rpartition("@")
    place, _, name = after.partition("/")
    joint = "&" if "?" in name else "?"
    url = f"{before}@127.0.0.1:1,{place}/{name}{joint}target_session_attrs=read-write"
    opened = Database(url)

    assert opened.one("SELECT pg_is_in_recovery() AS is_standby")["is_standby"] is False
    assert migrate.upgrade(url) == ReadinessRows(opened).revision()
    opened.close()
