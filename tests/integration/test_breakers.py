from datetime import timedelta

import pytest

from orchestrator.broker.publisher import addressed
from orchestrator.broker.topology import EVENT_EXCHANGE
from orchestrator.engine.breaker import STEADY, Cause, State
from orchestrator.services.ports.breakers import Pausing
from orchestrator.store.breakers import CHANGED, BreakerStore
from orchestrator.store.figures import FigureRows
from orchestrator.store.outbox import Outbox
from orchestrator.store.waiting import WaitingRuns
from schemas import clock, events, ids
from schemas.cloudevents import read_event, read_json

pytestmark = pytest.mark.postgres
SHORT = timedelta(seconds=5)


@pytest.fixture
def store(database):
    database.run("INSERT INTO profile(id, connector, settings) VALUES ('ils', 'koha', '{}')")
    return BreakerStore(database)


def fail(store, cause=Cause.OUTAGE, wait=SHORT):
    return store.open("ils", cause=cause, reason="preregister: X", wait=wait, version="1")


def told(database):
    rows = database.all("SELECT event_id, topic, payload FROM outbox ORDER BY id")
    return [row["payload"]["data"]["state"] for row in rows if row["topic"] == CHANGED]


def the(store):
    (row,) = store.rows()
    return row


def test_a_system_nobody_ever_had_trouble_with_is_closed_and_has_no_row(store, database):
    assert store.standing("ils").state is State.CLOSED
    assert (the(store).state, the(store).is_awaited) == (State.CLOSED, False)
    assert database.all("SELECT profile FROM breaker") == []


def test_an_opening_is_written_once_by_whoever_comes_first_and_seen_by_all(store, database):
    other = BreakerStore(database)
    assert [fail(store), fail(other), fail(store)] == [True, False, False]
    for each in (store, other):
        assert each.standing("ils").state is State.OPEN
    assert told(database) == ["open"]
    assert FigureRows(database).figures().circuits == {"ils": "open"}


def test_another_process_sees_a_change_within_a_second(store, database):
    other = BreakerStore(database)
    assert other.standing("ils").state is State.CLOSED
    fail(store)
    other._snapshot._held = (other._snapshot._held[0] - 1.0, other._snapshot._held[1])
    assert other.standing("ils").state is State.OPEN


def test_reading_the_breakers_many_times_asks_the_database_once(store, database):
    asked = []
    real = database.all
    database.all = lambda *arguments: asked.append(1) or real(*arguments)
    for _ in range(500):
        store.standing("ils")
    assert len(asked) == 1


def test_the_way_from_open_to_closed_is_told_on_the_bus_in_the_agreed_form(store, database):
    fail(store)
    assert store.half_open("ils", wait=SHORT)
    assert store.close("ils")
    assert told(database) == ["open", "half_open", "closed"]
    outbox = Outbox(database)
    assert outbox.acquire()
    for row in outbox.read(10, resting=()):
        exchange, key, media_type, body = addressed(row)
        event = read_event(read_json(body), clock.utcnow())
        assert (exchange, key) == (EVENT_EXCHANGE, CHANGED)
        assert media_type == "application/cloudevents+json"
        assert (event.type, event.source) == (CHANGED, "/hub")
        events.validate_sent(CHANGED, event.data)
    outbox.close()


def test_a_change_that_another_process_made_already_changes_and_tells_nothing(store, database):
    fail(store)
    store.half_open("ils", wait=SHORT)
    assert not store.half_open("ils", wait=SHORT)
    assert not store.close("ils", after=(State.OPEN,))
    store.close("ils")
    assert not store.close("ils")
    assert not store.reopen("ils", reason="x", pace=STEADY)
    assert told(database) == ["open", "half_open", "closed"]


def test_a_half_open_breaker_has_one_trial_at_a_time_and_its_failure_opens_it_again(
    store, database
):
    other = BreakerStore(database)
    fail(store)
    opened_at = the(store).opened_at
    store.half_open("ils", wait=SHORT)
    assert store.try_out("ils", lasts=SHORT)
    assert not other.try_out("ils", lasts=SHORT)
    assert store.standing("ils").is_being_tried(clock.utcnow())
    assert store.reopen("ils", reason="preregister: Y", pace=STEADY)
    row = the(store)
    assert (row.state, row.cause, row.trial_until) == (State.OPEN, Cause.OUTAGE, None)
    assert row.opened_at == opened_at
    assert told(database) == ["open", "half_open", "open"]


def test_a_trial_whose_process_died_is_given_to_another_in_time(store):
    fail(store)
    store.half_open("ils", wait=SHORT)
    assert store.try_out("ils", lasts=timedelta(seconds=-1))
    assert store.try_out("ils", lasts=SHORT)


def test_failed_trials_slow_the_probes_down_to_half_a_minute(store, database):
    fail(store)
    waits = []
    for _ in range(5):
        store.claim_probe("ils", state=State.OPEN, wait=SHORT)
        store.half_open("ils", wait=SHORT)
        store.reopen("ils", reason="x", pace=STEADY)
        waits.append(round((the(store).next_probe_at - clock.utcnow()).total_seconds()))
    assert waits == [10, 20, 30, 30, 30]


