import dataclasses

import pytest

from orchestrator.engine.journey import Done, Journey, Local
from schemas import clock
from schemas.errors import InvalidPayloadError, StoreUnavailableError, UnknownMessageTypeError
from schemas.messages import Message
from tests.fakes.partner import CONTACT, PERSON, Hub, event, proof, volt


@pytest.fixture
def hub():
    return Hub()


def own(kind="poster.registration_requested.v1", **changes):
    data = {"commune": "13055", "placement": "AB12CD34", "language": "fr"}
    values = {"type": kind, "source": "/hub/citizen", "id": "s1", "subject": "s1", "data": data}
    return Message(**(values | changes))


def test_a_message_of_our_own_page_takes_the_same_door(hub):
    accepted = hub.intake.receive_own(own())
    assert accepted.status == "accepted"
    assert hub.inbox.only.starts.journey == "library.arrival"
    assert hub.inbox.only.starts.key == hub.intake.route("lease.signed.v1").key(
        "/hub/citizen", "s1"
    )


def test_our_own_page_needs_a_proof_too(hub):
    data = {"commune": "13055", "placement": "AB12CD34", "person": PERSON, "contact": CONTACT}
    hub.intake.receive_own(own(data=data))
    assert "person" not in hub.inbox.only.message.data
    hub.intake.receive_own(own(id="s2", data=data | {"consent": proof()}))
    (second,) = [
        kept for (_, event_id), (kept, _) in hub.inbox.arrivals.items() if event_id == "s2"
    ]
    assert second.message.data["person"] == PERSON


def test_our_own_page_is_validated(hub):
    with pytest.raises(InvalidPayloadError):
        hub.intake.receive_own(own(data={"commune": "13055"}))


def test_our_own_message_may_come_twice(hub):
    hub.intake.receive_own(own())
    assert hub.intake.receive_own(own()).status == "duplicate"


def test_a_type_of_a_journey_that_no_partner_sends_is_taken_as_it_is(hub):
    known = Journey(
        name="a.b",
        version=3,
        starts_on=("a.asked.v1",),
        key=lambda s, k: s + k,
        steps=(Local("note", lambda context: Done()),),
    )
    intake = dataclasses.replace(hub.intake, route={"a.asked.v1": known}.get)
    intake.receive_own(own("a.asked.v1", data={"signup_id": "x"}))
    assert hub.inbox.only.starts.version == 3
    assert hub.inbox.only.starts.data == {"signup_id": "x"}


def test_a_type_nobody_knows_is_refused_from_our_own_page_too(hub):
    with pytest.raises(UnknownMessageTypeError):
        hub.intake.receive_own(own("a.asked.v1"))


def test_an_event_without_subject_has_a_run_of_its_own(hub):
    first, second = event(subject=None), event(subject=None)
    hub.post(first)
    hub.post(second)
    assert len(hub.inbox.runs) == 2


def test_counters_that_cannot_be_written_change_no_answer(hub):
    def away(_partner, _what):
        raise StoreUnavailableError

    hub.inbox.count = away
    assert hub.post(event(data={"commune": "13055", "person": PERSON})).status == 202


def test_a_batch_keeps_the_order_of_its_events(hub):
    items = [event(subject="one", id=f"e{number}") for number in range(20)]
    hub.post_batch(items)
    assert [event_id for _, event_id in hub.inbox.arrivals] == [item["id"] for item in items]


def test_time_is_not_part_of_our_own_messages_fingerprint(hub):
    hub.intake.receive_own(own(time=clock.utcnow()))
    assert hub.intake.receive_own(own(time=clock.utcnow())).status == "duplicate"


def test_partners_without_the_agreement_keep_the_two_open_types(hub):
    bare = Hub(partners=[volt(allowed_events=frozenset())])
    report = event(type="sdk.reported.v1", subject=None, data={"counters": {}})
    assert bare.post(report).status == 202
    assert bare.post(event()).slug == "type-not-allowed"
