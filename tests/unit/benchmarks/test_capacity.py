import json

import pytest

from benchmarks import capacity
from benchmarks.capacity import Cost, Load
from benchmarks.report import GOALS, MEASURED

TOWN = Load(name="town", people=1_000_000, largest_system=0.5)


def of_one():
    return {name: Cost(value=1.0, unit="", source="") for name in capacity._SOURCES}


def test_a_cost_is_what_was_measured(tmp_path):
    kept = {"journeys": {"commit": "c2", "figures": {"cpu_ms": 1.5}}}
    (tmp_path / MEASURED).write_text(json.dumps(kept))

    found = capacity.costs(tmp_path)["cpu"]

    assert (found.value, found.source) == (1.5, "measured at c2")


def test_a_rate_of_two_cores_is_told_in_their_milliseconds(tmp_path):
    kept = {"intake": {"commit": "c2", "figures": {"hub_per_second_64": 1600.0}}}
    (tmp_path / MEASURED).write_text(json.dumps(kept))

    assert capacity.costs(tmp_path)["intake"].value == 1.25


@pytest.mark.parametrize("kept", [{}, {"journeys": {"commit": "c", "figures": {"cpu_ms": None}}}])
def test_a_cost_nobody_measured_is_its_bar_and_says_so(tmp_path, kept):
    (tmp_path / MEASURED).write_text(json.dumps(kept))

    found = capacity.costs(tmp_path)["cpu"]

    assert (found.value, found.source) == (1.9, "bar, not measured yet")


def test_without_any_result_every_cost_is_its_bar(tmp_path):
    found = capacity.costs(tmp_path)

    assert {one.source for one in found.values()} == {"bar, not measured yet"}


def test_costs_come_from_measures_that_the_report_collects():
    assert {one.measure for one in capacity._SOURCES.values()} <= {goal.measure for goal in GOALS}


def test_the_country_moves_eight_million_times():
    country = capacity.PLACES[-1]

    assert country.runs_a_year == pytest.approx(8e6 * capacity.RUNS_A_MOVE + 66e6)
    assert country.burst == pytest.approx(10 * country.busiest_hour)


def test_what_a_place_needs_follows_from_the_costs():
    cost = of_one() | {"cpu": Cost(value=3.0, unit="", source="")}

    found = capacity.needs(TOWN, cost)

    # of three milliseconds one is PostgreSQL's and one RabbitMQ's; intake adds one
    assert found["cores of web, workers and relay at the burst"] == pytest.approx(
        TOWN.burst * 2 / 1000
    )
    assert found["runs in flight"] == pytest.approx(TOWN.burst * 2.4)
    assert found["GB of PostgreSQL after a year"] == pytest.approx(TOWN.runs_a_year / 1e6)
    two = Load(name="two", people=2_000_000, largest_system=0.5)
    assert capacity.needs(two, cost)["writing transactions a second"] == pytest.approx(
        2 * found["writing transactions a second"]
    )


def test_there_is_a_machine_to_spare_however_small_the_place():
    found = capacity.needs(Load(name="village", people=1_000, largest_system=1.0), of_one())

    assert found["machines of 4 cores for them, half busy, one of them spare"] == 2
    assert found["worker processes that take, 400 runs each"] == 1


def test_limits_come_in_the_order_in_which_they_are_met():
    found = capacity.limits(TOWN, of_one())

    assert list(found.values()) == sorted(found.values())
    assert found["the largest system, 10 calls a second"] == pytest.approx(10 / 3 / 0.5)
    assert found["one machine of 2 cores with everything on it"] == 1000.0
    assert next(iter(found)) == "the one active relay"  # one wake a second, here


def test_a_costlier_run_brings_its_limit_nearer():
    dearer = of_one() | {"postgres": Cost(value=2.0, unit="", source="")}
    name = "PostgreSQL on 8 cores"

    assert capacity.limits(TOWN, dearer)[name] == capacity.limits(TOWN, of_one())[name] / 2


def test_the_page_holds_every_line_that_is_calculated():
    text = capacity.PAGE.read_text(encoding="utf-8")
    between = text.partition(capacity.START)[2].partition(capacity.END)[0]
    now = capacity.written(capacity.costs(capacity.RESULTS))

    # a limit's place in its table follows from what was measured
    assert sorted(_first_cells(between)) == sorted(_first_cells(now))


def _first_cells(tables):
    return [line.split("|")[1] for line in tables.splitlines() if line.startswith("|")]
