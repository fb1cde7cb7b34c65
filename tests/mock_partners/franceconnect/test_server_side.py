"""What servers ask: tokens, user information, revocation, and the faults of each."""

import re

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from mock_partners.franceconnect import PEOPLE, build
from tests.mock_partners.franceconnect.conftest import CLIENT, NONCE

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def test_discovery_tells_what_is_there(service):
    found = service.client.call("GET", "/api/v2/.well-known/openid-configuration").json
    assert found["issuer"] == service.issuer
    assert found["acr_values_supported"] == ["eidas1"]
    assert found["subject_types_supported"] == ["pairwise"]
    for name in ("jwks_uri",):
        path = found[name].removeprefix(service.client.server.url)
        assert service.client.call("GET", path).status == 200
    keys = service.client.call("GET", "/api/v2/jwks").json["keys"]
    assert all("d" not in key for key in keys)


def test_the_issuer_can_be_another_than_the_address(start_service):
    behind = start_service(issuer="https://fc.example.org/api/v2")
    found = behind.client.call("GET", "/api/v2/.well-known/openid-configuration").json
    assert found["token_endpoint"] == "https://fc.example.org/api/v2/token"


def test_the_id_token_says_level_nonce_and_life(service):
    tokens = service.tokens()
    claims = service.verified(tokens["id_token"])
    assert tokens["expires_in"] == claims["exp"] - claims["iat"] == 60
    assert (claims["acr"], claims["nonce"], claims["aud"]) == ("eidas1", NONCE, CLIENT)
    assert claims["iss"] == service.issuer
    assert "amr" not in claims


def test_amr_is_said_when_it_is_asked_for(service):
    tokens = service.tokens(scope="openid amr")
    assert service.verified(tokens["id_token"])["amr"] == ["fr"]


def test_the_subject_is_pairwise_and_the_same_in_both_tokens(service, start_service):
    tokens = service.tokens()
    sub = service.verified(tokens["id_token"])["sub"]
    assert re.fullmatch(r"[0-9a-f]{64}v1", sub)
    assert service.verified(service.userinfo(tokens["access_token"]).body.decode())["sub"] == sub
    assert service.told()["sub"] == sub
    other = start_service(subject_secret="another-invented-secret")
    assert other.told()["sub"] != sub


def test_two_people_never_share_a_subject(service):
    subs = {service.told(key, prompt="login")["sub"] for key in ("jumelle_ines", "jumelle_agathe")}
    assert len(subs) == 2


def test_a_correction_of_civil_status_changes_the_subject(service):
    before, after = (
        service.told(key, prompt="login") for key in ("avant_correction", "apres_correction")
    )
    assert before["sub"] != after["sub"]
    assert before["given_name"] == after["given_name"]


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ("marseille", {"given_name": "Anaïs Zoé Éléonore", "birthplace": "13208"}),
        ("oe", {"family_name": "L'HŒST-D'ŒUVRE", "preferred_username": "MÆLSTRÖM"}),
        ("corse_sud", {"birthplace": "2A004"}),
        ("polynesie", {"birthplace": "98735", "birthcountry": "99100"}),
        ("etranger", {"birthplace": "", "birthcountry": "99352"}),
        ("jour_inconnu", {"birthdate": "1975-06-00"}),
        ("mois_inconnu", {"birthdate": "1960-00-00"}),
        ("europe", {"birthplace": "Göteborg", "gender": "unspecified"}),
    ],
)
def test_user_information_says_what_the_register_says(service, person, expected):
    told = service.told(person)
    assert expected.items() <= told.items()
    assert told["given_name_array"] == told["given_name"].split(" ")
    assert told["aud"] == CLIENT


def test_nobody_has_a_used_name_they_do_not_have(service):
    told = service.told("un_prenom")
    assert {"preferred_username", "email"}.isdisjoint(told)


def test_the_date_the_register_completed_is_told_with_the_original(service):
    told = service.told("date_redressee", scope="openid birthdate idp_birthdate")
    assert (told["birthdate"], told["idp_birthdate"]) == ("1971-01-01", "1971-00-00")


def test_a_scope_that_was_not_asked_for_opens_nothing(service):
    told = service.told(scope="openid birth")
    assert set(told) == {"sub", "birthplace", "birthcountry", "iss", "aud", "iat", "exp"}


def test_user_information_is_a_signed_token_of_its_own_type(service):
    reply = service.userinfo(service.tokens()["access_token"])
    assert reply.headers["content-type"] == "application/jwt"


def test_a_code_serves_once_and_its_second_use_takes_the_token_back(service):
    code = service.code()
    token = service.redeem(code).json["access_token"]
    assert service.userinfo(token).status == 200
    again = service.redeem(code)
    assert (again.status, again.json["error"]) == (400, "invalid_grant")
    assert service.userinfo(token).status == 401


@pytest.mark.parametrize(("seconds", "status"), [(29, 200), (30.1, 400)])
def test_a_code_lives_thirty_seconds(service, seconds, status):
    code = service.code()
    service.turn(seconds)
    assert service.redeem(code).status == status


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60.1, 401)])
def test_an_access_token_lives_a_minute(service, seconds, status):
    token = service.tokens()["access_token"]
    service.turn(seconds)
    assert service.userinfo(token).status == status


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "somebody"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ({"redirect_uri": "https://idp.example.org/"}, 400, "invalid_grant"),
        ({"code": "invented"}, 400, "invalid_grant"),
    ],
)
def test_a_wrong_call_for_tokens_is_refused(service, changes, status, error):
    changes = {"code": service.code(), **changes}
    reply = service.redeem(changes.pop("code"), **changes)
    assert (reply.status, reply.json["error"]) == (status, error)


