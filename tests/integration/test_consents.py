from datetime import timedelta
from uuid import uuid4

import gevent
import pytest

from orchestrator.services.consents import Consents
from orchestrator.store.committer import Committer
from orchestrator.store.consent import ConsentReader
from schemas import clock, ids

pytestmark = pytest.mark.postgres
CODE, NEWS = "access_code.delivery", "library.news"


@pytest.fixture
def gate(database):
    return Consents(book=ConsentReader(Committer(database)))


def person(database, *, age_band=None):
    citizen_id, subject_ref = ids.uuid7(), ids.new_pseudonym()
    database.run("INSERT INTO citizen(id, age_band) VALUES (%s, %s)", (citizen_id, age_band))
    database.run(
        "INSERT INTO pseudonym(citizen_id, service, pseudonym) VALUES (%s, 'journal', %s)",
        (citizen_id, subject_ref),
    )
    return citizen_id, subject_ref


def told(database, subject_ref, event, *, minutes, purpose=CODE, channel="sms"):
    record_id = uuid4()
    database.run(
        "INSERT INTO consent_record(record_id, subject_ref, controller, purposes, channel,"
        " recipients, notice_version, notice_sha256, locale, ui_evidence, collected_by,"
        " event_type, event_time) VALUES (%s, %s, 'ville', %s, %s, '{}', 'v', 'x', 'fr',"
        " '{}', 'test', %s, %s)",
        (
            record_id,
            subject_ref,
            [purpose],
            channel,
            event,
            clock.utcnow() + timedelta(minutes=minutes),
        ),
    )
    return record_id


def test_the_last_event_decides_and_the_refusal_wins_a_tie(gate, database):
    citizen_id, subject_ref = person(database)
    first = told(database, subject_ref, "given", minutes=-9)
    assert gate.basis(citizen_id, CODE, "sms").record_id == first
    told(database, subject_ref, "withdrawn", minutes=-8)
    assert gate.basis(citizen_id, CODE, "sms") is None
    again = told(database, subject_ref, "renewed", minutes=-7)
    assert gate.basis(citizen_id, CODE, "sms").record_id == again
    for event in ("given", "refused"):
        told(database, subject_ref, event, minutes=-6)
    assert gate.basis(citizen_id, CODE, "sms") is None


def test_what_is_for_another_purpose_or_channel_or_to_come_allows_nothing(gate, database):
    citizen_id, subject_ref = person(database)
    told(database, subject_ref, "given", minutes=-9, purpose=NEWS)
    told(database, subject_ref, "given", minutes=-9, channel="email")
    told(database, subject_ref, "given", minutes=9)
    assert gate.basis(citizen_id, CODE, "sms") is None


def test_nobody_and_people_who_never_said_anything_have_no_basis(gate, database):
    citizen_id, _ = person(database)
    assert gate.basis(None, CODE, "sms") is None
    assert gate.basis(citizen_id, CODE, "sms") is None
    assert gate.basis(uuid4(), CODE, "sms") is None


def test_under_fifteen_a_parent_must_agree(gate, database):
    citizen_id, subject_ref = person(database, age_band="under_15")
    told(database, subject_ref, "given", minutes=-9)
    assert gate.basis(citizen_id, CODE, "sms") is None
    database.run("UPDATE consent_record SET parental_ref = %s", (uuid4(),))
    assert gate.basis(citizen_id, CODE, "sms") is not None


def test_people_asked_about_in_one_statement_get_each_their_own_answer(gate, database):
    expected = {}
    for number in range(40):
        citizen_id, subject_ref = person(database)
        expected[citizen_id] = None
        if number % 2:
            expected[citizen_id] = told(database, subject_ref, "given", minutes=-number)
    asked = {
        citizen_id: gevent.spawn(gate.basis, citizen_id, CODE, "sms") for citizen_id in expected
    }
    gevent.joinall(asked.values(), raise_error=True)
    found = {citizen_id: greenlet.value for citizen_id, greenlet in asked.items()}
    assert {key: value and value.record_id for key, value in found.items()} == expected
