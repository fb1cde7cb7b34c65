"""Runs of runs: started together, awaited, cancelled with their parent, each end told once."""

import threading
from dataclasses import replace

import gevent
import pytest

from orchestrator.engine.journey import Done, End, ForEach, Local, StartJourney, Wait
from orchestrator.engine.runs import Transition
from orchestrator.store.transitions import PARENT_TOLD, Transitions
from schemas import clock
from schemas.errors import PartnerRejectedError
from tests.fakes.running import LONG, Ground, Killed, call, choose, journey, pivot, raising

pytestmark = pytest.mark.postgres
REFUSED = PartnerRejectedError("ils", "enrol", "refused")


@pytest.fixture
def ground(database, vault, hub_keys):
    return Ground(database, vault, hub_keys)


def each(*names, strict=False):
    return ForEach(
        "services",
        lambda _context: {name: {"service": name} for name in names},
        "test.child",
        all_or_nothing=strict,
    )


def wait(name="go"):
    return Wait(name, timeout=LONG, otherwise=End("expired"))


def child(*steps, **members):
    return journey(choose(), *steps, name="test.child", **members)


def children(ground, parent_id):
    sql = "SELECT id, key, status FROM run WHERE parent_id = %s ORDER BY key"
    rows = ground.database.all(sql, (parent_id,))
    return {row["key"].rpartition(":")[2]: row for row in rows}


def statuses(ground, parent_id):
    return {name: row["status"] for name, row in children(ground, parent_id).items()}


def test_each_item_gets_a_run_and_what_became_of_it_is_the_steps_output(ground):
    enrol = Local("enrol", lambda context: Done(output={"told": context.start.data["service"]}))
    parent = journey(each("museum", "tennis"), Local("last", lambda _c: Done()))
    ground.knows(parent, child(enrol))
    run_id = ground.start(parent)
    assert ground.state(run_id) == ("done", None)
    told = ground.run(run_id).outputs()["services"]["children"]
    assert {name: (end["status"], end["output"]) for name, end in told.items()} == {
        "museum": ("done", {"told": "museum"}),
        "tennis": ("done", {"told": "tennis"}),
    }
    assert ground.one("SELECT count(*) AS n FROM signal")["n"] == 1
    assert ground.run(run_id).pending == ()


def test_the_parent_waits_until_the_last_child_has_ended(ground):
    parent = journey(each("museum", "tennis"))
    ground.knows(parent, child(wait()))
    run_id = ground.start(parent)
    found = children(ground, run_id)
    row = ground.one(
        "SELECT status, waiting_for, wake_at, open_children FROM run WHERE id = %s", run_id
    )
    assert tuple(row.values()) == ("waiting_signal", "children.ended", None, 2)
    ground.runs.signal(found["museum"]["id"], "go", dedup="1")
    ground.go()
    assert ground.run(run_id).open_children == 1
    ground.runs.signal(found["tennis"]["id"], "go", dedup="1")
    ground.go()
    assert ground.state(run_id) == ("done", None)


def test_a_child_that_fails_is_a_result_and_undoes_nothing_of_its_brothers(ground):
    parent = journey(each("museum", "tennis"))
    ground.knows(parent, child(call("enrol"), on_failure="undo"))
    ground.partner.before["enrol"] = [raising(REFUSED)]
    run_id = ground.start(parent)
    assert ground.state(run_id) == ("done", None)
    assert sorted(statuses(ground, run_id).values()) == ["done", "failed"]
    assert ground.partner.effects["cancel_enrol"] == 0


def test_a_child_that_did_nothing_outside_holds_its_parent_to_nothing(ground):
    parent = journey(choose(), call("book"), each("museum"), wait())
    ground.knows(parent, child(Local("look", lambda _c: Done())))
    run_id = ground.start(parent)
    assert statuses(ground, run_id) == {"museum": "done"}
    assert not ground.run(run_id).pivoted
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.go()
    assert ground.state(run_id) == ("cancelled", None)
    assert ground.partner.effects == {"book": 1, "cancel_book": 1}


@pytest.mark.parametrize("deed", [call("enrol"), pivot("enrol")])
def test_what_a_child_did_for_good_is_a_pivot_of_its_parent(ground, deed):
    parent = journey(each("museum", "tennis"), wait())
    ground.knows(parent, child(deed))
    run_id = ground.start(parent)
    assert ground.run(run_id).pivoted


