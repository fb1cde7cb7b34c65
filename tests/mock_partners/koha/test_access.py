import base64

import pytest

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def test_a_client_gets_a_bearer_token_for_an_hour(start_kind, log_in_as):
    reply = log_in_as(start_kind("koha"))
    assert reply.status == 200
    token = reply.json.pop("access_token")
    assert len(token) == 64
    assert {k: v for k, v in reply.json.items() if k != "access_token"} == {
        "token_type": "Bearer",
        "expires_in": 3600,
    }


def test_the_same_seed_issues_the_same_tokens(start_kind, log_in_as):
    tokens = [log_in_as(start_kind("koha", seed=seed)).json["access_token"] for seed in (4, 4, 5)]
    assert tokens[0] == tokens[1] != tokens[2]


def test_another_grant_is_not_implemented(start_kind, log_in_as):
    reply = log_in_as(start_kind("koha"), grant_type="password")
    assert (reply.status, reply.json) == (400, {"error": "Unimplemented grant type"})


def test_client_credentials_may_be_switched_off(start_kind, log_in_as):
    client = start_kind("koha", preferences={"RESTOAuth2ClientCredentials": False})
    reply = log_in_as(client)
    assert (reply.status, reply.json) == (400, {"error": "Unimplemented grant type"})


@pytest.mark.parametrize("wrong", [{"client_id": "other"}, {"client_secret": "other"}])
def test_a_bad_client_is_forbidden(start_kind, log_in_as, wrong):
    reply = log_in_as(start_kind("koha"), **wrong)
    assert reply.status == 403
    assert set(reply.json) == {"error"}


@pytest.mark.parametrize("header", [None, "Bearer nothing", "Digest x", "Bearer"])
def test_without_a_live_token_authentication_fails(start_kind, header):
    client = start_kind("koha")
    headers = {} if header is None else {"Authorization": header}
    reply = client.call("GET", "/api/v1/patrons", headers=headers)
    assert (reply.status, reply.json) == (401, {"error": "Authentication failure."})


def test_credentials_come_before_the_body(start_kind):
    reply = start_kind("koha").call("POST", "/api/v1/patrons", {"nonsense": 1})
    assert reply.status == 401


def test_a_token_dies_after_an_hour(koha):
    now = koha.client.call("GET", "/_mock/clock").json["now"]
    assert koha.call("GET", "/patrons").status == 200
    later = f"{int(now[:4]) + 1}{now[4:]}"
    koha.client.call("PUT", "/_mock/clock", {"now": later})
    assert koha.call("GET", "/patrons").status == 401


def test_a_token_lives_just_under_an_hour(koha):
    koha.client.call("PUT", "/_mock/clock", {"now": "2030-05-05T10:00:00Z"})
    koha = type(koha)(koha.client)
    koha.client.call("PUT", "/_mock/clock", {"now": "2030-05-05T10:59:55Z"})
    assert koha.call("GET", "/patrons").status == 200
    koha.client.call("PUT", "/_mock/clock", {"now": "2030-05-05T11:00:01Z"})
    assert koha.call("GET", "/patrons").status == 401


def test_a_missing_right_is_named(start_koha):
    koha = start_koha(permissions=["borrowers:edit_borrowers"])
    assert koha.add().status == 201
    reply = koha.call("DELETE", "/patrons/1")
    assert (reply.status, reply.json) == (
        403,
        {
            "error": "Authorization failure. Missing required permission(s).",
            "required_permissions": {"borrowers": "delete_borrowers"},
        },
    )


def test_a_whole_module_may_be_granted(start_koha):
    koha = start_koha(permissions=["borrowers"])
    assert koha.add().status == 201
    assert koha.call("DELETE", "/patrons/1").status == 204
    assert koha.call("GET", "/holds").status == 403


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_basic_authentication_is_off_unless_the_library_allows_it(start_kind):
    reply = start_kind("koha").call(
        "GET", "/api/v1/patrons", headers=basic("robot", "an-invented-password")
    )
    assert (reply.status, reply.json) == (401, {"error": "Basic authentication disabled"})


def test_basic_authentication_where_the_library_allows_it(start_kind):
    client = start_kind("koha", preferences={"RESTBasicAuth": True})
    for user, password, status in (
        ("robot", "an-invented-password", 200),
        ("robot", "wrong", 401),
        ("nobody", "x", 401),
    ):
        reply = client.call("GET", "/api/v1/patrons", headers=basic(user, password))
        assert reply.status == status
    assert client.call("GET", "/api/v1/patrons", headers={"Authorization": "Basic %"}).status == 401


def test_a_lost_session_asks_for_one_new_login(koha, library_of):
    koha.client.arm("session_lost", operation="list_patrons", times=1)
    assert koha.call("GET", "/patrons").status == 401
    assert library_of(koha.client).call("GET", "/patrons").status == 200


def test_revoked_credentials_are_refused_at_both_doors(koha, log_in_as):
    koha.client.arm("auth_revoked")
    assert koha.call("GET", "/patrons").status == 401
    assert log_in_as(koha.client).status == 403


def test_an_error_500_says_what_koha_says(koha):
    koha.client.arm("status", code=500, times=1)
    assert koha.add().json == {"error": "Something went wrong, check Koha logs for details."}


def test_an_unknown_path_is_not_found_in_the_validators_shape(koha):
    reply = koha.call("GET", "/patron")
    assert reply.status == 404
    assert reply.json == {"errors": [{"message": "Not Found.", "path": "/"}], "status": 404}
    assert koha.client.call("GET", "/").status == 404


def test_a_number_in_the_path_must_be_one(koha):
    reply = koha.call("GET", "/patrons/abc")
    assert reply.status == 400
    assert reply.json["errors"][0]["path"] == "/patron_id"


def test_logging_in_changes_nothing_worth_an_effect(koha):
    (entry,) = koha.client.journal()
    assert (entry["operation"], entry["status"], entry["effect"]) == ("token", 200, None)


def test_two_installations_know_nothing_of_each_other(start_koha):
    one, other = start_koha(), start_koha(libraries=["DRA"])
    assert one.add().status == 201
    assert other.call("GET", "/patrons").json == []
    assert other.add().json == {"error": "Given library_id does not exist"}
