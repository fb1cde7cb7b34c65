import pytest

from orchestrator.engine.journey import Done, Journey, Local
from orchestrator.runtime.replaying import divergence, divergences
from orchestrator.services.journey_moves import moved_cause
from orchestrator.services.ports.versions import LogRow, RunAt, RunLog
from schemas import ids


def by_subject(source, subject):
    return f"{source} {subject}"


def nothing(_context):
    return Done()


def journey(*names, version=1):
    steps = tuple(Local(name, nothing) for name in names)
    return Journey(name="j", version=version, starts_on=(), key=by_subject, steps=steps)


def row(name, outcome="ok", *, actor="worker", cause=None):
    return LogRow(seq=0, name=name, outcome=outcome, actor=actor, cause=cause)


def log(*rows, step=None, status="waiting_signal", version=1):
    done = sum(it.outcome in {"ok", "skipped"} for it in rows) if step is None else step
    run = RunAt(
        id=ids.uuid7(),
        journey="j",
        version=version,
        status=status,
        step=done,
        seq=0,
        fence=0,
        open_children=0,
    )
    return RunLog(run=run, ended_at=None, rows=list(rows))


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row("a")],
        [row("a", "error"), row("a", "unknown"), row("a", "deferred"), row("a"), row("b", "error")],
        [row("a", "skipped"), row("b"), row("c")],
        [row("a"), row("b", "error"), row("b", "skipped", actor="cli:admin", cause="skip")],
        [row("a"), row("b", "error"), row("resume", "deferred", actor="cli:admin"), row("b")],
        [row("a"), row("a:undo", "compensated")],
        [row("a"), row("journey", "error")],
    ],
)
def test_a_log_of_this_definition_fits(rows):
    assert divergence(log(*rows), journey("a", "b", "c")) is None


def test_a_run_whose_undo_failed_after_its_journey_ended_it_stands_at_the_step_that_did():
    rows = [row("a"), row("b", cause="refused"), row("a:undo", "error")]

    assert divergence(log(*rows, step=1, status="stuck"), journey("a", "b", "c")) is None


def test_a_definition_changed_under_its_version_is_found_where_it_parts():
    """The journey once was a, b, c: somebody put a step in front of b without a new version."""
    old = [
        log(row("a"), row("b")),
        log(row("a"), row("b", "error"), status="waiting_timer"),
        log(row("a")),
    ]
    changed = journey("a", "new", "b", "c")

    found = list(divergences(old, lambda _name, _version: changed))

    assert [(it.position, it.logged, it.expected) for it in found] == [(1, "b", "new")] * 2
    assert "position 1 : le journal dit « b », ce code dit « new »" in found[0].sentence()


def test_a_step_that_is_gone_is_found():
    (found,) = divergences([log(row("a"), row("b"))], lambda _name, _version: journey("a"))

    assert (found.position, found.logged, found.expected) == (1, "b", None)
    assert "la fin du parcours" in found.sentence()


def test_a_version_this_code_has_not_is_found():
    (found,) = divergences([log(row("a"), version=4)], lambda _name, _version: None)

    assert found.logged == "version 4"


def test_a_run_that_stands_elsewhere_than_its_log_says_is_found():
    found = divergence(log(row("a"), step=2), journey("a", "b", "c"))

    assert (found.logged, found.expected) == ("c", "b")


@pytest.mark.parametrize("status", ["done", "compensating", "compensated", "cancelled", "failed"])
def test_a_run_that_goes_forward_no_more_stands_where_it_likes(status):
    assert divergence(log(row("a"), step=3, status=status), journey("a", "b", "c")) is None


def test_a_run_that_was_moved_is_read_from_there_on():
    rows = [
        row("old"),
        row("journey", "deferred", actor="cli:x", cause=moved_cause((1, 1), (2, 2))),
        row("c"),
    ]

    assert divergence(log(*rows, step=3, version=2), journey("a", "b", "c", "d", version=2)) is None
    assert divergence(log(*rows, step=3, version=2), journey("a", "b", "x", "c", version=2))
