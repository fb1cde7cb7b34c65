import json

import pytest

from benchmarks import report


def a_result(folder, measure, at, *, is_try=False, **figures):
    kept = {
        "measure": measure,
        "taken_at": f"2026-11-{at:02}",
        "commit": f"c{at}",
        "is_try": is_try,
        "figures": figures,
    }
    (folder / f"{measure}-202611{at:02}T000000Z.json").write_text(json.dumps(kept))


def test_the_newest_result_of_each_measure_is_collected(tmp_path):
    a_result(tmp_path, "relay", 2, relay_per_second=12_000)
    a_result(tmp_path, "relay", 1, relay_per_second=9_000)
    a_result(tmp_path, "growth", 1, growth_ratio=0.95)

    found = report.collected(tmp_path)

    assert {name: one["commit"] for name, one in found.items()} == {"relay": "c2", "growth": "c1"}


def test_what_was_only_tried_out_is_passed_over(tmp_path):
    a_result(tmp_path, "relay", 1, relay_per_second=9_000)
    a_result(tmp_path, "relay", 2, is_try=True, relay_per_second=3)

    assert report.collected(tmp_path)["relay"]["figures"] == {"relay_per_second": 9_000}


def test_a_measure_that_was_not_taken_again_keeps_its_evidence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    a_result(tmp_path, "relay", 1, relay_per_second=9_000)
    report.main()
    next(tmp_path.glob("relay-2*")).unlink()
    a_result(tmp_path, "growth", 2, growth_ratio=0.95)

    report.main()

    assert json.loads((tmp_path / report.MEASURED).read_text()).keys() == {"relay", "growth"}
    assert "wakes a second" in capsys.readouterr().out


@pytest.mark.parametrize(("rate", "met"), [(10_000, "yes"), (9_999, "NO")])
def test_a_line_says_whether_the_goal_is_met(tmp_path, rate, met):
    a_result(tmp_path, "relay", 1, relay_per_second=rate, insert_to_consumer_p99_ms=None)

    (line,) = report.rows(report.collected(tmp_path))

    assert (line["figure"], line["goal"], line["met"]) == (float(rate), "≥ 10000", met)


@pytest.mark.parametrize(("value", "met"), [(2.0, "yes"), (2.01, "NO")])
def test_a_bar_may_be_the_most(tmp_path, value, met):
    a_result(tmp_path, "hanging", 1, flow_p99_ms_ratio=value)

    assert next(report.rows(report.collected(tmp_path)))["met"] == met
