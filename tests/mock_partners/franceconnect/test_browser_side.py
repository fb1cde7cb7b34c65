"""What a person goes through, and how a wrong request is told."""

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from mock_partners.franceconnect import PEOPLE
from tests.mock_partners.franceconnect.conftest import BACK, STATE, actions, back

GONE = f"{BACK}/logout_response"


def test_the_page_offers_every_invented_person(service):
    page = service.ask().body.decode()
    assert all(f'value="{key}"' in page for key in PEOPLE)
    assert "aucune de ces personnes n'existe" in page


def test_the_page_of_consent_lists_what_will_be_given_and_nothing_else(service):
    page = service.arrive("oe", scope="openid given_name birthplace").body.decode()
    assert "<dt>Prénoms</dt><dd>Cœlia Marie-Ange</dd>" in page
    assert "<dt>Lieu de naissance</dt><dd>59350</dd>" in page
    assert "Ville de Démonstration recevra" in page
    assert "Nom de naissance" not in page


def test_the_code_comes_back_with_the_state_and_the_issuer(service):
    answer = back(service.post(actions(service.arrive())[0], choice="continue"))
    assert set(answer) == {"code", "state", "iss"}
    assert (answer["state"], answer["iss"]) == (STATE, service.issuer)


@pytest.mark.parametrize("when", ["before the choice", "at the consent"])
def test_who_leaves_is_sent_back_with_access_denied(service, when):
    page = service.arrive() if when == "at the consent" else service.ask()
    answer = back(service.post(actions(page)[-1], choice="leave"))
    assert (answer["error"], answer["state"]) == ("access_denied", STATE)
    assert answer["iss"] == service.issuer


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "somebody"},
        {"client_id": ...},
        {"redirect_uri": f"{BACK}/elsewhere"},
        {"redirect_uri": ...},
        {"state": "s" * 31},
        {"state": ...},
        {"nonce": "n" * 21},
        {"nonce": ...},
    ],
)
def test_a_malformed_request_ends_on_the_page_y000400(service, changes):
    page = service.ask(**changes)
    assert page.status == 400
    assert "Y000400" in page.body.decode()


def test_a_parameter_given_twice_is_malformed(service):
    query = urlencode([("client_id", "a"), ("client_id", "b")])
    assert service.get(f"/api/v2/authorize?{query}").status == 400


def test_the_least_nonce_can_be_that_of_the_documents(start_service):
    strict = start_service(unverified={"nonce_at_least": 32})
    assert strict.ask(nonce="n" * 31).status == 400
    assert strict.ask(nonce="n" * 32).status == 200


def test_a_nonce_of_twenty_two_characters_is_enough_for_the_code(service):
    assert service.ask(nonce="n" * 22).status == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"acr_values": ...}, "invalid_acr"),
        ({"acr_values": "eidas2"}, "invalid_acr"),
        ({"acr_values": "eidas1 gold"}, "invalid_acr"),
        ({"scope": "email"}, "invalid_scope"),
        ({"scope": "openid rnipp_given_name"}, "invalid_scope"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
    ],
)
def test_what_else_is_wrong_goes_back_to_the_service(service, changes, error):
    answer = back(service.ask(**changes))
    assert (answer["error"], answer["state"], answer["iss"]) == (error, STATE, service.issuer)


def test_an_account_below_the_level_asked_is_told_so(start_service):
    plus = start_service(levels=["eidas2", "eidas3"])
    page = plus.arrive("un_prenom", acr_values="eidas2")
    assert page.status == 403
    assert "niveau de garantie" in page.body.decode()
    assert plus.arrive("marseille", acr_values="eidas2").status == 200


@pytest.mark.parametrize("person", ["decedee", "inconnue"])
def test_the_register_may_refuse(service, person):
    page = service.arrive(person)
    assert page.status == 403
    assert PEOPLE[person].refusal.replace("'", "&#x27;") in page.body.decode()


def test_a_second_service_visit_of_the_same_browser_does_not_ask_who(service):
    service.code()
    again = service.ask()
    assert again.status == 303
    assert "Anaïs" in service.get(again.headers["location"]).body.decode()


def test_a_session_lasts_half_an_hour(service):
    service.code()
    service.turn(1799)
    assert service.ask().status == 303
    service.turn(2)
    assert service.ask().status == 200


def test_prompt_login_asks_who_again(service):
    service.code()
    assert service.ask(prompt="login").status == 200


def test_lost_sessions_are_asked_again(service):
    service.code()
    service.client.arm("session_lost", times=1)
    assert service.ask().status == 200


def test_a_person_who_is_not_there_is_malformed(service):
    page = service.ask()
    assert service.post(actions(page)[0], person="nobody").status == 400


def test_a_consent_page_left_open_cannot_be_used_twice(service):
    page = service.arrive()
    assert service.post(actions(page)[0], choice="continue").status == 303
    assert service.post(actions(page)[0], choice="continue").status == 400


def test_sign_out_ends_the_session_and_goes_back_with_the_state(service):
    hint = service.tokens()["id_token"]
    query = {"id_token_hint": hint, "state": STATE, "post_logout_redirect_uri": GONE}
    answer = service.get(f"/api/v2/session/end?{urlencode(query)}")
    assert answer.status == 303
    address = urlsplit(answer.headers["location"])
    assert answer.headers["location"].startswith(f"{GONE}?")
    assert parse_qsl(address.query) == [("state", STATE)]
    assert service.ask().status == 200
    assert {"kind": "session.ended"} in service.client.effects()


def test_sign_out_with_an_expired_hint_still_works(service):
    hint = service.tokens()["id_token"]
    service.turn(600)
    query = urlencode({"id_token_hint": hint, "state": STATE})
    page = service.get(f"/api/v2/session/end?{query}")
    assert page.status == 200
    assert "Vous êtes déconnecté" in page.body.decode()


@pytest.mark.parametrize(
    "changes",
    [
        {"id_token_hint": "not.a.token"},
        {"id_token_hint": ...},
        {"state": ...},
        {"post_logout_redirect_uri": "https://elsewhere.example.org/"},
    ],
)
def test_sign_out_without_its_proofs_is_malformed_and_ends_nothing(service, changes):
    hint = service.tokens()["id_token"]
    query = {"id_token_hint": hint, "state": STATE, "post_logout_redirect_uri": GONE, **changes}
    query = {name: value for name, value in query.items() if value is not ...}
    assert service.get(f"/api/v2/session/end?{urlencode(query)}").status == 400
    assert service.ask().status == 303


def test_the_cookie_is_closed_to_scripts_and_secure_when_the_issuer_is(start_service):
    secure = start_service(issuer="https://fc.example.org/api/v2")
    answer = secure.post(actions(secure.ask())[0], person="marseille")
    crumb = answer.headers["set-cookie"]
    assert {"HttpOnly", "Secure", "SameSite=Lax"} <= {part.strip() for part in crumb.split(";")}


def test_an_unknown_path_is_not_found(service):
    assert service.get("/api/v1/authorize").status == 404


def test_bytes_that_are_no_text_are_malformed(service):
    assert service.client.call("POST", "/api/v2/authorize", body=b"\xff\xfe").status == 400


def test_the_control_plane_lists_the_people(service):
    people = service.client.call("GET", "/_mock/people").json["people"]
    assert set(people) == set(PEOPLE)