def test_no_items_are_no_children_and_the_run_goes_on(ground):
    parent = journey(each(), Local("last", lambda _c: Done()))
    ground.knows(parent, child())
    assert ground.state(ground.start(parent)) == ("done", None)


def test_all_or_nothing_stops_the_others_at_the_first_bad_end(ground):
    parent = journey(each("a", "b", "c", strict=True))
    ground.knows(parent, child(call("enrol"), wait(), on_failure="undo"))
    ground.partner.before["enrol"] = [lambda _c: None, raising(REFUSED), lambda _c: None]
    run_id = ground.start(parent)
    assert statuses(ground, run_id) == {"a": "cancelled", "b": "failed", "c": "cancelled"}
    assert ground.state(run_id) == ("stuck", "rejected")
    assert ground.partner.effects == {"enrol": 2, "cancel_enrol": 2}


def test_a_second_try_starts_only_what_did_not_end_well(ground):
    parent = journey(each("a", "b", strict=True))
    ground.knows(parent, child(call("enrol"), on_failure="undo"))
    ground.partner.before["enrol"] = [lambda _c: None, raising(REFUSED)]
    run_id = ground.start(parent)
    assert ground.state(run_id) == ("stuck", "rejected")
    ground.database.run(
        "UPDATE run SET status = 'ready', error_code = NULL WHERE id = %s", (run_id,)
    )
    ground.wake(run_id)
    ground.go()
    assert ground.state(run_id) == ("done", None)
    assert ground.one("SELECT count(*) AS n FROM run WHERE parent_id = %s", run_id)["n"] == 3
    assert ground.partner.effects["enrol"] == 2


def test_cancelling_the_parent_cancels_the_children_first(ground):
    parent = journey(choose(), call("book"), each("a", "b"))
    ground.knows(parent, child(call("enrol"), wait()))
    run_id = ground.start(parent)
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.go()
    assert ground.state(run_id) == ("cancelled", None)
    assert set(statuses(ground, run_id).values()) == {"cancelled"}
    operations = [command.operation for command in ground.partner.calls]
    assert operations[-3:] == ["cancel_enrol", "cancel_enrol", "cancel_book"]
    told = ground.database.all(
        "SELECT actor FROM step WHERE name = 'run:cancel' ORDER BY started_at"
    )
    assert [row["actor"] for row in told] == ["cli:ana", f"run:{run_id}", f"run:{run_id}"]


def test_a_parent_that_goes_back_waits_for_a_child_that_only_goes_forward(ground):
    parent = journey(choose(), call("book"), each("a"))
    ground.knows(parent, child(pivot("enrol"), wait()))
    run_id = ground.start(parent)
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.go()
    row = ground.one("SELECT status, waiting_for, lease_until FROM run WHERE id = %s", run_id)
    assert tuple(row.values()) == ("compensating", "children.ended", None)
    assert ground.runs.sweep_late() == ground.runs.wake_due() == 0
    ground.runs.signal(children(ground, run_id)["a"]["id"], "go", dedup="1")
    ground.go()
    assert statuses(ground, run_id) == {"a": "done"}
    assert ground.state(run_id) == ("cancelled", None)
    assert ground.partner.effects["cancel_book"] == 1


def test_what_children_did_well_cannot_be_taken_back_by_their_parent(ground):
    parent = journey(choose(), call("book"), each("a"), wait())
    ground.knows(parent, child(call("enrol")))
    run_id = ground.start(parent)
    assert ground.run(run_id).pivoted
    ground.pass_time(run_id)
    assert ground.state(run_id) == ("done", "expired")


def test_a_journey_started_by_another_gives_it_its_result(ground):
    sub = child(Local("last", lambda context: Done(output={"n": context.start.data["n"] + 1})))
    parent = journey(StartJourney("sub", "test.child", lambda _c: {"n": 1}))
    ground.knows(parent, sub)
    run_id = ground.start(parent)
    assert ground.run(run_id).outputs()["sub"]["output"] == {"n": 2}


def test_a_journey_that_ends_badly_fails_the_step_that_started_it(ground):
    parent = journey(choose(), call("book"), StartJourney("sub", "test.child"), on_failure="undo")
    ground.knows(parent, child(call("enrol"), on_failure="undo"))
    ground.partner.before["enrol"] = [raising(REFUSED)]
    run_id = ground.start(parent)
    assert ground.state(run_id) == ("compensated", "rejected")
    assert ground.partner.effects == {"book": 1, "cancel_book": 1}