def test_refused_access_found_during_an_outage_takes_over_but_never_the_other_way(store, database):
    fail(store)
    assert fail(store, Cause.ACCESS, wait=timedelta(minutes=15))
    assert not fail(store, Cause.OUTAGE)
    row = the(store)
    assert (row.cause, row.version) == (Cause.ACCESS, "1")
    assert row.next_probe_at - clock.utcnow() > timedelta(minutes=14)
    assert told(database) == ["open"]


def test_refused_access_on_trial_opens_a_half_open_breaker_for_that(store, database):
    fail(store)
    store.half_open("ils", wait=SHORT)
    assert not fail(store, Cause.OUTAGE)
    assert fail(store, Cause.ACCESS)
    assert the(store).cause is Cause.ACCESS
    assert told(database) == ["open", "half_open", "open"]


def test_a_pause_by_hand_holds_until_its_end_whatever_calls_say(store, database):
    until = clock.utcnow() + timedelta(hours=24)
    store.pause(Pausing(profile="ils", reason="travaux", actor="cli:root", until=until))
    assert not fail(store)
    assert not fail(store, Cause.ACCESS)
    row = the(store)
    assert (row.cause, row.reason, row.actor) == (Cause.HAND, "travaux", "cli:root")
    assert row.next_probe_at == until
    assert told(database) == ["open"]


def test_a_pause_by_hand_of_an_open_breaker_is_no_change_of_state(store, database):
    fail(store)
    until = clock.utcnow() + timedelta(hours=1)
    store.pause(Pausing(profile="ils", reason="travaux", actor="cli:root", until=until))
    assert the(store).cause is Cause.HAND
    assert told(database) == ["open"]


def test_a_probe_that_was_under_way_does_not_end_a_pause_by_hand(store, database):
    fail(store)
    until = clock.utcnow() + timedelta(hours=1)
    store.pause(Pausing(profile="ils", reason="travaux", actor="cli:root", until=until))
    assert not store.half_open("ils", wait=SHORT)
    assert not store.close("ils", after=(State.OPEN,))
    assert not store.claim_probe("ils", state=State.OPEN, wait=SHORT)
    assert told(database) == ["open"]


def test_a_pause_by_hand_whose_end_has_come_is_an_outage_until_the_probe_answers(store):
    past = clock.utcnow() - timedelta(seconds=1)
    store.pause(Pausing(profile="ils", reason="travaux", actor="cli:root", until=past))
    assert store.claim_probe("ils", state=State.OPEN, wait=SHORT)
    assert (the(store).cause, the(store).reason) == (Cause.OUTAGE, None)
    assert store.close("ils", after=(State.OPEN,))


def test_a_resumed_system_is_tried_at_once(store):
    assert not store.resume("ils", actor="cli:root")
    until = clock.utcnow() + timedelta(hours=1)
    store.pause(Pausing(profile="ils", reason="travaux", actor="cli:root", until=until))
    assert store.resume("ils", actor="cli:root")
    assert the(store).next_probe_at <= clock.utcnow() + timedelta(seconds=1)
    assert store.half_open("ils", wait=SHORT)
    assert (the(store).cause, the(store).reason) == (Cause.OUTAGE, None)


def test_a_wish_to_slow_down_is_written_once_for_all_who_heard_it(store, database):
    writes = []
    real = database.run
    database.run = lambda *arguments: writes.append(1) or real(*arguments)
    for _ in range(20):
        store.slow_down("ils", wait=timedelta(seconds=30))
    assert len(writes) == 1
    other = BreakerStore(database)
    assert other.standing("ils").is_slowed(clock.utcnow())
    assert other.standing("ils").state is State.CLOSED
    store.slow_down("ils", wait=timedelta(seconds=10))
    assert the(store).slow_until - clock.utcnow() > timedelta(seconds=25)
    assert told(database) == []


def wait_for(database, system, *, at, status="waiting_timer"):
    run_id = ids.uuid7()
    database.run(
        "INSERT INTO run(id, journey, version, key, status, waiting_for, wake_at, created_at) VALUES"
        " (%s, 'j', 1, %s, %s, %s, parvis_now() + interval '1 h',"
        "  parvis_now() + make_interval(secs => %s))",
        (run_id, str(run_id), status, system, at),
    )
    return run_id


def test_waiting_runs_are_woken_the_oldest_first_undos_among_them(store, database):
    late = wait_for(database, "system:ils", at=3)
    undo = wait_for(database, "system:ils", at=2, status="compensating")
    first = wait_for(database, "system:ils", at=1)
    other = wait_for(database, "system:sms", at=0)
    poked = []
    runs = WaitingRuns(database, lambda: poked.append(1))
    assert the(store).is_awaited
    assert runs.wake("ils", most=2) == 2
    assert [row["key"] for row in database.all("SELECT key FROM outbox ORDER BY id")] == [
        first,
        undo,
    ]
    states = {row["id"]: row["status"] for row in database.all("SELECT id, status FROM run")}
    assert states == {
        first: "ready",
        undo: "compensating",
        late: "waiting_timer",
        other: "waiting_timer",
    }
    assert runs.wake("ils", most=10) == 1
    assert runs.wake("ils", most=10) == 0
    assert len(poked) == 2
    assert not the(store).is_awaited
