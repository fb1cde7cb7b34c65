import pytest

from schemas import events
from schemas.errors import InvalidPayloadError, UnknownMessageTypeError
from schemas.events._model import Way

RECEIVED = {
    "utility.contract_opened.v1",
    "lease.signed.v1",
    "student_card.issued.v1",
    "sport.membership_opened.v1",
    "poster.registration_requested.v1",
    "poster.scanned.v1",
    "contact.withdrawn.v1",
    "sdk.reported.v1",
}
ARRIVALS = {
    "utility.contract_opened.v1",
    "lease.signed.v1",
    "student_card.issued.v1",
    "sport.membership_opened.v1",
    "poster.registration_requested.v1",
}
WEBHOOKS = {"preregistration.ready.v1", "subject.erased.v1", "key.expiring_announced.v1"}
ON_THE_BUS = {
    "run.started.v1",
    "run.waited.v1",
    "run.ended.v1",
    "consent.given.v1",
    "consent.refused.v1",
    "consent.withdrawn.v1",
    "consent.expired.v1",
    "consent.renewed.v1",
    "booking.confirmed.v1",
    "booking.waitlisted.v1",
    "booking.cancelled.v1",
    "connector.state_changed.v1",
}
EVERY_TYPE = [*events.catalogue().values(), *events.sent_catalogue().values()]
LEASE = "lease.signed.v1"
PERSON = {"family_name": "Exemple", "given_name": "Camille"}
SMS = {"channel": "sms", "address": "+33639980001"}
PROOF = dict(events.catalogue()["utility.contract_opened.v1"].example["consent"])


def faults(data, type_name=LEASE, **more):
    with pytest.raises(InvalidPayloadError) as caught:
        events.validate(type_name, data, **more)
    assert caught.value.slug == "invalid-data"
    return [where for where, _ in caught.value.errors]


def test_the_catalogue_holds_what_partners_may_send_and_nothing_else():
    assert set(events.catalogue()) == RECEIVED


def test_the_hub_says_what_it_promised_to_say():
    sent = events.sent_catalogue().values()
    assert {event.name for event in sent if event.way is Way.WEBHOOK} == WEBHOOKS
    assert {event.name for event in sent if event.way is Way.BUS} == ON_THE_BUS


def test_only_arrivals_start_a_run():
    starting = {event.name for event in events.catalogue().values() if event.starts_run}
    assert starting == ARRIVALS


def test_only_the_poster_registration_is_reserved_to_our_own_page():
    own = {event.name for event in events.catalogue().values() if event.is_own_page_only}
    assert own == {"poster.registration_requested.v1"}


@pytest.mark.parametrize("event_type", EVERY_TYPE, ids=lambda event: event.name)
def test_an_example_is_valid_and_already_in_its_one_form(event_type):
    assert event_type.read(dict(event_type.example)) == event_type.example


@pytest.mark.parametrize("name", [event.name for event in EVERY_TYPE])
def test_a_name_is_good_for_both_standards(name):
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.")
    assert name.count(".") == 2
    assert name.endswith(".v1")


@pytest.mark.parametrize("name", sorted(ON_THE_BUS))
def test_on_the_bus_there_are_ids_and_nothing_personal(name):
    assert events.sent_catalogue()[name].personal == ()


def test_the_personal_members_of_an_arrival_are_known():
    assert set(events.catalogue()[LEASE].personal) == {
        "commune",
        "location",
        "age_band",
        "person/family_name",
        "person/given_name",
        "contact/address",
        "consent/collected_by",
    }


@pytest.mark.parametrize(
    "name", ["lease.signed.v2", "run.started.v1", "", "_model", "LEASE.SIGNED.V1"]
)
def test_an_unknown_type_or_one_of_the_hubs_own_is_refused(name):
    with pytest.raises(UnknownMessageTypeError):
        events.validate(name, {})


@pytest.mark.parametrize("name", sorted(ARRIVALS - {"poster.registration_requested.v1"}))
def test_the_commune_alone_is_enough(name):
    assert events.validate(name, {"commune": "84129"}) == {"commune": "84129"}


