import random
import re
from datetime import UTC, datetime

import pytest

from mock_partners.senders import (
    ARRIVALS,
    Notice,
    Sharing,
    arrival,
    cloud_event,
    invent,
    new_event_id,
    proof,
)

chances = random.Random
NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
NOTICE = Notice(version="2026-09-fr", sha256="ab" * 32)
OWN = {
    "utility.contract_opened.v1": {"utility": "electricity", "starts_on": "2026-11-29"},
    "lease.signed.v1": {"starts_on": "2026-11-29", "dwelling": "flat"},
    "student_card.issued.v1": {"institution": "999000111", "valid_until": "2027-11-22"},
    "sport.membership_opened.v1": {"sport": "tennis", "season": "2026-2027"},
}


def announced(event_type, sharing, seed=1):
    return arrival(
        event_type,
        commune="84129",
        newcomer=invent(chances(seed)),
        sharing=sharing,
        happened_at=NOW,
        collected_by="/partners/demo",
    )


@pytest.mark.parametrize("event_type", sorted(ARRIVALS))
def test_the_commune_alone_says_nothing_of_the_person(event_type):
    data = announced(event_type, Sharing(notice=NOTICE))
    assert set(data) == {"commune", "language", "age_band", *OWN[event_type]}
    assert {name: data[name] for name in OWN[event_type]} == OWN[event_type]


def test_a_season_begun_in_spring_is_last_years():
    spring = arrival(
        "sport.membership_opened.v1",
        commune="13055",
        newcomer=invent(chances(1)),
        sharing=Sharing(),
        happened_at=datetime(2027, 3, 1, tzinfo=UTC),
        collected_by="x",
    )
    assert spring["season"] == "2026-2027"


def test_a_name_comes_with_its_proof():
    data = announced("lease.signed.v1", Sharing(person=True, notice=NOTICE))
    assert set(data["person"]) == {"family_name", "given_name"}
    assert "contact" not in data
    assert data["consent"]["purposes"] == ["library.preregistration"]
    assert data["consent"]["channel"] == "none"


@pytest.mark.parametrize(
    ("channel", "pattern"), [("sms", r"\+3363998\d{4}"), ("email", r"[a-z.]+\d+@example\.org")]
)
def test_a_contact_comes_with_its_proof(channel, pattern):
    data = announced("lease.signed.v1", Sharing(channel=channel, notice=NOTICE))
    assert data["contact"]["channel"] == channel
    assert re.fullmatch(pattern, data["contact"]["address"])
    assert data["consent"]["purposes"] == ["access_code.delivery"]
    assert data["consent"]["channel"] == channel


def test_without_a_notice_there_is_no_proof():
    assert "consent" not in announced("lease.signed.v1", Sharing(person=True, channel="sms"))


def test_the_proof_has_the_members_of_the_document():
    found = proof(
        ["library.preregistration"],
        notice=NOTICE,
        channel="sms",
        collected_at=NOW,
        collected_by="/partners/demo",
    )
    assert found == {
        "purposes": ["library.preregistration"],
        "channel": "sms",
        "notice_version": "2026-09-fr",
        "notice_sha256": "ab" * 32,
        "method": "box",
        "collected_at": "2026-11-22T12:30:00.000Z",
        "locale": "fr",
        "collected_by": "/partners/demo",
    }


def test_invented_people_live_in_ranges_reserved_for_fiction():
    people = [invent(chances(seed)) for seed in range(200)]
    assert all(re.fullmatch(r"\+3363998\d{4}", each.phone) for each in people)
    assert all(each.email.endswith("@example.org") and each.email.isascii() for each in people)
    assert len({each.email for each in people}) > 150
    assert invent(chances(7)) == invent(chances(7))


def test_an_event_is_a_whole_cloudevent():
    event = cloud_event(
        "poster.scanned.v1",
        {"placement": "AB12CD34"},
        source="/partners/demo",
        event_id="e1",
        subject=None,
        happened_at=NOW,
    )
    assert event == {
        "specversion": "1.0",
        "id": "e1",
        "source": "/partners/demo",
        "type": "poster.scanned.v1",
        "time": "2026-11-22T12:30:00.000Z",
        "recordedtime": "2026-11-22T12:30:00.000Z",
        "datacontenttype": "application/json",
        "data": {"placement": "AB12CD34"},
    }


def test_an_event_id_is_a_uuid_of_version_7_made_now():
    found = new_event_id(chances(1), NOW)
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", found
    )
    assert int(found.replace("-", "")[:12], 16) == int(NOW.timestamp() * 1000)
