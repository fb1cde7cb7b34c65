"""Applications with citizens' tokens on PostgreSQL: the person of the token is the person of the pages."""

from uuid import UUID

import pytest

from identity.names import HUB_CLIENT
from identity.tokens import Audience
from orchestrator.services.access_codes import AccessCodes
from orchestrator.services.citizen_accounts import CitizenAccounts, TokenSpace
from orchestrator.store.citizen_space import CitizenSpaceTable
from orchestrator.store.idempotency import IdempotencyTable
from orchestrator.store.library import AccessCodeTable, AttemptCounters
from orchestrator.store.redemption import SignedInRedemption
from orchestrator.store.token_logins import TokenLogins
from schemas.logins import SamlPurpose
from tests.browser.citizen_hub import Desk as Library
from tests.browser.citizen_hub import issue_code, make_cards
from tests.fakes.portal import PortalHub, ago, citizen_token
from tests.fakes.realm import REALM
from tests.integration.test_sign_in import Desk, franceconnect, local

pytestmark = pytest.mark.postgres
REDEEM = "/v1/access-codes/redeem"


@pytest.fixture
def desk(database, vault, hub_keys):
    """Where people sign in on our pages."""
    return Desk(database, vault, hub_keys)


@pytest.fixture
def library():
    """A library that knows one card."""
    made = Library()
    made.cards["2130000", "4938"] = "42"
    return made


@pytest.fixture
def hub(database, vault, hub_keys, library):
    """The API over the same database."""
    rows = {"database": database, "vault": vault}
    accounts = CitizenAccounts(
        rows=CitizenSpaceTable(**rows),
        codes=SignedInRedemption(**rows, keys=hub_keys),
        access_codes=AccessCodes(
            rows=AccessCodeTable(database=database, poke=lambda: None),
            attempts=AttemptCounters(database=database),
            keys=hub_keys,
        ),
        poke=lambda: None,
    )
    return PortalHub(
        citizens=TokenSpace(accounts=accounts),
        tokens=TokenLogins(database=database, keys=hub_keys),
        audience=Audience(issuer=REALM, client=HUB_CLIENT),
        kept=IdempotencyTable(database=database),
        cards=make_cards(database, vault, hub_keys, library),
    )


@pytest.fixture
def code(database, hub_keys):
    """A live code of a person somebody announced."""
    made = issue_code(database, hub_keys, subject="s-1")
    database.run("UPDATE preregistration SET service_id = 'library_a'")
    announced = database.one("SELECT citizen_id FROM preregistration")["citizen_id"]
    database.run("INSERT INTO citizen(id) VALUES (%s)", (announced,))
    return made


def token(number, **changes):
    """The token of a person of the realm, signed in a moment ago."""
    return citizen_token(iss=REALM, sub=f"user-{number}", **changes)


def fc_token(number, **changes):
    notes = {"idp_alias": "france-connect", "fc_acr": "eidas1"}
    return token(number, **(notes | changes))


def logins(hub, of):
    return {one["alias"]: one["id"] for one in hub.get("/v1/me/logins", token=of).json["logins"]}


def test_nobody_is_known_before_they_sign_in_on_the_pages_and_nobody_is_made(hub, desk):
    assert hub.get("/v1/me", token=token(1)).slug == "login-first"
    assert desk.count("citizen") == desk.count("login") == 0
    desk.sign_in(local(1))
    assert hub.get("/v1/me", token=token(1)).status == 200
    assert hub.get("/v1/me", token=token(2)).slug == "login-first"


def test_the_portals_subject_and_the_login_on_the_pages_name_one_citizen(hub, desk, code):
    session = desk.session(franceconnect(1))
    assert hub.post(REDEEM, {"code": code}, token=fc_token(1)).status == 200
    (account,) = hub.get("/v1/me/accounts", token=fc_token(1)).json["accounts"]
    assert (account["service"], account["method"]) == ("library_a", "access_code")
    row = desk.database.one("SELECT citizen_id FROM account")
    assert row["citizen_id"] == session.citizen_id
    assert hub.get("/v1/me", token=fc_token(1)).json == {
        "level": 2,
        "state": "active",
        "language": "fr",
        "services": ["library_a"],
    }


def test_a_local_account_is_no_surer_than_its_contact(hub, desk):
    desk.sign_in(local(1, email_verified="true"))
    assert hub.get("/v1/me", token=token(1)).json["level"] == 1
    assert hub.get("/v1/me", token=token(1, fc_acr="eidas3")).json["level"] == 1
    assert hub.get("/v1/me", token=fc_token(1, fc_acr="eidas3")).slug == "login-first"


