import json

import pytest

from benchmarks import capacity
from benchmarks.capacity import Cost, Load


def a_result(folder, measure, stamp, figures):
    kept = {"measure": measure, "commit": f"c{stamp}", "figures": figures}
    (folder / f"{measure}-{stamp}.json").write_text(json.dumps(kept))


def test_a_cost_is_that_of_the_newest_result(tmp_path):
    a_result(tmp_path, "journeys", "20261101T000000Z", {"cpu_ms": 9.0})
    a_result(tmp_path, "journeys", "20261102T000000Z", {"cpu_ms": 1.5})

    found = capacity.costs(tmp_path)["cpu"]

    assert (found.value, found.source) == (1.5, "measured at c20261102T000000Z")


def test_a_cost_nobody_measured_is_its_bar_and_says_so(tmp_path):
    a_result(tmp_path, "journeys", "20261101T000000Z", {"cpu_ms": None})

    found = capacity.costs(tmp_path)["cpu"]

    assert (found.value, found.source) == (1.9, "bar, not measured yet")


def test_the_country_moves_eight_million_times():
    country = Load(name="country", people=66_000_000)

    assert country.runs_a_year == pytest.approx(8e6 * capacity.RUNS_A_MOVE + 66e6)
    assert country.burst == pytest.approx(10 * country.busiest_hour)


def test_what_a_place_needs_follows_from_the_costs():
    cost = {name: Cost(value=1.0, unit="", source="") for name in capacity._COSTS}
    load = Load(name="town", people=1_000_000)

    found = capacity.needs(load, cost)

    assert found["cores at the burst"] == pytest.approx(load.burst * 2 / 1000)
    assert found["runs in flight"] == pytest.approx(load.burst * 2.4)
    assert found["GB of PostgreSQL after a year"] == pytest.approx(load.runs_a_year / 1e6)
    assert capacity.needs(Load(name="two", people=2_000_000), cost)[
        "transactions a second"
    ] == pytest.approx(2 * found["transactions a second"])


def test_the_page_holds_every_line_that_is_calculated():
    text = capacity.PAGE.read_text(encoding="utf-8")
    between = text.partition(capacity.START)[2].partition(capacity.END)[0]

    assert _first_cells(between) == _first_cells(capacity.written(capacity.costs(capacity.RESULTS)))


def _first_cells(tables):
    return [line.split("|")[1] for line in tables.splitlines() if line.startswith("|")]
