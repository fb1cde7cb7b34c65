from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.engine.journey import (
    PIVOT,
    Call,
    Choose,
    Done,
    End,
    ForEach,
    Journey,
    Local,
    Wait,
)
from orchestrator.services.ports.operations import Item, LogLine, RunHead
from orchestrator.services.run_operations import Keys, RunOperations, Version, checked_reason
from schemas import clock, ids
from schemas.errors import ReasonMissingError, RunStateError, RunUnknownError

ACTOR = "cli:anne"


def journey(*steps, version=1):
    return Journey(name="j", version=version, starts_on=(), key=lambda a, b: a + b, steps=steps)


def call(operation, undo="cancel"):
    return Call("library", operation, purpose="p", undo=undo)


LIBRARY = Choose("library", lambda _context: Done())
WAIT = Wait("go", timeout=timedelta(days=1), otherwise=End("expired"))
STRAIGHT = journey(LIBRARY, call("preregister"), WAIT, call("activate", PIVOT), Local("last", None))


def head(status="stuck", *, log=(), **values):
    rows = [
        LogLine(seq=seq, attempt=1, name=name, outcome=outcome)
        for seq, (name, outcome) in enumerate(log, start=1)
    ]
    run_id = ids.uuid7()
    made = {
        "id": run_id,
        "journey": "j",
        "version": 1,
        "status": status,
        "step": sum(outcome in {"ok", "skipped"} and ":" not in name for name, outcome in log),
        "seq": len(rows),
        "fence": 7,
        "error_code": "rejected" if status == "stuck" else None,
        "waiting_for": None,
        "wake_at": None,
        "cancel_asked": False,
        "pivoted": False,
        "parent_id": None,
        "effect_of": run_id,
        "log": rows,
    }
    return RunHead(**(made | values))


class Rows:
    """Remembers what was written; ``moves`` False plays somebody who was faster."""

    def __init__(self, found, *, moves=True):
        self.found, self.moves, self.acted, self.begun = found, moves, [], []

    def head(self, run_id):
        return self.found if self.found and self.found.id == run_id else None

    def act(self, act):
        self.acted.append(act)
        return self.moves

    def begin(self, wanted):
        self.begun.append(wanted)
        return self.moves

    def acts(self, run_id):
        return []

    def cancel(self, run_id, *, actor, reason):
        self.acted.append((run_id, actor, reason))
        return "compensating" if self.moves else None


def operations(found, *known, moves=True):
    rows = Rows(found, moves=moves)
    versions = {(each.name, each.version): each for each in known or (STRAIGHT,)}
    return RunOperations(rows=rows, cancels=rows, versions=lambda: versions), rows


def test_a_failed_step_is_tried_again_where_it_stands():
    at = head(log=[("library", "ok"), ("preregister", "error")])
    made, rows = operations(at)
    assert made.retry(at.id, actor=ACTOR).status == "ready"
    (act,) = rows.acted
    assert (act.to, act.step, act.name, act.outcome) == (
        "ready",
        1,
        "preregister:retry",
        "deferred",
    )
    assert (act.actor, act.cause, act.error_code) == (ACTOR, "retry", None)


def test_a_failed_undo_is_tried_again_as_an_undo():
    at = head(log=[("library", "ok"), ("preregister", "ok"), ("preregister:undo", "error")])
    made, rows = operations(replace(at, error_code="undo_failed"))
    assert made.retry(at.id, actor=ACTOR).status == "compensating"
    assert rows.acted[0].name == "preregister:undo:retry"


def test_a_run_stopped_while_it_went_back_goes_back_again():
    at = head(log=[("library", "ok"), ("run:cancel", "deferred")], cancel_asked=True)
    made, _ = operations(replace(at, error_code="recoveries"))
    assert made.retry(at.id, actor=ACTOR).status == "compensating"


@pytest.mark.parametrize(
    "status", ["ready", "waiting_timer", "waiting_signal", "compensating", "done", "failed"]
)
def test_only_a_run_put_aside_is_retried_skipped_or_discarded(status):
    at = head(status, log=[("library", "ok")])
    made, rows = operations(at)
    for refused in (
        lambda: made.retry(at.id, actor=ACTOR),
        lambda: made.skip(at.id, actor=ACTOR, reason="inutile"),
        lambda: made.discard(at.id, actor=ACTOR, reason="inutile"),
    ):
        with pytest.raises(RunStateError, match="Rien n'a changé"):
            refused()
    assert rows.acted == []


def test_an_unknown_run_is_said_to_be_unknown():
    made, _ = operations(None)
    with pytest.raises(RunUnknownError):
        made.retry(ids.uuid7(), actor=ACTOR)


