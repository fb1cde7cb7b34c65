"""Writes under an Idempotency-Key: one effect, the same answer, whoever dies in between."""

import threading
from datetime import timedelta

import pytest

from orchestrator.services.idempotency import Idempotency, KeptAnswer, Write
from orchestrator.store.connections import Database
from orchestrator.store.idempotency import IdempotencyTable
from schemas.errors import (
    ConflictError,
    IdempotencyKeyInFlightError,
    IdempotencyKeyReusedError,
    StoreUnavailableError,
)
from schemas.keys import keyed_digest

pytestmark = pytest.mark.postgres
DONE = KeptAnswer(status=201, answer={"status": "linked", "service": "lib_centre"})


@pytest.fixture
def table(database):
    return IdempotencyTable(database=database)


@pytest.fixture
def writes(table):
    return Idempotency(rows=table, digest_key=b"k" * 32)


class Act:
    def __init__(self, *, raising=None):
        self.times, self.raising = 0, raising

    def __call__(self):
        self.times += 1
        if self.raising:
            raise self.raising
        return DONE


def write(**changes):
    values = {
        "owner": ("portal-login", "citizen-1"),
        "method": "POST",
        "path": "/v1/me/accounts",
        "key": "k1",
        "body": {"service": "lib_centre", "pin": "1234"},
    }
    return Write(**(values | changes))


def age(database, by):
    database.run("UPDATE idempotency_key SET begun_at = begun_at - %s", (by,))


def test_a_repeat_has_no_second_effect_and_the_same_answer(writes):
    act = Act()
    first, again = writes.once(write(), act), writes.once(write(), act)
    assert (first.kept, first.is_replayed) == (DONE, False)
    assert (again.kept, again.is_replayed) == (DONE, True)
    assert act.times == 1


def test_a_write_without_a_key_simply_runs(writes, database):
    act = Act()
    writes.once(write(key=None), act)
    writes.once(write(key=None), act)
    assert act.times == 2
    assert database.one("SELECT count(*) AS n FROM idempotency_key")["n"] == 0


def test_a_key_is_its_owners_at_one_address(writes):
    act = Act()
    writes.once(write(), act)
    others = (
        {"owner": ("portal-login", "citizen-2")},
        {"owner": ("kiosk", "citizen-1")},
        {"method": "DELETE"},
        {"path": "/v1/access-codes/redeem"},
        {"key": "k2"},
    )
    for changes in others:
        assert not writes.once(write(**changes), act).is_replayed, changes
    assert act.times == 1 + len(others)


def test_parts_of_an_owner_are_not_run_together(writes):
    act = Act()
    writes.once(write(owner=("ab", "c")), act)
    writes.once(write(owner=("a", "bc")), act)
    assert act.times == 2


def test_the_same_key_with_another_content_is_refused(writes):
    act = Act()
    writes.once(write(), act)
    with pytest.raises(IdempotencyKeyReusedError):
        writes.once(write(body={"service": "lib_centre", "pin": "4321"}), act)
    assert act.times == 1


def test_members_in_another_order_are_the_same_content(writes):
    writes.once(write(), Act())
    again = write(body={"pin": "1234", "service": "lib_centre"})
    assert writes.once(again, Act()).is_replayed


def test_what_was_refused_or_broke_is_not_kept(writes):
    for error in (ConflictError(), StoreUnavailableError(), KeyError("bug")):
        with pytest.raises(type(error)):
            writes.once(write(), Act(raising=error))
    assert not writes.once(write(), Act()).is_replayed


def test_while_the_first_runs_its_repeat_waits(writes):
    begun, may_end = threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert may_end.wait(20)
        return DONE

    first = threading.Thread(target=writes.once, args=(write(), slow))
    first.start()
    assert begun.wait(20)
    with pytest.raises(IdempotencyKeyInFlightError):
        writes.once(write(), Act())
    may_end.set()
    first.join(20)
    assert writes.once(write(), Act()).is_replayed


def test_many_processes_at_once_have_one_effect(database_url):
    act, outcomes, databases = Act(), [], [Database(database_url, size=1) for _ in range(8)]

    def call(database):
        own = Idempotency(rows=IdempotencyTable(database=database), digest_key=b"k" * 32)
        try:
            outcomes.append(own.once(write(), act).is_replayed)
        except IdempotencyKeyInFlightError:
            outcomes.append(None)

    callers = [threading.Thread(target=call, args=(one,)) for one in databases]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    for one in databases:
        one.close()
    assert len(outcomes) == 8
    assert outcomes.count(False) == act.times == 1


def test_one_whose_process_died_is_taken_over_after_a_minute(writes, table, database):
    table.begin(_digest(writes), fingerprint=_fingerprint(writes))
    with pytest.raises(IdempotencyKeyInFlightError):
        writes.once(write(), Act())
    age(database, timedelta(seconds=61))
    assert not writes.once(write(), Act()).is_replayed


def test_an_answer_is_kept_for_a_day_and_then_forgotten(writes, table, database):
    writes.once(write(), Act())
    age(database, timedelta(hours=23))
    assert writes.once(write(), Act()).is_replayed
    assert table.forget_old() == 0
    age(database, timedelta(hours=2))
    assert not writes.once(write(body={"service": "other", "pin": "1"}), Act()).is_replayed
    age(database, timedelta(hours=25))
    assert table.forget_old() == 1


def test_neither_key_nor_content_can_be_read_in_the_table(writes, database):
    writes.once(write(), Act())
    row = str(database.one("SELECT * FROM idempotency_key"))
    for text in ("k1", "1234", "citizen-1"):
        assert text not in row.replace("lib_centre", "")
    other = Idempotency(rows=writes.rows, digest_key=b"o" * 32)
    assert _fingerprint(other) != _fingerprint(writes)


def _fingerprint(writes):
    return writes._fingerprint(write())


def _digest(writes):
    asked = write()
    parts = (*asked.owner, asked.method, asked.path, asked.key)
    return keyed_digest(writes.digest_key, b"idempotency", *(part.encode() for part in parts))
