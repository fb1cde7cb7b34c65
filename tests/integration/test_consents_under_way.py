"""Consents that change while a run is under way: read once, and again whenever one changed."""

import pytest

from orchestrator.services.consents import Consents
from orchestrator.store.committer import Committer
from orchestrator.store.consent import ConsentReader
from tests.fakes.running import PURPOSE, Ground, call, choose, journey
from tests.integration.test_consents import person, told

pytestmark = pytest.mark.postgres


class Book:
    """The real records, and how often they were read."""

    def __init__(self, database):
        self._reader, self.reads = ConsentReader(Committer(database)), 0

    def told(self, citizen_id, purpose):
        self.reads += 1
        return self._reader.told(citizen_id, purpose)


@pytest.fixture
def ground(database, vault, hub_keys):
    made = Ground(database, vault, hub_keys)
    made.book = Book(database)
    made.gate = Consents(book=made.book)
    return made


@pytest.fixture
def agreed(ground):
    """A person who agreed, and a run of theirs that is about to be served."""
    citizen_id, subject_ref = person(ground.database)
    told(ground.database, subject_ref, "given", minutes=-9, purpose=PURPOSE)
    made = ground.knows(journey(choose(), call("first"), call("second"), call("third")))
    run_id = ground.arrive(made)
    ground.database.run("UPDATE run SET citizen_id = %s WHERE id = %s", (citizen_id, run_id))
    return run_id, subject_ref


def says(ground, subject_ref, event, *, minutes):
    return lambda _command: told(
        ground.database, subject_ref, event, minutes=minutes, purpose=PURPOSE
    )


def test_what_was_read_serves_the_calls_of_a_run_while_nothing_changes(ground, agreed):
    run_id, _ = agreed
    ground.go()
    assert ground.state(run_id) == ("done", None)
    assert ground.partner.effects.total() == 3
    assert ground.book.reads == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_withdrawal_during_a_call_stops_every_later_one(ground, agreed, moment):
    run_id, subject_ref = agreed
    planned = getattr(ground.partner, moment)
    planned["first"] = [says(ground, subject_ref, "withdrawn", minutes=-1)]
    ground.go()
    assert ground.log(run_id)[1:] == [("first", "ok"), ("second", "skipped"), ("third", "skipped")]
    assert ground.partner.effects == {"first": 1}


def test_a_consent_that_comes_back_is_seen_too(ground, agreed):
    run_id, subject_ref = agreed
    withdraw = says(ground, subject_ref, "withdrawn", minutes=-2)
    renew = says(ground, subject_ref, "renewed", minutes=-1)
    ground.partner.before["first"] = [withdraw]
    ground.partner.after["first"] = [renew]
    ground.go()
    assert ground.log(run_id)[1:] == [("first", "ok"), ("second", "ok"), ("third", "ok")]


def test_somebody_elses_change_makes_nobody_read_again(ground, agreed):
    _, other = person(ground.database)
    ground.partner.before["first"] = [says(ground, other, "withdrawn", minutes=-1)]
    ground.go()
    assert ground.book.reads == 1


def test_every_record_made_changed_or_deleted_counts_as_a_change(database):
    citizen_id, subject_ref = person(database)
    for event in ("given", "withdrawn", "refused"):
        told(database, subject_ref, event, minutes=-1)
    database.run("UPDATE consent_record SET channel = 'email' WHERE event_type = 'given'")
    database.run("DELETE FROM consent_record WHERE event_type = 'refused'")
    row = database.one("SELECT consents FROM citizen WHERE id = %s", (citizen_id,))
    assert row == {"consents": 5}