def test_a_revoked_token_is_worth_nothing(service):
    token = service.tokens()["access_token"]
    path = "/api/v2/token/revocation"
    assert service.post(path, token=token, client_id=CLIENT, client_secret="x").status == 401
    assert service.userinfo(token).status == 200
    kept = {"client_id": CLIENT, "client_secret": "an-invented-secret"}
    assert service.post(path, token="unknown", **kept).status == 200
    assert service.post(path, token=token, **kept).status == 200
    assert service.userinfo(token).status == 401


@pytest.fixture(scope="module")
def client_key():
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)


def test_a_client_may_prove_itself_by_a_signed_assertion(start_service, settings_of, client_key):
    client = settings_of("franceconnect")["clients"][CLIENT]
    del client["secret"]
    client["keys"] = {"keys": [client_key.as_dict(private=False)]}
    service = start_service(clients={CLIENT: client})

    def redeem(key=client_key, **changes):
        claims = {"iss": CLIENT, "sub": CLIENT, "aud": service.issuer, "exp": 4_000_000_000}
        signed = jwt.encode({"alg": "RS256", "kid": key.kid}, {**claims, **changes}, key)
        proof = {"client_assertion_type": ASSERTION, "client_assertion": signed}
        return service.redeem(service.code(prompt="login"), client_secret="", **proof).status

    assert redeem() == 200
    assert redeem(aud=f"{service.issuer}/token") == 200
    assert redeem(aud="https://elsewhere.example.org") == 401
    assert redeem(exp=1) == 401
    assert redeem(sub="somebody") == 401
    assert redeem(key=RSAKey.generate_key(2048, auto_kid=True)) == 401


# faults


@pytest.mark.parametrize(
    ("drift", "acr"), [({"kind": "drop"}, None), ({"kind": "retype", "value": "eidas0"}, "eidas0")]
)
def test_the_level_can_be_missing_or_another_and_the_token_is_still_signed(service, drift, acr):
    service.client.arm("drift", operation="token", pointer="/id_token/acr", **drift)
    assert service.verified(service.tokens()["id_token"]).get("acr") == acr


def test_the_subject_can_be_missing_and_the_user_information_is_still_signed(service):
    service.client.arm("drift", operation="userinfo", kind="drop", pointer="/sub")
    told = service.told()
    assert "sub" not in told
    assert told["family_name"] == "BARTHÉLÉMY"


@pytest.mark.parametrize("code", [401, 500, 502, 503])
@pytest.mark.parametrize("operation", ["token", "userinfo"])
def test_servers_can_be_refused(service, code, operation):
    token = service.tokens()["access_token"]
    again = service.code(prompt="login")
    service.client.arm("status", operation=operation, code=code)
    reply = service.redeem(again) if operation == "token" else service.userinfo(token)
    assert reply.status == code


def test_a_success_can_be_a_text(service):
    token = service.tokens()["access_token"]
    service.client.arm("html_200", operation="userinfo", body="indisponible")
    reply = service.userinfo(token)
    assert (reply.status, reply.body) == (200, b"indisponible")


def test_an_answer_can_be_late(service):
    token = service.tokens()["access_token"]
    service.client.arm("latency", operation="userinfo", ms=20, times=1)
    assert service.userinfo(token).status == 200


def test_a_withdrawn_client_is_refused(service):
    code = service.code()
    service.client.arm("auth_revoked")
    assert service.redeem(code).json["error"] == "invalid_client"
    assert service.ask().status == 400


def test_the_journal_counts_and_names_nobody(service):
    service.told()
    entries = service.client.journal()
    kinds = [entry["effect"]["kind"] for entry in entries if entry["effect"]]
    assert kinds == ["code.issued", "tokens.issued"]
    text = str(entries)
    assert "BARTHÉLÉMY" not in text
    assert "v1" not in text


def test_a_reset_forgets_codes_tokens_and_sessions(service):
    token, code = service.tokens()["access_token"], service.code()
    service.client.call("POST", "/_mock/reset")
    assert service.userinfo(token).status == 401
    assert service.redeem(code).status == 400
    assert service.ask().status == 200


# settings and people


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"clients": {}}, "clients"),
        ({"unknown": 1}, "unknown"),
        ({"unverified": {"nonce": 1}}, "nonce"),
        ({"clients": {"a": {"name": "A", "redirect_uris": []}}}, "secret or keys"),
        ({"clients": {"a": {"secret": "s", "redirect_uris": []}}}, "name"),
        ({"clients": {"a": "text"}}, "object"),
        (
            {"clients": {"a": {"name": "A", "secret": "s", "redirect_uris": [], "scopes": ["x"]}}},
            "scopes",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(settings_of, changes, says):
    with pytest.raises(ValueError, match=says):
        build({**settings_of("franceconnect"), **changes})


def test_every_person_is_shaped_as_the_register_shapes_them():
    for person in PEOPLE.values():
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", person.birthdate)
        assert re.fullmatch(r"99\d{3}", person.birthcountry)
        assert person.gender in {"male", "female", "unspecified"}
        assert person.email is None or person.email.endswith("@example.org")
        if person.birthcountry == "99100":
            assert re.fullmatch(r"(?:2[AB]|[0-9]{2})[0-9]{3}", person.birthplace)