@pytest.mark.parametrize(
    ("data", "places"),
    [
        (None, ["#/data"]),
        ([], ["#/data"]),
        ("texte", ["#/data"]),
        ({}, ["#/data/commune"]),
        ({"commune": "Sorgues"}, ["#/data/commune"]),
        ({"commune": "84129", "birth_date": "1990-01-01"}, ["#/data/birth_date"]),
        ({"commune": "84129", "a/b": 1}, ["#/data/a~1b"]),
        ({"commune": "84129", "dwelling": "castle"}, ["#/data/dwelling"]),
        ({"commune": "84129", "starts_on": "demain"}, ["#/data/starts_on"]),
        ({"commune": "84129", "age_band": "30"}, ["#/data/age_band"]),
        ({"commune": "84129", "location": {"lat": 99, "lon": 5}}, ["#/data/location/lat"]),
        ({"commune": "84129", "person": {"family_name": "A"}}, ["#/data/person/given_name"]),
        ({"commune": "84129", "person": PERSON | {"age": 3}}, ["#/data/person/age"]),
        (
            {"commune": "84129", "contact": {"channel": "fax", "address": "1"}},
            ["#/data/contact/channel"],
        ),
        ({"commune": "84129", "contact": SMS | {"channel": "email"}}, ["#/data/contact/address"]),
        ({"commune": "84129", "contact": SMS | {"address": "06 39"}}, ["#/data/contact/address"]),
        ({"commune": "84129", "consent": True}, ["#/data/consent"]),
        ({"commune": "84129", "consent": PROOF | {"purposes": []}}, ["#/data/consent/purposes"]),
        (
            {"commune": "84129", "consent": PROOF | {"purposes": ["A"]}},
            ["#/data/consent/purposes/0"],
        ),
        ({"commune": "84129", "consent": PROOF | {"method": "scroll"}}, ["#/data/consent/method"]),
        ({"commune": "84129", "consent": PROOF | {"channel": "fax"}}, ["#/data/consent/channel"]),
        ({"commune": "1", "language": 3}, ["#/data/commune", "#/data/language"]),
    ],
)
def test_wrong_data_is_named_by_its_pointer(data, places):
    assert faults(data) == places


@pytest.mark.parametrize("member", sorted(PROOF))
def test_every_member_of_a_proof_is_needed(member):
    proof = {name: value for name, value in PROOF.items() if name != member}
    assert faults({"commune": "84129", "consent": proof}) == [f"#/data/consent/{member}"]


@pytest.mark.parametrize(
    ("name", "data", "place"),
    [
        ("utility.contract_opened.v1", {"commune": "13055", "utility": "phone"}, "#/data/utility"),
        (
            "student_card.issued.v1",
            {"commune": "13001", "institution": 999000111},
            "#/data/institution",
        ),
        (
            "student_card.issued.v1",
            {"commune": "13001", "valid_until": "2027"},
            "#/data/valid_until",
        ),
        ("sport.membership_opened.v1", {"commune": "83050", "season": "2026"}, "#/data/season"),
        ("sport.membership_opened.v1", {"commune": "83050", "sport": "Le Tennis"}, "#/data/sport"),
        ("poster.registration_requested.v1", {"commune": "83050"}, "#/data/placement"),
        (
            "poster.registration_requested.v1",
            {"commune": "83050", "placement": "AB12CD34", "interests": ["BD"]},
            "#/data/interests/0",
        ),
        ("poster.scanned.v1", {}, "#/data/placement"),
        ("poster.scanned.v1", {"placement": "AB12CD34", "person": PERSON}, "#/data/person"),
        ("contact.withdrawn.v1", {"channel": "sms"}, "#/data/purposes"),
        ("contact.withdrawn.v1", {"purposes": ["booking"]}, "#/data/channel"),
        ("sdk.reported.v1", {}, "#/data/counters"),
        ("sdk.reported.v1", {"counters": {"expired": -1}}, "#/data/counters/expired"),
        ("sdk.reported.v1", {"counters": {"other": 1}}, "#/data/counters/other"),
    ],
)
def test_each_type_has_its_own_rules(name, data, place):
    assert faults(data, name) == [place]


def test_a_scan_points_at_nobody():
    assert faults({"placement": "AB12CD34"}, "poster.scanned.v1", subject="C-1") == ["#/subject"]


def test_an_arrival_may_point_at_the_partners_own_reference():
    assert events.validate(LEASE, {"commune": "84129"}, subject="C-1")


def test_values_come_back_in_their_one_form():
    read = events.validate(
        LEASE,
        {
            "commune": "84129",
            "language": "fr-FR",
            "location": {"lat": 44.0098, "lon": 4.87214},
            "contact": {"channel": "email", "address": "Camille@EXAMPLE.org"},
            "person": {"family_name": " Exemple ", "given_name": "Camille"},
        },
    )
    assert read == {
        "commune": "84129",
        "language": "fr",
        "location": {"lat": 44.01, "lon": 4.872},
        "contact": {"channel": "email", "address": "Camille@example.org"},
        "person": {"family_name": "Exemple", "given_name": "Camille"},
    }


def test_no_refusal_repeats_what_the_event_said():
    with pytest.raises(InvalidPayloadError) as caught:
        events.validate(
            LEASE, {"commune": "84129", "contact": {"channel": "sms", "address": "0639980001"}}
        )
    assert "0639980001" not in repr(caught.value.errors)
    assert caught.value.__cause__ is None
