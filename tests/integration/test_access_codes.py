from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import UUID

import pytest

from orchestrator.services.access_codes import (
    AccessCodes,
    GuessLimits,
    Redemption,
    code_of,
    digest_of,
    shown,
)
from orchestrator.store.connections import Database
from orchestrator.store.library import AccessCodeTable, AttemptCounters
from schemas import clock, ids

pytestmark = pytest.mark.postgres


@pytest.fixture
def pokes():
    return []


@pytest.fixture
def access_codes(database, hub_keys, pokes):
    return _access_codes(database, hub_keys, pokes)


@pytest.fixture
def issued(database, hub_keys):
    """A waiting run with its pre-registration and a live code: (code, run id)."""
    return _issue(database, hub_keys)


@pytest.fixture
def turned_clock():
    yield clock.turn
    clock.turn(timedelta())


def test_the_right_code_is_used_up_and_wakes_its_run(access_codes, issued, database, pokes):
    code, run_id = issued
    outcome = access_codes.redeem(shown(code), session="s", network="n")
    assert outcome is Redemption.REDEEMED
    run = database.one("SELECT status, signals FROM run WHERE id = %s", (run_id,))
    assert run == {"status": "ready", "signals": 1}
    assert database.all("SELECT name FROM signal") == [{"name": "access_code.redeemed"}]
    assert database.all("SELECT key FROM outbox") == [{"key": run_id}]
    assert len(pokes) == 1


def test_lower_case_blanks_and_letters_that_look_alike_are_forgiven(access_codes, issued):
    code, _ = issued
    typed = f" {code[:3]} {code[3:]} ".lower().replace("0", "o").replace("1", "l")
    assert access_codes.redeem(typed, session="s", network="n") is Redemption.REDEEMED


def test_a_hundred_parallel_redemptions_give_one_success(issued, database, database_url, hub_keys):
    code, _ = issued
    barrier = Barrier(50)

    def redeem(number):
        own = Database(database_url, size=1)
        try:
            mine = _access_codes(own, hub_keys, [], limits=GuessLimits(per_network=1000))
            barrier.wait(20)
            return mine.redeem(code, session=f"s{number}", network="n")
        finally:
            own.close()

    with ThreadPoolExecutor(50) as pool:
        outcomes = list(pool.map(redeem, range(100)))
    assert outcomes.count(Redemption.REDEEMED) == 1
    assert outcomes.count(Redemption.REFUSED) == 99
    assert database.all("SELECT name FROM signal") == [{"name": "access_code.redeemed"}]


def test_parallel_guesses_cannot_slip_past_the_network_limit(database_url, hub_keys):
    barrier = Barrier(40)

    def guess(number):
        own = Database(database_url, size=1)
        try:
            mine = _access_codes(own, hub_keys, [])
            barrier.wait(20)
            return mine.redeem(ids.crockford(number, 10), session=f"s{number}", network="n")
        finally:
            own.close()

    with ThreadPoolExecutor(40) as pool:
        outcomes = list(pool.map(guess, range(40)))
    assert outcomes.count(Redemption.REFUSED) == 10
    assert outcomes.count(Redemption.TOO_MANY_TRIES) == 30


def test_unknown_used_and_expired_codes_get_the_same_answer(
    access_codes, issued, database, hub_keys
):
    code, _ = issued
    expired, _ = _issue(database, hub_keys, expires_in=timedelta(seconds=-1))
    access_codes.redeem(code, session="a", network="n")
    answers = {
        access_codes.redeem(typed, session=session, network="n")
        for typed, session in ((code, "b"), (expired, "c"), ("0" * 10, "d"))
    }
    assert answers == {Redemption.REFUSED}


def test_the_sixth_try_of_a_session_is_locked_for_an_hour_even_with_the_right_code(
    access_codes, issued, turned_clock, database_url, hub_keys
):
    code, _ = issued
    for number in range(5):
        wrong = ids.crockford(number, 10)
        assert access_codes.redeem(wrong, session="s", network=f"n{number}") is Redemption.REFUSED
    assert access_codes.redeem(code, session="s", network="m") is Redemption.TOO_MANY_TRIES
    turned_clock(timedelta(minutes=54))
    assert _redeem_later(database_url, hub_keys, code) is Redemption.TOO_MANY_TRIES
    turned_clock(timedelta(minutes=66))
    assert _redeem_later(database_url, hub_keys, code) is Redemption.REDEEMED


