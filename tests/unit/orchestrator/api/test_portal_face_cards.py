"""A card joined through an application: asked once, kept nowhere, and no oracle about cards."""

import json

import pytest

from orchestrator.services.ports.library_cards import CardOutcome
from schemas.logins import Level
from tests.fakes.portal import CITIZEN, LOGIN, PortalHub

ACCOUNTS = "/v1/me/accounts"
CARD = {"service": "lib_centre", "card": "2911 1000 000017", "pin": " 49 3827"}
KEY = {"Idempotency-Key": '"k1"'}


@pytest.fixture
def hub():
    return PortalHub()


def test_a_card_is_joined_to_the_citizen_of_the_token(hub):
    answer = hub.post(ACCOUNTS, CARD)

    assert (answer.status, answer.json) == (201, {"status": "linked", "service": "lib_centre"})
    ((card, holder, network),) = hub.cards.asked
    assert (card.number, card.password) == ("29111000000017", " 49 3827"), (
        "a PIN is as it was typed"
    )
    assert (holder.citizen_id, holder.level) == (CITIZEN.citizen_id, Level.CONTACT_PROVED)
    assert holder.who == network == f"login {LOGIN}"


@pytest.mark.parametrize(
    ("outcome", "status", "slug", "pointers"),
    [
        (CardOutcome.WRONG, 422, "invalid-data", ["#/card"]),
        (CardOutcome.EXPIRED, 422, "invalid-data", ["#/pin"]),
        (CardOutcome.ALREADY_THERE, 409, "conflict", []),
        (CardOutcome.UNDER_REVIEW, 409, "conflict", []),
        (CardOutcome.TOO_MANY_TRIES, 429, "rate-limited", []),
        (CardOutcome.UNAVAILABLE, 503, "system-unavailable", []),
        (CardOutcome.NOT_PROVED_ENOUGH, 403, "proof-needed", []),
    ],
)
def test_what_is_not_joined_says_what_to_do_and_nothing_of_the_card(
    hub, outcome, status, slug, pointers
):
    hub.cards.outcome = outcome
    answer = hub.post(ACCOUNTS, CARD)

    told = [each["pointer"] for each in answer.json.get("errors", ())]
    assert (answer.status, answer.slug, told) == (status, slug, pointers)
    assert ("Retry-After" in dict(answer.headers)) is (status in {429, 503})
    assert "29111000000017" not in answer.body.decode()
    assert "3827" not in answer.body.decode()


@pytest.mark.parametrize(
    "outcome", [CardOutcome.WRONG, CardOutcome.EXPIRED, CardOutcome.UNDER_REVIEW]
)
def test_each_refusal_is_told_in_english_too(hub, outcome):
    hub.cards.outcome = outcome
    french, english = (
        hub.post(ACCOUNTS, CARD, headers={"Accept-Language": language}).json
        for language in ("fr", "en")
    )

    said = [json.dumps(each.get("errors") or each["detail"]) for each in (french, english)]
    assert said[0] != said[1]
    assert "This value is not accepted." not in said[1]


def test_a_service_without_cards_is_not_asked(hub):
    answer = hub.post(ACCOUNTS, CARD | {"service": "text_messages"})

    assert (answer.status, answer.pointers) == (422, ["#/service"])
    assert hub.cards.asked == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"pin": ""}, "#/pin"),
        ({"pin": "x" * 101}, "#/pin"),
        ({"pin": 4938}, "#/pin"),
        ({"pin": "49\n38"}, "#/pin"),
        ({"pin": "\ud800"}, "#/pin"),
        ({"card": "<b>"}, "#/card"),
        ({"card": "1" * 41}, "#/card"),
        ({"service": "../x"}, "#/service"),
        ({"sub": "somebody"}, "#/sub"),
    ],
    ids=repr,
)
def test_what_cannot_be_a_card_is_not_asked_and_is_not_told_back(hub, change, pointer):
    answer = hub.post(ACCOUNTS, CARD | change)

    assert (answer.status, answer.slug) in {(422, "invalid-data"), (400, "malformed")}
    assert answer.status == 400 or answer.pointers == [pointer]
    assert hub.cards.asked == []
    assert "493827" not in answer.body.decode()


def test_a_repeat_under_the_same_key_does_not_ask_the_library_again(hub):
    first = hub.post(ACCOUNTS, CARD, headers=KEY)
    again = hub.post(ACCOUNTS, CARD, headers=KEY)

    assert (again.status, again.json) == (first.status, first.json) == (201, first.json)
    assert again["Idempotent-Replayed"] == "true"
    assert len(hub.cards.asked) == 1


def test_a_wrong_pin_may_be_mended_under_the_same_key_and_no_digest_of_it_is_kept(hub):
    hub.cards.outcome = CardOutcome.WRONG
    assert hub.post(ACCOUNTS, CARD, headers=KEY).status == 422
    hub.cards.outcome = CardOutcome.LINKED
    assert hub.post(ACCOUNTS, CARD, headers=KEY).status == 201
    kept = dict(hub.kept.held)
    another = hub.post(ACCOUNTS, CARD | {"pin": "000000"}, headers=KEY)

    assert another["Idempotent-Replayed"] == "true"
    assert hub.kept.held == kept


def test_another_card_under_the_same_key_is_refused(hub):
    hub.post(ACCOUNTS, CARD, headers=KEY)

    answer = hub.post(ACCOUNTS, CARD | {"card": "2911"}, headers=KEY)

    assert (answer.status, answer.slug) == (422, "idempotency-key-reused")
