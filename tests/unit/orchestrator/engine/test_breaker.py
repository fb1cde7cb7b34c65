from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.breaker import Cause, Pace, Standing, Tally, next_wave

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def failing(tally, times, *, keys=("a", "b"), start=0.0):
    return [tally.failed(start + n * 0.1, keys[n % len(keys)]) for n in range(times)]


def test_five_failures_in_a_row_open():
    assert failing(Tally(), 5) == [False, False, False, False, True]


def test_a_success_in_between_begins_the_row_anew():
    tally = Tally()
    failing(tally, 4)
    tally.succeeded(1.0)
    assert failing(tally, 4, start=2.0) == [False] * 4


def test_one_message_that_fails_for_ever_never_opens_the_breaker():
    assert failing(Tally(), 100, keys=("poison",)) == [False] * 100


def test_one_poison_message_among_successes_never_opens_the_breaker():
    tally = Tally()
    for n in range(100):
        tally.succeeded(n)
        assert not tally.failed(n + 0.5, "poison")


def test_a_message_that_failed_before_does_not_stand_for_a_second_one():
    tally = Tally()
    tally.failed(0.0, "another")
    tally.succeeded(0.1)
    assert failing(tally, 5, keys=("poison",), start=1.0) == [False] * 5


def test_half_of_ten_calls_failing_in_a_minute_open():
    tally = Tally()
    opened = []
    for n in range(5):
        tally.succeeded(n)
        opened.append(tally.failed(n + 0.5, f"m{n}"))
    assert opened == [False, False, False, False, True]


def test_fewer_than_ten_calls_do_not_open_by_their_share():
    tally = Tally()
    for n in range(4):
        tally.succeeded(n)
        assert not tally.failed(n + 0.5, f"m{n}")


def test_failures_older_than_a_minute_are_forgotten():
    tally = Tally()
    for n in range(4):
        tally.succeeded(n)
        tally.failed(n + 0.5, f"m{n}")
    tally.succeeded(70)
    assert not tally.failed(70.5, "late")


def test_a_tally_that_forgot_begins_anew():
    tally = Tally()
    failing(tally, 4)
    tally.forget()
    assert failing(tally, 4) == [False] * 4


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("ab"), st.floats(0, 20)), max_size=80))
def test_the_tally_agrees_with_a_count_by_hand(calls):
    tally, seen, now = Tally(), [], 0.0
    for is_success, key, pause in calls:
        now += pause
        seen.append((int(now), is_success, key))
        recent = [call for call in seen if call[0] > int(now) - 60]
        if is_success:
            tally.succeeded(now)
            continue
        row = []
        for call in reversed(seen):
            if call[1]:
                break
            row.append(call)
        failed = [call for call in recent if not call[1]]
        by_row = len(row) >= 5 and len({call[2] for call in row}) > 1
        is_failing = len(recent) >= 10 and len(failed) >= len(recent) / 2
        opened = tally.failed(now, key)
        if by_row or (is_failing and len({call[2] for call in failed}) > 1):
            assert opened
        elif not is_failing:
            assert not opened


@pytest.mark.parametrize(
    ("cause", "seconds"),
    [(Cause.OUTAGE, [5, 10, 20, 30, 30, 30]), (Cause.ACCESS, [900] * 6), (Cause.HAND, [5, 10, 20])],
)
def test_probes_slow_down_to_half_a_minute_and_never_end(cause, seconds):
    pace = Pace()
    assert [pace.until_next_probe(n, cause) for n in range(len(seconds))] == seconds
    assert pace.until_next_probe(100_000, cause) == seconds[-1] or cause is Cause.HAND


def test_waiting_runs_come_back_in_waves_that_double_up_to_what_the_system_takes():
    waves = [0]
    for _ in range(6):
        waves.append(next_wave(waves[-1], most=10))
    assert waves[1:] == [1, 2, 4, 8, 10, 10]


def test_a_standing_knows_what_is_over():
    past, future = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
    assert Standing(slow_until=future).is_slowed(NOW)
    assert not Standing(slow_until=past).is_slowed(NOW)
    assert Standing(trial_until=future).is_being_tried(NOW)
    assert not Standing(trial_until=past).is_being_tried(NOW)
    assert not Standing().is_slowed(NOW)
