from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.engine import effects as e
from orchestrator.engine.journey import Done, End, Start, StepContext
from orchestrator.engine.world import ChosenLibrary, KnownPreregistration
from orchestrator.journeys import contact_withdrawal
from orchestrator.journeys import library_arrival as journey
from schemas import ids
from schemas.receipts import Receipt

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PROOF = {
    "purposes": ["library.preregistration", "interests.profile"],
    "channel": "sms",
    "notice_version": "n-1",
    "notice_sha256": "0" * 64,
    "method": "box",
    "collected_at": "2026-11-21T10:00:00Z",
    "locale": "fr",
}


class World:
    """A city of one territory, with what the test says it already knows."""

    def __init__(self):
        self.known, self.pseudonyms, self.asked = None, {}, []
        self.library = ChosenLibrary(
            place_id="423", name="L'Alcazar", commune="13055", distance_km=1.234, service_id="lib"
        )

    def territory_of(self, commune):
        return "marseille" if commune == "13055" else None

    def commune_name(self, code):
        return "Marseille"

    def nearest_open_library(self, commune, location):
        self.asked.append((commune, location))
        return self.library

    def preregistration_of(self, source, subject):
        return self.known

    def pseudonym_of(self, citizen_id, service):
        return self.pseudonyms.get(service)

    def notice_recipients(self, version, locale):
        return ("parvis", "nearest_library")


@pytest.fixture
def world():
    return World()


def context(world, outputs=None, citizen_id=None, **data):
    start = Start(
        type="lease.signed.v1",
        source="/partners/agence",
        subject="s-1",
        event_id="e-1",
        data={"commune": "13055", **data},
    )
    return StepContext(
        run_id=ids.uuid7(),
        data_key_id=ids.uuid7(),
        citizen_id=citizen_id,
        start=start,
        outputs=outputs or {},
        now=NOW,
        world=world,
    )


def of(kind, done):
    return [effect for effect in done.effects if isinstance(effect, kind)]


def announced():
    return {
        "announce": {
            "preregistration_id": str(ids.uuid7()),
            "our_ref": "PV-AAAAAAAA",
            "expires_on": "2027-02-20",
        },
        "library": {"service_id": "lib"},
    }


def test_an_unknown_subject_is_always_a_new_person(world):
    first, second = (journey.announce_person(context(world)) for _ in range(2))
    assert first.citizen_id != second.citizen_id
    (staged,) = of(e.PreregistrationStaged, first)
    assert (staged.source, staged.subject) == ("/partners/agence", "s-1")
    assert staged.expires_at == NOW + timedelta(days=90)
    assert of(e.DataKeyGiven, first)[0].citizen_id == first.citizen_id


def test_a_commune_of_no_territory_of_ours_makes_nobody(world):
    outside = context(world, commune="75056")
    assert journey.announce_person(outside) == End("out_of_territory")


def test_the_same_subject_again_is_the_same_person_and_not_a_second_one(world):
    world.known = KnownPreregistration(
        id=ids.uuid7(), citizen_id=ids.uuid7(), state="expired", our_ref="PV-AAAAAAAA"
    )
    done = journey.announce_person(context(world))
    assert done.citizen_id == world.known.citizen_id
    assert of(e.CitizenAnnounced, done) == of(e.PreregistrationStaged, done) == []
    assert of(e.PreregistrationRenewed, done)[0].id == world.known.id
    world.known = replace(world.known, state="activated")
    assert journey.announce_person(context(world)) == End("already_registered")


def test_a_proof_becomes_a_record_and_interests_only_with_their_own_purpose(world):
    done = journey.announce_person(context(world, consent=PROOF, interests=["bd", "jeux"]))
    (record,) = of(e.ConsentRecorded, done)
    (pseudonym,) = of(e.PseudonymGiven, done)
    assert record.subject_ref == pseudonym.pseudonym
    assert pseudonym.service == "journal"
    assert record.event_time == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert {kept.theme for kept in of(e.InterestKept, done)} == {"bd", "jeux"}
    other = {**PROOF, "purposes": ["library.preregistration"]}
    done = journey.announce_person(context(world, consent=other, interests=["bd"]))
    assert of(e.InterestKept, done) == []


def test_each_service_sees_a_pseudonym_of_its_own(world):
    citizen = ids.uuid7()
    first = journey.nearest_open_library(context(world, announced(), citizen))
    world.library = replace(world.library, service_id="museum")
    second = journey.nearest_open_library(context(world, announced(), citizen))
    given = [of(e.PseudonymGiven, done)[0] for done in (first, second)]
    assert [each.service for each in given] == ["lib", "museum"]
    assert given[0].pseudonym != given[1].pseudonym
    world.pseudonyms["museum"] = "KNOWN"
    again = journey.nearest_open_library(context(world, announced(), citizen))
    assert again.output["pseudonym"] == "KNOWN"


def test_the_nearest_library_is_looked_for_from_the_location_when_there_is_one(world):
    there = context(world, announced(), ids.uuid7(), location={"lat": 43.3, "lon": 5.4})
    done = journey.nearest_open_library(there)
    assert world.asked == [("13055", (43.3, 5.4))]
    assert (done.output["place_id"], done.output["distance_km"]) == ("423", 1.23)
    world.library = None
    assert journey.nearest_open_library(there) == End("no_library")


def test_a_library_without_a_system_of_ours_keeps_the_person_in_the_hub(world):
    world.library = replace(world.library, service_id=None)
    done = journey.nearest_open_library(context(world, announced(), ids.uuid7()))
    assert isinstance(done, Done)
    assert of(e.PseudonymGiven, done) == []


def test_the_library_learns_the_name_and_the_commune_and_never_the_contact(world):
    person = {"family_name": "Fictive", "given_name": "Ana"}
    contact = {"channel": "sms", "address": "+33639980001"}
    told = journey.record_data(context(world, announced(), person=person, contact=contact))
    assert (told["family_name"], told["commune_name"]) == ("Fictive", "Marseille")
    assert "+33639980001" not in repr(told)
    assert journey.record_data(context(world, announced(), contact=contact)) is None


@pytest.mark.parametrize(
    ("answer", "state"), [({"state": "created"}, "transmitted"), ({"state": "staged"}, "staged")]
)
def test_what_the_library_did_is_what_the_preregistration_says(world, answer, state):
    (moved,) = journey.preregistered(
        context(world, announced()), Receipt(external_ref="7", data=answer)
    )
    assert (moved.state, moved.external_ref) == (state, "7")


def test_a_preregistration_nobody_claimed_is_marked_and_another_end_marks_nothing(world):
    (moved,) = journey.lapsed(context(world, announced()), "expired")
    assert moved.state == "expired"
    assert journey.lapsed(context(world, announced()), "no_library") == ()
    assert journey.lapsed(context(world), "expired") == ()


def test_an_opposition_passed_on_withdraws_the_purposes_of_a_known_person(world):
    told = context(world, purposes=["library.news"], channel="sms")
    assert contact_withdrawal.record_withdrawal(told) == End("unknown_subject")
    world.known = KnownPreregistration(
        id=ids.uuid7(), citizen_id=ids.uuid7(), state="staged", our_ref="PV-AAAAAAAA"
    )
    world.pseudonyms["journal"] = "REF"
    (record,) = contact_withdrawal.record_withdrawal(told).effects
    assert (record.event_type, record.subject_ref) == ("withdrawn", "REF")
    assert record.purposes == ("library.news",)
