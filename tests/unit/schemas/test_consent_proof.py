from datetime import UTC, datetime

import pytest

from schemas import events
from schemas.consent_proof import Notice, minimise, proven_purposes, proves, read_proof

DIGEST = "ab" * 32
NOTICES = {
    ("2026-09", "fr"): Notice(
        sha256=DIGEST,
        purposes=frozenset({"library.preregistration", "access_code.delivery"}),
        recipients=frozenset({"parvis", "Exemple Énergie"}),
    ),
    ("2025-01", "fr"): Notice(
        sha256="cd" * 32,
        purposes=frozenset({"library.preregistration"}),
        recipients=frozenset({"Exemple Énergie"}),
    ),
}
CONSENT = {
    "purposes": ["library.preregistration", "access_code.delivery"],
    "channel": "sms",
    "notice_version": "2026-09",
    "notice_sha256": DIGEST,
    "method": "box",
    "collected_at": "2026-11-20T09:11:00Z",
    "locale": "FR",
    "collected_by": "Formulaire",
}
DATA = {
    "commune": "13055",
    "person": {"family_name": "Exemple", "given_name": "Camille"},
    "contact": {"channel": "sms", "address": "+33639980001"},
}
BOTH = frozenset({"library.preregistration", "access_code.delivery"})


def data(**changes):
    return events.validate("lease.signed.v1", DATA | {"consent": CONSENT | changes})


def test_a_proof_of_a_known_text_that_names_us_holds_for_its_purposes():
    assert proven_purposes(data(), NOTICES) == BOTH


@pytest.mark.parametrize(
    "changes",
    [
        {"notice_version": "2026-10"},
        {"notice_sha256": "ac" * 32},
        {"locale": "en"},
        {"purposes": ["library.news"]},
        {"notice_version": "2025-01", "notice_sha256": "cd" * 32},
        {"notice_version": "2025-01"},
    ],
)
def test_any_other_text_version_language_or_recipient_proves_nothing(changes):
    assert proven_purposes(data(**changes), NOTICES) == frozenset()


def test_a_proof_holds_for_no_purpose_it_does_not_say():
    proof = read_proof(data(purposes=["library.preregistration"]))
    assert proves(proof, "library.preregistration", NOTICES)
    assert not proves(proof, "access_code.delivery", NOTICES)


def test_a_text_that_is_not_about_a_purpose_does_not_prove_it():
    proof = read_proof(data(purposes=["library.preregistration", "booking"]))
    assert not proves(proof, "booking", NOTICES)


def test_the_recipient_is_the_one_asked_for():
    assert not proves(read_proof(data()), "library.preregistration", NOTICES, recipient="autre")


def test_a_proof_from_the_future_holds_nothing():
    before = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    after = datetime(2026, 11, 20, 9, 12, tzinfo=UTC)
    assert proven_purposes(data(), NOTICES, now=before) == frozenset()
    assert proven_purposes(data(), NOTICES, now=after) == BOTH


def test_without_proof_nothing_is_proven():
    assert read_proof(DATA) is None
    assert proven_purposes(DATA, NOTICES) == frozenset()


@pytest.mark.parametrize(
    ("proven", "dropped"),
    [
        (BOTH, ()),
        ({"library.preregistration"}, ("contact",)),
        ({"access_code.delivery"}, ("person",)),
        ({"library.news"}, ("person", "contact")),
        ((), ("person", "contact")),
    ],
)
def test_what_no_proof_lets_through_is_dropped_and_named(proven, dropped):
    kept, gone = minimise(data(), proven)
    assert gone == dropped
    assert kept.keys() == data().keys() - set(dropped)


def test_the_code_goes_by_the_channel_the_person_agreed_to():
    kept, gone = minimise(data(channel="email"), BOTH)
    assert gone == ("contact",)
    assert "contact" not in kept


def test_an_event_with_nothing_to_drop_is_left_as_it_is():
    assert minimise({"commune": "13055"}, ()) == ({"commune": "13055"}, ())


def test_the_event_given_is_not_changed():
    given = data()
    minimise(given, ())
    assert "person" in given
