import json

import pytest

from benchmarks.lab import figures


def test_a_ratio_is_of_one_round_and_told_with_its_spread():
    told = figures.ratios([10.0, 30.0, 20.0], [10.0, 10.0, 10.0])

    assert told == {"median": 2.0, "pairs": [1.0, 3.0, 2.0], "spread": [1.0, 3.0]}


def test_rounds_without_a_partner_are_left_out():
    assert figures.ratios([10.0, 20.0], [5.0])["pairs"] == [2.0]
    assert figures.ratios([], [5.0])["median"] is None


@pytest.mark.parametrize(("share", "found"), [(0.0, 1.0), (0.5, 51.0), (0.99, 100.0)])
def test_a_percentile_is_a_value_that_was_seen(share, found):
    assert figures.percentile([float(n) for n in range(100, 0, -1)], share) == found


def test_a_percentile_of_nothing_is_zero():
    assert figures.percentile([], 0.99) == 0.0


def test_a_table_aligns_and_says_what_is_missing():
    rows = [{"engine": "floor", "rate": 1500.0}, {"engine": "hub", "rate": None}]

    assert figures.table(rows) == "engine  rate\nfloor   1500\nhub     -"


def test_a_result_is_kept_with_the_machine_it_was_taken_on(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "RESULTS", tmp_path)

    kept = json.loads(figures.keep("relay", {"figures": {"rate": 1}}).read_text())

    assert (kept["measure"], kept["figures"]) == ("relay", {"rate": 1})
    assert kept["cores"] >= 1
    assert kept["commit"]