def test_a_child_sees_the_message_and_the_person_of_its_parent(ground):
    seen = []
    look = Local("look", lambda context: seen.append(context) or Done())
    parent = journey(StartJourney("sub", "test.child"))
    ground.knows(parent, child(look))
    run_id = ground.start(parent)
    mother = ground.run(run_id)
    assert (seen[0].start.source, seen[0].start.subject) == (mother.start.source, "e1")
    assert seen[0].data_key_id == mother.data_key_id


def test_brothers_that_end_in_one_statement_are_all_counted(ground):
    names = [f"n{number}" for number in range(20)]
    parent = journey(each(*names))
    ground.knows(parent, child(wait()))
    run_id = ground.start(parent)
    executor = ground.executor()
    for row in children(ground, run_id).values():
        ground.runs.signal(row["id"], "go", dedup="1")
    ground.database.run("DELETE FROM outbox")
    gevent.joinall(
        [
            gevent.spawn(executor.execute, row["id"], redelivered=False)
            for row in children(ground, run_id).values()
        ],
        raise_error=True,
    )
    assert ground.run(run_id).open_children == 0
    assert ground.one("SELECT count(*) AS n FROM signal WHERE run_id = %s", run_id)["n"] == 1
    assert ground.one("SELECT count(*) AS n FROM outbox WHERE key = %s", run_id)["n"] == 1
    ground.go()
    assert ground.state(run_id) == ("done", None)


def test_brothers_that_end_in_two_processes_at_once_are_both_counted(ground):
    parent = journey(each("a", "b"))
    ground.knows(parent, child(wait()))
    run_id = ground.start(parent)
    first, second = (ground.run(row["id"]) for row in children(ground, run_id).values())
    here, there = ground.database.connect(), ground.database.connect()
    other = threading.Thread(target=_end, args=(there, second))
    with here.transaction():
        _end(here, first)
        other.start()
        other.join(timeout=0.3)
        assert other.is_alive(), "the second end waits for the first one's word about the parent"
    other.join(timeout=5)
    row = ground.one("SELECT status, open_children, signals FROM run WHERE id = %s", run_id)
    assert tuple(row.values()) == ("ready", 0, 1)
    assert ground.one("SELECT count(*) AS n FROM outbox WHERE key = %s", run_id)["n"] == 1
    here.close()
    there.close()


def test_a_child_cut_by_a_kill_at_its_end_is_counted_once(ground):
    parent = journey(each("a", "b"))
    ground.knows(parent, child(call("enrol")))
    ground.partner.after["enrol"] = [lambda _c: None, raising(Killed())]
    run_id = ground.arrive(parent)
    with pytest.raises(Killed):
        ground.go()
    assert ground.run(run_id).open_children == 1
    for row in children(ground, run_id).values():
        ground.wake(row["id"])
    ground.go(redelivered=True)
    assert ground.state(run_id) == ("done", None)
    assert ground.partner.effects["enrol"] == 2


def test_a_fenced_off_end_of_a_child_tells_its_parent_nothing(ground):
    parent = journey(each("a", "b"))
    ground.knows(parent, child(wait()))
    run_id = ground.start(parent)
    late = _last(ground.run(children(ground, run_id)["a"]["id"]))
    late = replace(late, fence=late.fence - 1)
    assert ground.runs.transit(late, seq=9, key=None, worker="w") is None
    assert ground.run(run_id).open_children == 2


def test_grandchildren_are_cancelled_with_their_grandparent(ground):
    parent = journey(StartJourney("sub", "test.middle"))
    middle = journey(each("a", "b"), name="test.middle")
    ground.knows(parent, middle, child(call("enrol"), wait()))
    run_id = ground.start(parent)
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.go()
    assert ground.one("SELECT count(*) AS n FROM run WHERE status <> 'cancelled'")["n"] == 0
    assert ground.partner.effects == {"enrol": 2, "cancel_enrol": 2}


def _last(run):
    """Return the move that ends a child."""
    now = clock.utcnow()
    return Transition(
        run_id=run.id,
        fence=run.fence,
        step=2,
        to="done",
        name="wait_go",
        attempt=1,
        outcome="ok",
        started_at=now,
        ended_at=now,
        parent_id=run.parent_id,
    )


def _end(connection, run):
    return Transitions(PARENT_TOLD).write(connection, [(_last(run), run.seq + 1, None, "w")])
