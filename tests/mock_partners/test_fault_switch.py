import pytest

from mock_partners.faults import RECEIVING, SENDING, FaultSwitch


@pytest.fixture
def switch():
    return FaultSwitch(RECEIVING, frozenset({"add", "list"}))


def struck(switch, operations):
    return ["down" in switch.strike(operation) for operation in operations]


def test_without_a_fault_nothing_strikes(switch):
    assert switch.strike("add") == {}


def test_after_and_times_bound_the_strikes(switch):
    switch.arm([{"fault": "down", "after": 2, "times": 2}])
    assert struck(switch, ["add"] * 6) == [False, False, True, True, False, False]


def test_only_the_operations_of_the_glob_are_struck_and_counted(switch):
    switch.arm([{"fault": "down", "operation": "a*", "after": 1}])
    assert struck(switch, ["add", "list", "add"]) == [False, False, True]


def test_the_same_seed_gives_the_same_faults(switch):
    draws = []
    for seed in (7, 7, 8):
        switch.clear()
        switch.arm([{"fault": "down", "probability": 0.5, "seed": seed}])
        draws.append(struck(switch, ["add"] * 64))
    assert draws[0] == draws[1] != draws[2]
    assert 16 < sum(draws[0]) < 48


def test_the_same_seed_gives_the_same_jitter(switch):
    chances = []
    for _ in range(2):
        switch.clear()
        switch.arm([{"fault": "latency", "ms": 1, "jitter_ms": 5, "seed": 4}])
        chances.append([switch.strike("add")["latency"].chance for _ in range(5)])
    assert chances[0] == chances[1]
    assert len(set(chances[0])) == 5


def test_several_faults_strike_the_same_request(switch):
    switch.arm([{"fault": "latency", "ms": 1}, {"fault": "reset_after"}])
    assert set(switch.strike("add")) == {"latency", "reset_after"}


def test_of_two_faults_of_one_name_the_older_wins(switch):
    switch.arm([{"fault": "status", "code": 500, "times": 1}, {"fault": "status", "code": 503}])
    codes = [switch.strike("add")["status"].params["code"] for _ in range(2)]
    assert codes == [500, 503]


def test_only_a_down_without_condition_counts_as_down(switch):
    switch.arm([{"fault": "down", "times": 3}])
    assert not switch.is_down()
    switch.arm([{"fault": "down"}])
    assert switch.is_down()
    switch.clear()
    assert not switch.is_down()


def test_receivers_and_senders_know_their_own_faults():
    assert {"duplicate", "clock_skew"} == RECEIVING & SENDING
