"""``run.ended.v1``: written with the end itself, once, with nothing about a person."""

import pytest

from orchestrator.engine.journey import Done, End, Local, Wait
from orchestrator.runtime.endings import EndsTold
from orchestrator.services.run_operations import RunOperations
from orchestrator.store.operations import RunActTable
from schemas.errors import PartnerRejectedError
from schemas.events.sent.run import RunEnded
from tests.fakes.running import LONG, Ground, Killed, call, choose, journey, raising

pytestmark = pytest.mark.postgres
NAME = "Fictive"


class Map:
    def territory_of(self, commune):
        return {"13055": "marseille"}.get(commune)


@pytest.fixture
def ground(database, vault, hub_keys):
    made = Ground(database, vault, hub_keys)
    made.ends_told = EndsTold(Map())
    return made


def told(ground):
    rows = ground.database.all("SELECT key, payload FROM outbox WHERE topic = 'run.ended.v1'")
    assert all(RunEnded().validate(row["payload"]["data"]) == {} for row in rows)
    return [(row["key"], row["payload"]["data"]) for row in rows]


def only_wakes(ground):
    """Serve the wakes and leave the bus alone."""
    executor = ground.executor()
    while row := ground.one(
        "DELETE FROM outbox WHERE id = (SELECT min(id) FROM outbox WHERE topic = 'wake') RETURNING key"
    ):
        executor.execute(row["key"], redelivered=False)


def start(ground, *steps, **members):
    made = ground.knows(journey(*steps, **members))
    run_id = ground.arrive(made, commune="13055", person={"family_name": NAME})
    only_wakes(ground)
    return run_id


def test_an_end_is_told_once_with_where_it_was_and_with_no_person(ground):
    run_id = start(ground, choose(), call("first"))
    assert told(ground) == [
        (
            run_id,
            {
                "run_id": str(run_id),
                "journey": "test.journey",
                "outcome": "done",
                "service": "lib",
                "territory": "marseille",
            },
        )
    ]
    assert NAME not in str(told(ground))
    ground.wake(run_id)
    only_wakes(ground)
    assert len(told(ground)) == 1


def test_the_outcome_is_the_journeys_own_word_or_the_status(ground):
    start(ground, Local("look", lambda _c: End("out_of_territory")))
    start(ground, choose(), Local("look", lambda _c: Done()))
    assert [data["outcome"] for _, data in told(ground)] == ["out_of_territory", "done"]
    assert "service" not in told(ground)[0][1]


def test_a_run_that_waits_or_is_put_aside_has_not_ended(ground):
    ground.partner.before["first"] = [raising(PartnerRejectedError("ils", "first", "refused"))]
    start(ground, choose(), call("first"))
    start(ground, Wait("go", timeout=LONG, otherwise=End("expired")))
    assert told(ground) == []


def test_what_was_taken_back_is_told_when_the_last_undo_is_done(ground):
    run_id = start(ground, choose(), call("first"), Wait("go", timeout=LONG, otherwise=End("late")))
    ground.runs.cancel(run_id, actor="cli:ana")
    assert told(ground) == []
    only_wakes(ground)
    assert [data["outcome"] for _, data in told(ground)] == ["cancelled"]


def test_a_kill_around_the_end_tells_it_once(ground):
    def kill(point):
        if point == "worker.after_commit":
            ground.fault = lambda _point: None
            raise Killed

    ground.fault = kill
    made = ground.knows(journey(Local("look", lambda _c: Done())))
    run_id = ground.arrive(made)
    with pytest.raises(Killed):
        only_wakes(ground)
    ground.wake(run_id)
    only_wakes(ground)
    assert len(told(ground)) == 1


def test_what_a_person_ends_is_told_too(ground):
    ground.partner.before["first"] = [raising(PartnerRejectedError("ils", "first", "refused"))]
    run_id = start(ground, call("first"), name="test.alone")
    acts = RunOperations(
        rows=RunActTable(ground.database, ground.vault, ground.notifier),
        cancels=ground.runs,
        versions=lambda: ground.journeys,
    )
    ground.database.run("UPDATE run SET status = 'stuck', error_code = 'rejected'")
    acts.discard(run_id, actor="cli:ana", reason="doublon")
    only_wakes(ground)
    (only,) = told(ground)
    assert only[0] == run_id
    assert only[1]["outcome"] == "rejected"