def test_a_version_this_program_does_not_know_is_not_retried():
    at = head(version=9, error_code="version_unknown", log=[("library", "ok")])
    made, rows = operations(at)
    for refused in (
        lambda: made.retry(at.id, actor=ACTOR),
        lambda: made.discard(at.id, actor=ACTOR, reason="inutile"),
    ):
        with pytest.raises(RunStateError, match="ne connaît pas"):
            refused()
    assert rows.acted == []


def test_an_act_that_others_overtook_is_refused():
    at = head(log=[("library", "ok")])
    made, _ = operations(at, moves=False)
    with pytest.raises(RunStateError, match="vient de bouger"):
        made.retry(at.id, actor=ACTOR)


def test_a_skipped_step_counts_as_passed_and_says_why():
    at = head(log=[("library", "ok"), ("preregister", "error")])
    made, rows = operations(at)
    made.skip(at.id, actor=ACTOR, reason="  saisi à la main \n hier ")
    (act,) = rows.acted
    assert (act.to, act.step, act.name, act.outcome) == ("ready", 2, "preregister", "skipped")
    assert act.reason == "saisi à la main hier"


def test_skipping_the_last_step_ends_the_run():
    done = [("library", "ok"), ("preregister", "ok"), ("wait_go", "ok"), ("activate", "ok")]
    at = head(log=[*done, ("last", "error")])
    made, rows = operations(at)
    assert made.skip(at.id, actor=ACTOR, reason="sans objet").status == "done"
    assert rows.acted[0].step == 5


def test_a_step_that_later_ones_name_is_not_skipped():
    at = head(log=[("library", "error")])
    made, rows = operations(at)
    with pytest.raises(RunStateError, match="« preregister » a besoin de « library »"):
        made.skip(at.id, actor=ACTOR, reason="sans objet")
    assert rows.acted == []


def test_an_undo_done_by_hand_is_skipped_and_the_way_back_goes_on():
    at = head(log=[("library", "ok"), ("preregister", "ok"), ("preregister:undo", "error")])
    made, rows = operations(replace(at, error_code="undo_failed"))
    assert made.skip(at.id, actor=ACTOR, reason="annulé au guichet").status == "compensating"
    (act,) = rows.acted
    assert (act.name, act.outcome, act.step) == ("preregister:undo", "skipped", 2)


@pytest.mark.parametrize(
    "reason",
    ["", "  ", "x", "y" * 301, "voir anne@example.org", "rappeler au 06 39 98 00 01"],
)
def test_a_reason_is_a_few_words_without_a_person(reason):
    at = head(log=[("library", "ok"), ("preregister", "error")])
    made, rows = operations(at)
    for act in (made.skip, made.discard):
        with pytest.raises(ReasonMissingError):
            act(at.id, actor=ACTOR, reason=reason)
    assert rows.acted == []


def test_a_reason_may_hold_a_year_and_a_short_number():
    assert checked_reason("doublon de 2026, dossier 1234") == "doublon de 2026, dossier 1234"


def test_discarding_takes_back_what_was_done():
    at = head(log=[("library", "ok"), ("preregister", "ok"), ("wait_go", "error")])
    made, rows = operations(at)
    assert made.discard(at.id, actor=ACTOR, reason="doublon").status == "compensating"
    assert rows.acted[0].error_code == "rejected"


def test_discarding_a_run_that_did_nothing_just_ends_it():
    at = head(log=[("library", "error")])
    made, _ = operations(at)
    assert made.discard(at.id, actor=ACTOR, reason="doublon").status == "failed"


@pytest.mark.parametrize(
    ("log", "code"),
    [
        ([("library", "ok"), ("preregister", "unknown"), ("preregister", "error")], "rejected"),
        ([("library", "ok")], "recoveries"),
        ([("library", "ok")], "outcome_unknown"),
    ],
)
def test_discarding_takes_back_a_step_of_unknown_outcome(log, code):
    at = head(log=log, error_code=code)
    made, _ = operations(at)
    assert made.discard(at.id, actor=ACTOR, reason="doublon").status == "compensating"


def test_what_cannot_be_taken_back_is_not_discarded():
    done = [("library", "ok"), ("preregister", "ok"), ("wait_go", "ok"), ("activate", "ok")]
    at = head(log=[*done, ("last", "error")])
    made, rows = operations(at)
    with pytest.raises(RunStateError, match="seul avancer"):
        made.discard(at.id, actor=ACTOR, reason="doublon")
    assert rows.acted == []


def test_a_pivot_of_unknown_outcome_is_not_taken_for_undone():
    done = [("library", "ok"), ("preregister", "ok"), ("wait_go", "ok")]
    at = head(log=[*done, ("activate", "unknown")])
    made, _ = operations(at)
    with pytest.raises(RunStateError, match="« activate » ne s'annule pas"):
        made.discard(at.id, actor=ACTOR, reason="doublon")


