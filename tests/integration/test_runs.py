from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from orchestrator.engine import effects as e
from orchestrator.engine.runs import Park, Transition
from orchestrator.services.ports.intake import Arrival, RunStart
from orchestrator.store.committer import Committer
from orchestrator.store.intake import PostgresInbox
from orchestrator.store.notifier import Notifier
from orchestrator.store.runs import RunStore
from schemas import clock, ids
from schemas.errors import EventIdReusedError
from schemas.messages import Message
from schemas.receipts import Exchange

pytestmark = pytest.mark.postgres


@pytest.fixture
def committer(database):
    return Committer(database)


@pytest.fixture
def inbox(database, committer, vault):
    return PostgresInbox(database, committer, vault, Notifier(database))


@pytest.fixture
def runs(database, committer, vault):
    return RunStore(database, committer, vault, Notifier(database))


def arrival(event_id="e1", subject="s1", body=b"one", journey="library.arrival"):
    message = Message(
        type="lease.signed.v1", source="/partners/agence", id=event_id, subject=subject, data={}
    )
    starts = RunStart(
        journey=journey, version=1, key=f"/partners/agence {subject}", data={"commune": "84129"}
    )
    return Arrival(message=message, body=body, body_digest=body, headers={}, starts=starts)


def only_run(database):
    return database.one("SELECT id FROM run")["id"]


def move(run, **changes):
    now = clock.utcnow()
    values = {"run_id": run.id, "fence": run.fence, "step": 1, "to": "ready", "name": "announce"}
    values |= {"attempt": 1, "outcome": "ok", "started_at": now, "ended_at": now}
    return Transition(**(values | changes))


def test_an_accepted_event_is_a_message_a_run_and_a_wake_at_once(inbox, runs, database):
    accepted = inbox.accept(arrival())
    run, key = runs.read(only_run(database))
    assert accepted.status == "accepted"
    assert run.start.data == {"commune": "84129"}
    assert run.start.source == "/partners/agence"
    assert key is not None
    assert database.one("SELECT count(*) AS n FROM outbox WHERE topic = 'wake'")["n"] == 1


def test_the_same_event_again_gets_the_same_answer_and_changes_nothing(inbox, database):
    first, second = inbox.accept(arrival()), inbox.accept(arrival())
    assert (second.status, second.message_id) == ("duplicate", first.message_id)
    assert database.one("SELECT count(*) AS n FROM message")["n"] == 1


def test_the_same_id_with_another_body_is_refused(inbox, database):
    inbox.accept(arrival())
    with pytest.raises(EventIdReusedError):
        inbox.accept(arrival(body=b"two"))
    assert database.one("SELECT count(*) AS n FROM message")["n"] == 1


def test_a_second_event_about_the_same_subject_joins_the_run_as_a_signal(inbox, runs, database):
    inbox.accept(arrival())
    assert inbox.accept(arrival(event_id="e2", body=b"two")).status == "accepted"
    run, _ = runs.read(only_run(database))
    assert [signal.name for signal in run.pending] == ["lease.signed.v1"]
    assert run.signals == 1


def test_a_transition_logs_the_step_and_its_effects_together(inbox, runs, database):
    inbox.accept(arrival())
    run, key = runs.read(only_run(database))
    citizen, now = ids.uuid7(), clock.utcnow()
    made = (
        e.CitizenAnnounced(id=citizen, language="fr", age_band=None),
        e.DataKeyGiven(id=key.id, citizen_id=citizen),
        e.PseudonymGiven(citizen_id=citizen, service="journal", pseudonym=ids.new_pseudonym()),
        e.PreregistrationStaged(
            id=(prereg := ids.uuid7()),
            source="/partners/agence",
            subject="s1",
            citizen_id=citizen,
            our_ref=ids.new_reference(),
            expires_at=now + timedelta(days=90),
        ),
        e.ConsentRecorded(
            record_id=ids.uuid7(),
            subject_ref="x",
            controller="ville",
            purposes=("library.preregistration", "access_code.delivery"),
            channel="sms",
            recipients=("lib_sorgues",),
            notice_version="2026-1",
            notice_sha256="0" * 64,
            locale="fr",
            ui_evidence={"method": "form"},
            collected_by="/partners/agence",
            event_type="given",
            event_time=now,
        ),
        e.InterestKept(citizen_id=citizen, theme="bd"),
        e.AccessCodeIssued(id=ids.uuid7(), preregistration_id=prereg, digest=b"d", expires_at=now),
        e.NotificationSent(
            id=ids.uuid7(),
            citizen_id=citizen,
            template="library.code",
            language="fr",
            channel="sms",
            purpose="access_code.delivery",
            basis_record=None,
            profile="sms",
            provider_ref="1",
            segments=1,
        ),
        e.ExchangeMade(
            step="announce",
            exchange=Exchange(
                profile="koha",
                operation="preregister",
                address="POST 127.0.0.1/x",
                asked_at=now,
                ended_at=now,
                outcome="ok",
                request={"surname": "Invented"},
            ),
        ),
    )
    moved = runs.transit(
        move(run, output={"a": 1}, effects=made, citizen_id=citizen), seq=1, key=key, worker="w"
    )
    assert (moved.fence, moved.status) == (run.fence + 1, "ready")
    after, _ = runs.read(run.id)
    assert after.outputs() == {"announce": {"a": 1}}
    assert after.citizen_id == citizen
    assert database.one("SELECT purposes FROM consent_record")["purposes"] == [
        "library.preregistration",
        "access_code.delivery",
    ]
    assert database.one("SELECT status, run_id FROM notification")["status"] == "sent"
    assert database.one("SELECT request FROM exchange")["request"] is not None
    assert database.one("SELECT citizen_id FROM data_key")["citizen_id"] == citizen