def test_a_code_works_once_whoever_repeats_it(hub, desk, code):
    desk.sign_in(local(1))
    desk.sign_in(local(2))
    key = {"Idempotency-Key": '"k1"'}
    answers = [hub.post(REDEEM, {"code": code}, token=token(1), headers=key) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[1]["Idempotent-Replayed"] == "true"
    other = hub.post(REDEEM, {"code": code}, token=token(2), headers=key)
    assert (other.status, other.slug) == (422, "invalid-data")
    assert desk.count("account") == 1


def test_one_who_guesses_is_stopped_and_the_others_of_the_portal_go_on(hub, desk, code):
    desk.sign_in(local(1))
    desk.sign_in(local(2))
    guesses = [{"code": f"00000-0000{number}"} for number in range(6)]
    statuses = [hub.post(REDEEM, guess, token=token(1)).status for guess in guesses]
    assert statuses == [422] * 5 + [429]
    assert hub.post(REDEEM, {"code": code}, token=token(2)).status == 200


def test_what_is_somebody_elses_is_not_there(hub, desk, code):
    desk.sign_in(local(1))
    desk.sign_in(local(2))
    hub.post(REDEEM, {"code": code}, token=token(1))
    (account,) = hub.get("/v1/me/accounts", token=token(1)).json["accounts"]
    theirs = [f"/v1/me/accounts/{account['id']}", *_addresses(logins(hub, token(1)))]
    assert [hub.delete(path, token=token(2)).slug for path in theirs] == ["not-found"] * 2
    assert hub.get("/v1/me/accounts", token=token(2)).json == {"accounts": []}
    assert desk.count("login", "valid_to IS NOT NULL") == 0


def test_a_place_in_a_service_is_left_once_after_a_recent_sign_in(hub, desk, code):
    desk.sign_in(local(1))
    hub.post(REDEEM, {"code": code}, token=token(1))
    (account,) = hub.get("/v1/me/accounts", token=token(1)).json["accounts"]
    path = f"/v1/me/accounts/{account['id']}"
    assert hub.delete(path, token=token(1, auth_time=ago(minutes=6))).status == 403
    assert hub.delete(path, token=token(1)).status == 204
    assert hub.delete(path, token=token(1)).status == 404
    assert hub.get("/v1/me", token=token(1)).json["services"] == []
    assert desk.count("journal_entry", "type = 'identity.account_closed'") == 1


def test_the_last_way_of_signing_in_stays(hub, desk):
    desk.sign_in(local(1))
    (path,) = _addresses(logins(hub, token(1)))
    answer = hub.delete(path, token=token(1))
    assert (answer.status, answer.slug) == (409, "conflict")
    assert "seule façon" in answer.json["detail"]


def test_a_login_is_taken_away_by_one_that_remains_and_its_tokens_end(hub, desk):
    session = desk.session(local(1))
    desk.sign_in(franceconnect(2), SamlPurpose.LINK, session=session)
    own, linked = token(1), fc_token(2)
    held = logins(hub, own)
    assert held == logins(hub, linked)
    path = f"/v1/me/logins/{held['realm']}"

    refused = hub.delete(path, token=own)
    assert (refused.status, "que vous gardez" in refused.json["detail"]) == (409, True)
    assert hub.delete(path, token=linked).status == 204

    assert hub.get("/v1/me", token=own).slug == "login-first"
    assert list(logins(hub, linked)) == ["france-connect"]
    assert desk.count("web_session", "ended_at IS NULL") == 0


def test_a_citizen_who_is_closed_or_merged_is_not_there_for_tokens(hub, desk):
    session = desk.session(local(1))
    desk.database.run("UPDATE citizen SET state = 'closed' WHERE id = %s", (session.citizen_id,))
    assert hub.get("/v1/me", token=token(1)).slug == "login-first"


def test_no_answer_holds_an_identifier_of_the_inside_or_of_the_realm(hub, desk, code):
    session = desk.session(franceconnect(1))
    hub.post(REDEEM, {"code": code}, token=fc_token(1))
    told = b"".join(
        hub.get(path, token=fc_token(1)).body
        for path in ("/v1/me", "/v1/me/accounts", "/v1/me/logins")
    ).decode()
    for clear in (str(session.citizen_id), "user-1", "G-1", "sub-1", "LŒUVRE", "Zoé", "1990"):
        assert clear not in told
    assert all(UUID(login) for login in logins(hub, fc_token(1)).values())


def _addresses(held):
    return [f"/v1/me/logins/{login}" for login in held.values()]


# --- a card joined through an application -----------------------------------------------------------


def card(hub, of, **changes):
    body = {"service": "library_a", "card": "213 0000", "pin": "4938"} | changes
    return hub.post("/v1/me/accounts", body, token=of)


def test_a_card_raises_one_place_and_never_the_person(hub, desk):
    desk.sign_in(local(1, email_verified="true"))

    assert card(hub, token(1)).status == 201

    (account,) = hub.get("/v1/me/accounts", token=token(1)).json["accounts"]
    assert (account["service"], account["level"], account["method"]) == ("library_a", 2, "card")
    assert hub.get("/v1/me", token=token(1)).json["level"] == 1


def test_wrong_cards_are_counted_by_card_and_by_person_not_by_application(hub, desk, library):
    for number in (1, 2):
        desk.sign_in(local(number, email_verified="true"))
    for _ in range(3):
        assert card(hub, token(1), pin="0000").slug == "invalid-data"

    assert card(hub, token(2)).slug == "rate-limited", "nobody locks the library's card from here"
    assert len(library.asked) == 3
    for pin in range(2):
        assert card(hub, token(1), card="99", pin=f"{pin}").slug == "invalid-data"
    assert card(hub, token(1), card="98").slug == "rate-limited"
    assert card(hub, token(2), card="98").slug == "invalid-data", "another person may go on"


def test_the_card_of_somebody_else_is_a_case_and_joins_nothing(hub, desk):
    for number in (1, 2):
        desk.sign_in(local(number, email_verified="true"))
    card(hub, token(1))

    answer = card(hub, token(2))

    assert (answer.status, answer.slug) == (409, "conflict")
    assert hub.get("/v1/me/accounts", token=token(2)).json["accounts"] == []
    assert desk.count("identity_case", "rule = 'card_elsewhere'") == 1
