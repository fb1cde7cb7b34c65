"""What is kept of people: nothing without a proof, and of scans only a count."""

import base64
import json

import pytest

from schemas import ids
from tests.fakes.partner import (
    CONTACT,
    PERSON,
    arrival,
    event,
    proof,
)

# --- nothing of a person without a proof ---------------------------------------------------------


def test_a_name_and_a_contact_with_proof_are_kept(hub):
    hub.post(arrival(person=PERSON, contact=CONTACT, consent=proof()))
    assert hub.inbox.only.message.data["person"] == PERSON
    assert hub.inbox.only.starts.data["contact"] == CONTACT
    assert not hub.inbox.counts


@pytest.mark.parametrize(
    "consent",
    [
        None,
        proof(notice_sha256="b2" * 32),
        proof(notice_version="1999-01"),
        proof(locale="en"),
        proof("library.news"),
        proof(collected_at="2999-01-01T00:00:00Z"),
    ],
)
def test_without_a_valid_proof_nothing_of_the_person_is_kept_anywhere(hub, consent):
    members = {"consent": consent} if consent else {}
    answer = hub.post(arrival(person=PERSON, contact=CONTACT, **members))
    assert answer.json["results"][0]["status"] == "accepted"
    kept = hub.inbox.only
    for stored in (
        kept.body.decode(),
        str(kept.message.data),
        str(kept.starts.data),
        str(kept.headers),
    ):
        assert "Camille" not in stored
        assert "3998" not in stored
    assert hub.inbox.counts["volt_provence", "minimised"] == 1


def test_a_proof_for_the_code_alone_keeps_the_contact_and_drops_the_name(hub):
    consent = proof("access_code.delivery")
    hub.post(arrival(person=PERSON, contact=CONTACT, consent=consent))
    assert "person" not in hub.inbox.only.starts.data
    assert hub.inbox.only.starts.data["contact"] == CONTACT


def test_a_minimised_event_sent_again_is_a_duplicate(hub):
    sent = arrival(person=PERSON)
    hub.post(sent)
    assert hub.post(sent).json["results"][0]["status"] == "duplicate"
    assert hub.post(sent | {"data": {"commune": "13055"}}).slug == "event-id-reused"


def test_a_location_is_rounded_before_it_is_kept(hub):
    hub.post(arrival(location={"lat": 43.2965432, "lon": 5.3698765}))
    assert b"43.2965" not in hub.inbox.only.body
    assert hub.inbox.only.starts.data["location"] == {"lat": 43.297, "lon": 5.37}


def test_a_district_becomes_its_commune(hub):
    hub.post(arrival(commune="13201"))
    assert hub.inbox.only.starts.data["commune"] == "13055"


def test_data_in_base64_is_minimised_like_any_other(hub):
    data = base64.b64encode(json.dumps({"commune": "13055", "person": PERSON}).encode()).decode()
    answer = hub.post(event(data=None, data_base64=data))
    assert answer.status == 202
    assert b"Camille" not in hub.inbox.only.body
    assert b"data_base64" not in hub.inbox.only.body


# --- scans ---------------------------------------------------------------------------------------


def test_a_scan_is_counted_once_and_leaves_nothing_but_its_id(hub):
    sent = event(type="poster.scanned.v1", subject=None, data={"placement": "AB12CD34"})
    hub.post(sent)
    hub.post(sent)
    assert hub.scans.totals == {"AB12CD34": 1}
    assert (hub.inbox.only.starts, hub.inbox.only.body) == (None, b"")


def test_a_scan_of_an_unknown_poster_gets_the_same_answer_and_counts_nothing(hub):
    sent = event(type="poster.scanned.v1", subject=None, data={"placement": "ZZ99ZZ99"})
    assert hub.post(sent).status == 202
    assert not hub.scans.totals


def test_a_scan_points_at_nobody(hub):
    sent = event(type="poster.scanned.v1", data={"placement": "AB12CD34"})
    assert hub.post(sent).pointers == ["#/subject"]


def test_figures_tell_partner_type_and_result(hub):
    hub.post(event())
    hub.post(event(type="lease.dreamt.v1"))
    assert hub.meter.seen == {
        ("volt_provence", "utility.contract_opened.v1", "accepted"): 1,
        ("volt_provence", "unknown", "rejected"): 1,
    }


def test_ids_of_requests_differ(hub):
    assert hub.post(event())["Parvis-Request-Id"] != hub.post(event())["Parvis-Request-Id"]
    assert ids.uuid7() != ids.uuid7()