def test_a_fenced_off_worker_changes_nothing(inbox, runs, database):
    inbox.accept(arrival())
    run, key = runs.read(only_run(database))
    late = move(run, effects=(e.InterestKept(citizen_id=ids.uuid7(), theme="bd"),))
    assert runs.transit(move(run), seq=1, key=key, worker="w")
    assert runs.transit(late, seq=1, key=key, worker="w") is None
    assert database.one("SELECT count(*) AS n FROM interest")["n"] == 0
    assert database.one("SELECT count(*) AS n FROM step")["n"] == 1


def test_a_signal_between_the_look_and_the_park_is_not_lost(inbox, runs, database):
    inbox.accept(arrival())
    run, _ = runs.read(only_run(database))
    runs.signal(run.id, "access_code.redeemed", dedup="c1")
    parked = Park(
        run_id=run.id,
        fence=run.fence,
        signals=run.signals,
        to="waiting_signal",
        waiting_for="access_code.redeemed",
        wake_at=None,
    )
    assert not runs.park(parked)


def test_a_signal_wakes_the_run_that_waits_for_it_once(inbox, runs, database):
    inbox.accept(arrival())
    run, _ = runs.read(only_run(database))
    database.run("DELETE FROM outbox")
    parked = Park(
        run_id=run.id,
        fence=run.fence,
        signals=0,
        to="waiting_signal",
        waiting_for="access_code.redeemed",
        wake_at=None,
    )
    assert runs.park(parked)
    runs.signal(run.id, "other", dedup="c0")
    assert database.one("SELECT count(*) AS n FROM outbox")["n"] == 0
    runs.signal(run.id, "access_code.redeemed", dedup="c1")
    runs.signal(run.id, "access_code.redeemed", dedup="c1")
    assert database.one("SELECT count(*) AS n FROM outbox")["n"] == 1
    after, _ = runs.read(run.id)
    assert (after.status, len(after.pending)) == ("ready", 2)


def test_one_bad_row_of_a_batch_harms_nobody_else(database, committer):
    class Inserts:
        def write(self, connection, rows):
            connection.execute(
                "INSERT INTO territory(id, communes) SELECT x, '{}' FROM unnest(%s::text[]) AS x",
                (list(rows),),
            )
            return list(rows)

    import gevent

    batch = Inserts()
    jobs = [gevent.spawn(committer.put, batch, name) for name in ("a", "b", "a", "c")]
    gevent.joinall(jobs)
    failed = [job for job in jobs if job.exception is not None]
    assert len(failed) == 1
    assert isinstance(failed[0].exception, psycopg.errors.UniqueViolation)
    assert {row["id"] for row in database.all("SELECT id FROM territory")} == {"a", "b", "c"}


def test_due_runs_are_woken_and_late_ones_taken_over(inbox, runs, database):
    inbox.accept(arrival())
    run, key = runs.read(only_run(database))
    past = clock.utcnow() - timedelta(seconds=1)
    runs.transit(
        move(run, to="waiting_timer", wake_at=past, outcome="error"), seq=1, key=key, worker="w"
    )
    assert runs.wake_due() == 1
    assert runs.read(run.id)[0].status == "ready"
    database.run("UPDATE run SET lease_until = parvis_now() - interval '1 s'")
    assert runs.sweep_late() == 1
    assert runs.read(run.id)[0].recoveries == 1


def test_a_run_that_a_person_asked_for_is_theirs_from_the_start(inbox, runs, database):
    asked, person = arrival(), ids.uuid7()
    inbox.accept(replace(asked, starts=replace(asked.starts, citizen_id=person)))
    assert runs.read(only_run(database))[0].citizen_id == person
