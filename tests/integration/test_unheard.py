"""A message whose key joins a run that hears nothing any more: it gets a run of its own."""

from dataclasses import replace

import pytest

from orchestrator.engine.journey import End, Wait
from orchestrator.services.ports.intake import Arrival, RunStart
from orchestrator.services.run_operations import RunOperations
from orchestrator.store.operations import RunActTable
from orchestrator.store.unheard import Unheard
from schemas.errors import PartnerRejectedError
from schemas.messages import Message
from tests.fakes.running import LONG, Ground, call, choose, journey, raising

pytestmark = pytest.mark.postgres
KEY = "/partners/p s1"
ACTOR = "cli:ana"


class Town(Ground):
    """Messages of one subject, and the people who repair what became of them."""

    def __init__(self, *parts):
        super().__init__(*parts)
        self.unheard = Unheard(
            self.database,
            self.vault,
            newest=lambda name: self.journeys.get((name, 1)),
            poke=lambda: None,
        )
        self.acts = RunOperations(
            rows=RunActTable(self.database, self.vault, self.notifier),
            cancels=self.runs,
            versions=lambda: self.journeys,
        )
        wait = Wait("t.v1", timeout=LONG, otherwise=End("expired"))
        self.told = self.knows(replace(journey(choose(), call("first"), wait), starts_on=("t.v1",)))

    def send(self, event, **data):
        body = b'{"data": {"n": "%b"}}' % event.encode()
        message = Message(type="t.v1", source="/partners/p", id=event, subject="s1", data=data)
        starts = RunStart(journey="test.journey", version=1, key=KEY, data={"n": event})
        arrival = Arrival(
            message=message, body=body, body_digest=event.encode(), headers={}, starts=starts
        )
        assert self.inbox.accept(arrival).status == "accepted"
        return self.run_of(event)

    def run_of(self, event):
        return self.one("SELECT run_id FROM inbox WHERE event_id = %s", event)["run_id"]

    def put_aside(self):
        self.partner.before["first"] = [raising(PartnerRejectedError("ils", "first", "refused"))]
        run_id = self.send("e1")
        self.go()
        assert self.state(run_id) == ("stuck", "rejected")
        return run_id


@pytest.fixture
def town(database, vault, hub_keys):
    return Town(database, vault, hub_keys)


def test_what_joined_a_run_put_aside_waits_with_it_and_begins_anew_when_it_is_put_away(town):
    run_id = town.put_aside()
    assert town.send("e2") == run_id
    assert town.unheard.take_up() == 0
    assert town.unheard.waiting(run_id) == 1
    town.acts.discard(run_id, actor=ACTOR, reason="doublon")
    town.go()
    assert town.unheard.take_up() == 1
    second = town.run_of("e2")
    assert second != run_id
    assert town.run(second).start.data == {"n": "e2"}
    town.go()
    assert town.run(second).status == "waiting_signal"
    assert (town.unheard.take_up(), town.unheard.waiting(run_id)) == (0, 0)
    assert town.partner.keys("first")[-1] == f"{second}:first"


def test_the_oldest_begins_and_the_others_join_it(town):
    run_id = town.put_aside()
    for event in ("e2", "e3", "e4"):
        town.send(event)
    town.acts.discard(run_id, actor=ACTOR, reason="doublon")
    town.go()
    assert town.unheard.take_up() == 3
    assert len({town.run_of(event) for event in ("e2", "e3", "e4")}) == 1
    town.go()
    second = town.run_of("e2")
    assert town.state(second) == ("done", None)  # the next message is what it waited for
    assert town.one("SELECT count(*) AS n FROM run")["n"] == 2


def test_a_run_that_is_retried_hears_what_came_meanwhile(town):
    run_id = town.put_aside()
    town.send("e2")
    town.acts.retry(run_id, actor=ACTOR)
    town.go()
    assert town.state(run_id) == ("done", None)
    assert town.unheard.take_up() == 0
    assert town.one("SELECT count(*) AS n FROM run")["n"] == 1


def test_what_joined_a_run_that_goes_back_begins_when_it_has_gone(town):
    run_id = town.send("e1")
    town.go()
    town.runs.cancel(run_id, actor=ACTOR)
    assert town.send("e2") == run_id
    assert town.unheard.take_up() == 0
    town.go()
    assert town.state(run_id) == ("cancelled", None)
    assert town.unheard.take_up() == 1
    town.go()
    assert town.run(town.run_of("e2")).status == "waiting_signal"


def test_a_restart_takes_them_along(town):
    run_id = town.put_aside()
    town.send("e2")
    second = town.acts.restart(run_id, actor=ACTOR).new_run_id
    assert town.unheard.take_up() == 1
    assert town.run_of("e2") == second
    town.go()
    assert town.state(second) == ("done", None)


def test_a_message_that_was_erased_meanwhile_begins_nothing(town):
    run_id = town.put_aside()
    town.send("e2")
    town.database.run(
        "DELETE FROM data_key WHERE id = (SELECT data_key_id FROM message WHERE event_id = 'e2')"
    )
    town.acts.discard(run_id, actor=ACTOR, reason="doublon")
    town.go()
    assert town.unheard.take_up() == 0
    assert town.one("SELECT count(*) AS n FROM run")["n"] == 1
    assert town.unheard.waiting(run_id) == 0


def test_what_joined_a_healthy_run_stays_with_it_however_it_ends(town):
    run_id = town.send("e1")
    town.database.run("DELETE FROM outbox")
    assert town.send("e2") == run_id
    town.acts.cancel(run_id, actor=ACTOR)
    town.wake(run_id)
    town.go()
    assert town.run(run_id).status == "cancelled"
    assert town.unheard.take_up() == 0
