from datetime import UTC, datetime

import pytest

from orchestrator.engine.compensation import end_of, to_undo
from orchestrator.engine.journey import PIVOT, Call, Done, Journey, Local, Start
from orchestrator.engine.runs import LoggedStep, Run
from schemas import ids

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def call(name, undo="back"):
    return Call("library", name, "p", undo)


def journey(*steps):
    return Journey(name="t", version=1, starts_on=(), key=lambda *_: "", steps=steps)


def run(step, *rows, **members):
    log = [
        LoggedStep(seq=seq, attempt=1, name=name, outcome=outcome, output=None)
        for seq, (name, outcome) in enumerate(rows, 1)
    ]
    values = {"waiting_for": None, "citizen_id": None, "data_key_id": None, "pending": ()}
    values |= dict.fromkeys(("fence", "signals", "recoveries"), 0)
    start = Start(type="t", source="s", subject="s", event_id="e", data={})
    return Run(
        id=ids.uuid7(),
        journey="t",
        version=1,
        status="compensating",
        step=step,
        seq=len(log),
        created_at=NOW,
        start=start,
        log=tuple(log),
        **(values | members),
    )


def names(told, a_run, *, in_doubt=False):
    return [step.name for step in to_undo(told, a_run, in_doubt=in_doubt)]


STEPS = journey(call("a"), Local("b", lambda _c: Done()), call("c"), call("d"))


def test_calls_that_were_done_come_back_latest_first():
    assert names(STEPS, run(3, ("a", "ok"), ("b", "ok"), ("c", "ok"))) == ["c", "a"]


def test_a_skipped_call_did_nothing():
    assert names(STEPS, run(3, ("a", "ok"), ("b", "ok"), ("c", "skipped"))) == ["a"]


def test_a_call_that_certainly_failed_is_left_alone():
    assert names(STEPS, run(2, ("a", "ok"), ("b", "ok"), ("c", "error"))) == ["a"]


def test_a_call_of_which_nobody_knows_is_first():
    unknown = run(2, ("a", "ok"), ("b", "ok"), ("c", "unknown"), ("c", "error"))
    assert names(STEPS, unknown) == ["c", "a"]
    assert names(STEPS, run(2, ("a", "ok"), ("b", "ok")), in_doubt=True) == ["c", "a"]


def test_an_undo_that_was_begun_goes_on_although_nothing_else_tells_of_its_step():
    assert names(STEPS, run(2, ("a", "ok"), ("b", "ok"), ("c:undo", "error"))) == ["c", "a"]


@pytest.mark.parametrize("settled", ["compensated", "skipped"])
def test_what_was_taken_back_or_settled_by_a_person_is_not_taken_back_again(settled):
    assert names(STEPS, run(2, ("a", "ok"), ("c", "ok"), ("c:undo", settled))) == ["a"]


def test_nothing_before_a_pivot_is_taken_back():
    told = journey(call("a"), call("b", PIVOT), call("c"), call("d"))
    assert names(told, run(3, ("a", "ok"), ("b", "ok"), ("c", "ok"))) == ["c"]
    assert names(told, run(1, ("a", "ok"), ("b", "error"))) == ["a"]
    assert names(told, run(1, ("a", "ok")), in_doubt=True) == ["a"]


def test_a_run_at_its_very_end_knows_what_it_did():
    assert names(STEPS, run(4, ("a", "ok"), ("c", "ok"), ("d", "ok"))) == ["d", "c", "a"]


@pytest.mark.parametrize(
    ("members", "undone", "end"),
    [
        ({"cancel_asked": True}, True, ("cancelled", "cancelled")),
        ({"cancel_asked": True}, False, ("cancelled", "cancelled")),
        ({"error_code": "rejected"}, True, ("compensated", "compensated")),
        ({"error_code": "rejected"}, False, ("failed", "failed")),
        ({"error_code": "expired"}, True, ("compensated", "expired")),
    ],
)
def test_how_a_run_ends_tells_why_it_went_back(members, undone, end):
    assert end_of(run(1, **members), undone=undone) == end
