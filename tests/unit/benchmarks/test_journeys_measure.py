from importlib import import_module

import pytest

from benchmarks import floor_work, journeys
from benchmarks.engines import Pass
from benchmarks.lab.accounts import Account, cpu_seconds
from benchmarks.peers.places import HERE, PYTHON_PEERS

CPU = {
    "workers": 1.0,
    "relay": 0.1,
    "scheduler": 0.1,
    "postgres": 0.5,
    "broker": 0.3,
    "partner": 9.0,
    "intake": 9.0,
}
NAMES = {
    "ratio_camel",
    "ratio_floor",
    "ratio_threads",
    "ratio_celery",
    "ratio_dbos",
    "slow_rate",
    "cpu_ms",
    "commits",
    "wal_kb",
    "idle_p50_ms",
    "idle_p99_ms",
}


def a_pass(engine="hub", rate=1000.0):
    return Pass(
        engine=engine,
        runs=1000,
        per_second=rate,
        p50_ms=1.0,
        p99_ms=2.0,
        busy_before=0.0,
        spent=Account(cpu=CPU, commits=400, wal_bytes=5_000_000),
        extra={"intake_cpu_ms": 0.3},
    )


def test_the_partner_and_the_sender_are_no_cost_of_the_engine():
    assert a_pass().cpu_ms == pytest.approx(2.0)
    assert a_pass().commits == 0.4
    assert a_pass().wal_kb == 5.0


def test_the_figures_bear_the_promised_names():
    told = {
        **journeys.summary({"hub": [a_pass()], "floor": [a_pass("floor", 1250.0)]}),
        **journeys.slow_summary({"hub": [a_pass(rate=900.0)]}),
        **journeys.idle_summary({"hub": [4.0, 5.0, 6.0]}),
    }

    assert told.keys() >= NAMES
    assert (told["ratio_floor"], told["ratio_camel"], told["slow_rate"]) == (0.8, None, 900.0)
    assert (told["idle_p50_ms"], told["idle_p99_ms"]) == (5.0, 6.0)


def test_every_round_begins_with_another_engine():
    names = ["hub", "floor", "camel"]

    assert {journeys._turned(names, number)[0] for number in range(3)} == set(names)
    assert sorted(journeys._turned(names, 1)) == sorted(names)


def test_an_account_is_what_was_spent_since_another():
    before = Account(cpu={"workers": 1.0}, commits=10, wal_bytes=100)
    after = Account(cpu={"workers": 3.5, "relay": 1.0}, commits=15, wal_bytes=400)

    spent = after.since(before)

    assert spent.cpu == {"workers": 2.5, "relay": 1.0}
    assert (spent.commits, spent.wal_bytes) == (5, 300)


def test_a_process_that_is_gone_has_used_nothing():
    assert cpu_seconds(2**22 + 1) == 0.0


def test_the_product_is_asked_for_the_calls_of_the_floor():
    made = import_module("benchmarks.hub.journeys.bench_three_calls")

    assert tuple(step.name for step in made.THREE_CALLS.steps) == floor_work.CALLS


@pytest.mark.parametrize("peer", PYTHON_PEERS)
def test_a_peer_is_pinned(peer):
    wanted = (HERE / f"{peer}.txt").read_text().splitlines()

    assert wanted
    assert [line for line in wanted if "==" not in line] == []