def test_a_run_that_is_over_is_not_cancelled():
    at = head("done", log=[("library", "ok")])
    made, rows = operations(at)
    with pytest.raises(RunStateError, match="plus rien à arrêter"):
        made.cancel(at.id, actor=ACTOR)
    assert rows.acted == []


def test_a_run_that_ends_while_it_is_cancelled_is_told():
    at = head("waiting_signal", log=[("library", "ok")])
    made, _ = operations(at, moves=False)
    with pytest.raises(RunStateError, match="vient de finir"):
        made.cancel(at.id, actor=ACTOR)


@pytest.mark.parametrize("waiting_for", [None, "system:sorgues"])
def test_a_run_that_waits_to_be_tried_again_goes_at_once(waiting_for):
    at = head("waiting_timer", log=[("library", "ok")], waiting_for=waiting_for)
    made, rows = operations(at)
    assert made.resume(at.id, actor=ACTOR).status == "ready"
    assert rows.acted[0].name == "preregister:resume"


def test_an_undo_that_waits_goes_at_once():
    at = head("compensating", log=[("library", "ok"), ("preregister", "ok")])
    made, _ = operations(replace(at, wake_at=clock.utcnow()))
    assert made.resume(at.id, actor=ACTOR).status == "compensating"


@pytest.mark.parametrize(
    ("status", "waiting_for"),
    [
        ("waiting_timer", "pause:a_week"),
        ("waiting_signal", "go"),
        ("waiting_human", "decision:x"),
        ("ready", None),
        ("compensating", None),
        ("stuck", None),
    ],
)
def test_no_other_wait_is_brought_forward(status, waiting_for):
    at = head(status, log=[("library", "ok")], waiting_for=waiting_for)
    made, rows = operations(at)
    with pytest.raises(RunStateError):
        made.resume(at.id, actor=ACTOR)
    assert rows.acted == []


def test_a_run_put_aside_begins_again_with_the_keys_of_what_it_did():
    at = head(log=[("library", "ok"), ("preregister", "error")])
    newer = journey(*STRAIGHT.steps, version=2)
    made, rows = operations(at, STRAIGHT, newer)
    acted = made.restart(at.id, actor=ACTOR)
    (wanted,) = rows.begun
    assert (wanted.id, wanted.version, wanted.step) == (acted.new_run_id, 2, 0)
    assert wanted.effect_of == at.id
    assert (wanted.closes.to, wanted.closes.error_code) == ("failed", "restarted")


def test_a_run_that_is_over_begins_again_with_new_keys_at_the_version_asked_for():
    at = head("compensated", log=[("library", "ok")])
    made, rows = operations(at, STRAIGHT, journey(*STRAIGHT.steps, version=2))
    made.restart(at.id, actor=ACTOR, version=Version.RECORDED)
    (wanted,) = rows.begun
    assert (wanted.version, wanted.effect_of, wanted.closes) == (1, None, None)


def test_what_is_under_way_half_undone_or_a_child_does_not_begin_again():
    under_way = head("waiting_signal", log=[("library", "ok")])
    half = head(log=[("preregister", "ok"), ("preregister:undo", "error")])
    child = head("failed", parent_id=ids.uuid7())
    for at in (under_way, replace(half, error_code="undo_failed"), child):
        made, rows = operations(at)
        with pytest.raises(RunStateError):
            made.restart(at.id, actor=ACTOR)
        assert rows.begun == []


@pytest.mark.parametrize(
    "log",
    [
        [("library", "ok"), ("preregister", "ok"), ("wait_go", "error")],
        [("library", "ok"), ("preregister", "unknown"), ("preregister", "error")],
    ],
)
def test_a_run_put_aside_that_acted_outside_does_not_act_there_twice(log):
    at = head(log=log)
    made, rows = operations(at)
    with pytest.raises(RunStateError, match="« preregister » a peut-être déjà agi"):
        made.restart(at.id, actor=ACTOR)
    assert rows.begun == []


def test_a_parent_put_aside_does_not_start_its_children_twice():
    family = journey(ForEach("each", items=lambda _c: {}, journey="k"), Local("last", None))
    at = head(log=[("each", "ok"), ("last", "error")])
    made, _ = operations(at, family)
    with pytest.raises(RunStateError, match="« each »"):
        made.restart(at.id, actor=ACTOR)


def test_a_step_that_ended_the_journey_is_not_one_to_go_on_from():
    at = head("done", log=[("library", "ok")])
    ended = replace(at.log[0], cause="no_library")
    made, _ = operations(replace(at, log=[ended]))
    with pytest.raises(RunStateError, match="n'a pas été atteinte"):
        made.fork(at.id, start="2", actor=ACTOR)