def test_right_codes_cost_no_tries(access_codes, database, hub_keys):
    for _ in range(12):
        code, _ = _issue(database, hub_keys)
        assert access_codes.redeem(code, session="s", network="n") is Redemption.REDEEMED
    assert database.one("SELECT sum(total) AS total FROM attempt_counter")["total"] == 0


def test_what_cannot_be_a_code_is_said_so_and_not_counted(access_codes, database):
    for typed in ("", "ABC", "UUUUU-UUUUU", "é" * 10):
        assert access_codes.redeem(typed, session="s", network="n") is Redemption.UNREADABLE
    assert database.one("SELECT count(*) AS n FROM attempt_counter")["n"] == 0


def test_counters_hold_no_address_and_are_forgotten(
    access_codes, database, turned_clock, database_url
):
    access_codes.redeem("0" * 10, session="session-7", network="192.0.2.0/24")
    rows = database.all("SELECT scope, bucket FROM attempt_counter")
    assert all(len(row["bucket"]) == 32 for row in rows)
    turned_clock(timedelta(hours=26))
    later = Database(database_url)
    assert AttemptCounters(database=later).forget_old() == 3
    later.close()


def test_the_newest_live_code_of_a_preregistration_is_found_with_its_library(
    access_codes, database, hub_keys
):
    code, run_id = _issue(database, hub_keys, subject="s-1")
    database.run(
        "INSERT INTO place(id, kind, name, commune, address, postal_code, is_approximate, is_public,"
        " details, source, source_date) VALUES ('7', 'library', 'Médiathèque', '83050', '1 rue',"
        " '83300', false, true, '{}', 't', 't')"
    )
    database.run("UPDATE preregistration SET place_id = '7' WHERE run_id = %s", (run_id,))
    text, issued = access_codes.issued_for("/hub/citizen", "s-1")
    assert text == shown(code)
    assert (issued.library.name, issued.library.commune) == ("Médiathèque", "83050")
    assert access_codes.issued_for("/hub/citizen", "nobody") is None


def test_a_code_is_made_from_its_row_and_is_nowhere_in_the_database(issued, database, hub_keys):
    code, _ = issued
    row = database.one("SELECT id, digest FROM access_code")
    assert code_of(hub_keys, row["id"]) == code
    assert digest_of(hub_keys, code) == row["digest"]
    assert code.encode() not in row["digest"]


def _access_codes(database, hub_keys, pokes, *, limits=None):
    return AccessCodes(
        rows=AccessCodeTable(database=database, poke=lambda: pokes.append(1)),
        attempts=AttemptCounters(database=database),
        keys=hub_keys,
        limits=limits or GuessLimits(),
    )


def _redeem_later(database_url, hub_keys, code):
    own = Database(database_url, size=1)  # a connection takes the clock when it opens
    try:
        return _access_codes(own, hub_keys, []).redeem(code, session="s", network="later")
    finally:
        own.close()


def _issue(database, hub_keys, *, expires_in=timedelta(days=30), subject=None) -> tuple[str, UUID]:
    run_id, code_id, prereg_id = ids.uuid7(), ids.uuid7(), ids.uuid7()
    database.run(
        "INSERT INTO run(id, journey, version, key, status, waiting_for)"
        " VALUES (%s, 'library.arrival', 1, %s, 'waiting_signal', 'access_code.redeemed')",
        (run_id, str(run_id)),
    )
    database.run(
        "INSERT INTO preregistration(id, source, subject, citizen_id, run_id, our_ref, expires_at)"
        " VALUES (%s, '/hub/citizen', %s, %s, %s, %s, parvis_now() + interval '90 days')",
        (prereg_id, subject or str(run_id), ids.uuid7(), run_id, ids.new_reference()),
    )
    code = code_of(hub_keys, code_id)
    database.run(
        "INSERT INTO access_code(id, preregistration_id, run_id, digest, expires_at)"
        " VALUES (%s, %s, %s, %s, parvis_now() + %s)",
        (code_id, prereg_id, run_id, digest_of(hub_keys, code), expires_in),
    )
    return code, run_id
