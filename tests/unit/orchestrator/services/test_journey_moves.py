from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.engine.journey import Call, Done, End, ForEach, Journey, Local, Wait
from orchestrator.services.journey_moves import PAGE, JourneyMoves, Wanted, moved_cause, moved_to
from orchestrator.services.ports.versions import RunAt
from schemas import ids
from schemas.errors import JourneyUnknownError, VersionMoveError


def by_subject(source, subject):
    return f"{source} {subject}"


def nothing(_context):
    return Done()


def local(name):
    return Local(name, nothing)


WAIT = Wait("go", timeout=timedelta(days=1), otherwise=End("expired"))
LONGER = replace(WAIT, timeout=timedelta(days=9))
BOOK = Call("library", "book", purpose="booking", undo="cancel")


def journey(version, *steps):
    return Journey(name="j", version=version, starts_on=(), key=by_subject, steps=steps)


def run_at(step, status="waiting_signal", **more):
    values = {"id": ids.uuid7(), "journey": "j", "version": 1, "status": status, "step": step}
    return RunAt(**values, seq=step, fence=step, **({"open_children": 0} | more))


class Rows:
    """Runs in memory; those of ``lost`` are moved by others just before us."""

    def __init__(self, *runs, lost=()):
        self.runs, self.lost, self.moves = list(runs), set(lost), []

    def runs_at(self, journey, version, *, after, most):
        found = sorted(self.runs, key=lambda run: run.id)
        return [run for run in found if after is None or run.id > after][:most]

    def move(self, move):
        if move.run.id in self.lost:
            return False
        self.moves.append(move)
        return True


def moves(rows, *known):
    return JourneyMoves(rows=rows, journeys={(it.name, it.version): it for it in known})


def wanted(**more):
    return Wanted(**({"journey": "j", "old": 1, "new": 2, "names": {}} | more))


def test_a_run_goes_to_the_step_of_the_same_name_and_goes_on_waiting():
    rows = Rows(run_at(1))
    made = moves(rows, journey(1, local("a"), WAIT), journey(2, local("new"), local("a"), WAIT))

    done = made.move(wanted(), actor="cli:x")

    (move,) = rows.moves
    assert (move.version, move.step, move.keeps_waiting, move.actor) == (2, 2, True, "cli:x")
    assert moved_to(move.cause) == 2
    assert (done.moved, done.stayed, done.overtaken) == (1, [], [])


def test_a_dry_run_lists_what_would_be_and_changes_nothing():
    rows = Rows(run_at(1))
    made = moves(rows, journey(1, local("a"), WAIT), journey(2, local("a"), local("new"), LONGER))

    (planned,) = made.plan(wanted())

    assert (planned.place.before, planned.place.after, planned.fault) == (
        "wait_go",
        "wait_go",
        None,
    )
    assert planned.place.never_done == ("new",)
    assert not planned.place.is_same
    assert rows.moves == []


def test_a_step_that_has_another_name_there_is_named():
    rows = Rows(run_at(0, "stuck"))
    made = moves(rows, journey(1, local("a")), journey(2, local("b"), local("c")))

    (kept,) = made.plan(wanted())
    assert kept.fault == "aucune étape « a » à la version 2 : nommez-en une"
    made.move(wanted(names={"a": "c"}), actor="x")
    assert [move.step for move in rows.moves] == [1]


def test_no_step_is_done_twice():
    made = moves(Rows(run_at(1)), journey(1, BOOK, WAIT), journey(2, WAIT, BOOK))

    (planned,) = made.plan(wanted())
    assert planned.fault == "« book » serait fait une deuxième fois"


def test_what_was_done_can_still_be_undone_or_the_run_stays():
    other = replace(BOOK, undo="give_back")
    for there in (journey(2, WAIT), journey(2, other, WAIT)):
        (planned,) = moves(Rows(run_at(1)), journey(1, BOOK, WAIT), there).plan(wanted())
        assert planned.fault == "ce que « book » a fait ne pourrait plus être annulé"


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (run_at(1, "ready"), "elle est en route"),
        (run_at(1, "compensating"), "son annulation est en cours"),
        (run_at(1, "waiting_human"), "une décision est demandée"),
        (run_at(1, open_children=2), "elle attend d'autres exécutions"),
    ],
)
def test_a_run_that_cannot_be_moved_now_stays_with_its_reason(run, said):
    rows = Rows(run)
    made = moves(rows, journey(1, local("a"), WAIT), journey(2, local("a"), LONGER))

    done = made.move(wanted(), actor="x")

    assert said in done.stayed[0].fault
    assert rows.moves == []


@pytest.mark.parametrize(
    ("step", "doubt"),
    [
        (BOOK, {"doubts": ["book"]}),
        (BOOK, {"error_code": "recoveries"}),
        (ForEach("enrol", nothing, "k", all_or_nothing=True), {"doubts": ["enrol"]}),
    ],
)
def test_a_run_that_may_have_acted_is_not_sent_to_a_step_that_knows_nothing_of_it(step, doubt):
    chosen, other = local("library"), replace(BOOK, operation="book_online")
    known = journey(1, chosen, step), journey(2, chosen, other)
    doubtful, sure = run_at(1, "stuck", **doubt), run_at(1, "stuck", error_code="rejected")
    rows = Rows(doubtful, sure)

    done = moves(rows, *known).move(wanted(names={step.name: "book_online"}), actor="x")

    assert [move.run for move in rows.moves] == [sure]
    assert f"« {step.name} » a peut-être déjà agi" in done.stayed[0].fault


def test_a_run_that_may_have_acted_goes_to_the_same_call_there():
    chosen, later = local("library"), replace(BOOK, purpose="other")
    rows = Rows(run_at(1, "stuck", doubts=["book"]))

    assert (
        moves(rows, journey(1, chosen, BOOK), journey(2, chosen, later))
        .move(wanted(), actor="x")
        .moved
        == 1
    )


def test_a_question_that_stays_the_same_moves_with_its_run():
    rows = Rows(run_at(1, "waiting_human"), run_at(1, open_children=2))
    made = moves(rows, journey(1, local("a"), WAIT), journey(2, local("a"), WAIT))

    assert made.move(wanted(), actor="x").moved == 2


def test_a_run_that_others_moved_meanwhile_is_told():
    run = run_at(1)
    made = moves(
        Rows(run, lost=[run.id]), journey(1, local("a"), WAIT), journey(2, local("a"), WAIT)
    )

    assert made.move(wanted(), actor="x").overtaken == [run]


def test_every_page_is_gone_through():
    rows = Rows(*(run_at(0, "stuck") for _ in range(PAGE + 1)))
    made = moves(rows, journey(1, local("a")), journey(2, local("a")))

    assert made.move(wanted(), actor="x").moved == PAGE + 1


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"old": 3}, JourneyUnknownError, "j v3"),
        ({"new": 3}, JourneyUnknownError, "j v3"),
        ({"new": 1}, VersionMoveError, "la même"),
        ({"names": {"x": "a"}}, VersionMoveError, "« x » n'est pas une étape de la version 1"),
        ({"names": {"a": "y"}}, VersionMoveError, "« y » n'est pas une étape de la version 2"),
    ],
)
def test_a_migration_that_makes_no_sense_is_refused(asked, error, said):
    made = moves(Rows(run_at(0)), journey(1, local("a")), journey(2, local("a")))

    with pytest.raises(error, match=said):
        made.plan(wanted(**asked))


def test_only_the_cause_of_a_move_is_read_as_one():
    assert moved_to(moved_cause((1, 3), (2, 4))) == 4
    assert moved_to("retry") is None
    assert moved_to(None) is None