def test_a_run_that_goes_back_because_of_its_end_still_ends_so_after_a_failed_undo():
    at = head(log=[("library", "ok"), ("preregister", "ok"), ("wait_go", "timeout")])
    rows_of = [*at.log[:2], replace(at.log[2], cause="expired")]
    failed = LogLine(seq=4, attempt=1, name="preregister:undo", outcome="error")
    at = replace(at, log=[*rows_of, failed], error_code="undo_failed")
    made, rows = operations(at)
    made.retry(at.id, actor=ACTOR)
    assert rows.acted[0].error_code == "expired"


def test_a_fork_takes_the_rows_along_that_made_the_steps_before_it_done():
    log = [("library", "error"), ("library", "ok"), ("preregister", "skipped"), ("wait_go", "ok")]
    at = head("done", log=log)
    made, rows = operations(at)
    for start in ("wait_go", "3"):
        made.fork(at.id, start=start, actor=ACTOR)
    for wanted in rows.begun:
        assert (wanted.step, [row.seq for row in wanted.copied]) == (2, [2, 3])
        assert (wanted.effect_of, wanted.pivoted) == (None, False)


def test_a_fork_of_the_same_effect_keeps_the_keys_of_the_first_run():
    origin = ids.uuid7()
    at = head("failed", log=[("library", "ok")], effect_of=origin)
    made, rows = operations(at)
    made.fork(at.id, start="preregister", actor=ACTOR, keys=Keys.SAME)
    assert rows.begun[0].effect_of == origin


def test_a_fork_behind_what_cannot_be_taken_back_only_goes_forward():
    done = [("library", "ok"), ("preregister", "ok"), ("wait_go", "ok"), ("activate", "ok")]
    at = head("done", log=[*done, ("last", "ok")])
    made, rows = operations(at)
    made.fork(at.id, start="last", actor=ACTOR)
    assert rows.begun[0].pivoted


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("nowhere", "pas d'étape"),
        ("0", "pas d'étape"),
        ("6", "pas d'étape"),
        ("²", "pas d'étape"),
        ("5", "n'a pas été atteinte"),
    ],
)
def test_a_fork_from_a_step_that_is_not_there_is_refused(start, said):
    at = head("failed", log=[("library", "ok"), ("preregister", "error")])
    made, rows = operations(at)
    with pytest.raises(RunStateError, match=said):
        made.fork(at.id, start=start, actor=ACTOR)
    assert rows.begun == []


@pytest.mark.parametrize("status", ["ready", "waiting_signal", "stuck", "compensating"])
def test_a_run_that_is_not_over_is_not_forked(status):
    at = head(status, log=[("library", "ok")])
    made, rows = operations(at)
    with pytest.raises(RunStateError, match="exécution finie"):
        made.fork(at.id, start="1", actor=ACTOR)
    assert rows.begun == []


def test_a_fork_does_not_stand_on_what_was_taken_back():
    undone = [("library", "ok"), ("preregister", "ok"), ("preregister:undo", "compensated")]
    at = head("compensated", log=undone)
    made, rows = operations(at)
    with pytest.raises(RunStateError, match="a été repris"):
        made.fork(at.id, start="wait_go", actor=ACTOR)
    with pytest.raises(RunStateError, match="mêmes clés"):
        made.fork(at.id, start="preregister", actor=ACTOR, keys=Keys.SAME)
    assert rows.begun == []
    made.fork(at.id, start="preregister", actor=ACTOR)
    assert len(rows.begun) == 1


def test_an_item_of_a_replay_is_left_when_its_run_moved_since():
    at = head(log=[("library", "ok"), ("preregister", "error")])
    made, rows = operations(at)
    with pytest.raises(RunStateError, match="changé depuis"):
        made.retry(at.id, actor=ACTOR, item=Item(replay_id=ids.uuid7(), fence=6))
    assert rows.acted == []


def test_a_run_whose_last_try_followed_a_doubtful_one_does_not_begin_again():
    at = head(log=[("library", "ok"), ("preregister", "error")])
    tried = replace(at.log[1], cause="in_doubt")
    made, rows = operations(replace(at, log=[at.log[0], tried]))
    with pytest.raises(RunStateError, match="« preregister » a peut-être déjà agi dehors"):
        made.restart(at.id, actor=ACTOR)
    assert rows.begun == []


def test_a_run_whose_children_did_something_does_not_begin_again():
    each = journey(ForEach("enrol", lambda _context: {}, "k", all_or_nothing=True))
    at = head(log=[("enrol", "error")])
    made, rows = operations(at, each)
    with pytest.raises(RunStateError, match="« enrol » a peut-être déjà agi dehors"):
        made.restart(at.id, actor=ACTOR)
    assert rows.begun == []
