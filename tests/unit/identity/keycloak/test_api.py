"""What the Admin API's answers become; the real server's own are in tests/integration/test_keycloak_*.py."""

import pytest
import requests
import responses

from identity.keycloak import AdminApi, Credentials, Provisioning, Server
from identity.keycloak.wanted import Installation
from schemas.errors import (
    IdentityContractBrokenError,
    IdentityRefusedError,
    IdentityUnavailableError,
)

URL = "https://idp.example.org"
TOKEN = f"{URL}/realms/master/protocol/openid-connect/token"
REALM = f"{URL}/admin/realms/city"
WAITING_PAGE = "<html>Maintenance</html>"


@pytest.fixture
def wire():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        mocked.post(TOKEN, json={"access_token": "t", "expires_in": 60})
        yield mocked


@pytest.fixture
def api():
    return AdminApi(Server(url=URL), Credentials.of_administrator("admin", "the-password"))


def test_what_is_not_there_is_nothing(wire, api):
    wire.get(REALM, status=404, json={"error": "Realm not found."})

    assert api.get("/city") is None


def test_what_is_made_gives_its_id(wire, api):
    wire.post(f"{REALM}/clients", status=201, headers={"Location": f"{REALM}/clients/an-id"})

    assert api.post("/city/clients", {}) == "an-id"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_server_in_trouble_is_away_and_the_creation_was_sent_once(wire, api, status):
    wire.post(f"{REALM}/clients", status=status, body=WAITING_PAGE)

    with pytest.raises(IdentityUnavailableError) as refused:
        api.post("/city/clients", {})

    assert "relancez la même commande" in refused.value.detail
    assert len([call for call in wire.calls if call.request.url.endswith("/clients")]) == 1


@pytest.mark.parametrize("fault", [requests.ConnectionError, requests.Timeout])
def test_a_server_that_does_not_answer_is_away(wire, api, fault):
    wire.get(REALM, body=fault())

    with pytest.raises(IdentityUnavailableError):
        api.get("/city")


def test_a_page_where_an_answer_was_due_is_told_as_such(wire, api):
    wire.get(REALM, body=WAITING_PAGE)

    with pytest.raises(IdentityContractBrokenError, match="mandataire"):
        api.get("/city")


def test_a_page_where_a_token_was_due_is_told_as_such(api):
    with responses.RequestsMock() as wire:
        wire.post(TOKEN, body=WAITING_PAGE)

        with pytest.raises(IdentityContractBrokenError):
            api.get("/city")


def test_an_unauthorised_answer_names_the_scope_that_is_missing(wire, api):
    wire.get(REALM, status=401, json={"error": "HTTP 401 Unauthorized"})

    with pytest.raises(IdentityRefusedError, match="kc-admin-api"):
        api.get("/city")


def test_a_forbidden_act_names_what_is_missing(wire, api):
    wire.put(REALM, status=403, json={"error": "unknown_error"})

    with pytest.raises(IdentityRefusedError, match="realm-management"):
        api.put("/city", {})


def test_a_conflict_is_told_with_the_servers_reason_and_nothing_of_ours(wire, api):
    wire.post(f"{REALM}/clients", status=409, json={"errorMessage": "Client already exists"})

    with pytest.raises(IdentityRefusedError) as refused:
        api.post("/city/clients", {"secret": "of-value"})

    assert refused.value.detail == "409 (POST /admin/realms/city/clients) : Client already exists"


@pytest.mark.parametrize(
    ("status", "told"), [(401, "vérifiez le nom et le secret"), (404, "n'existe pas")]
)
def test_an_account_that_is_refused_is_told_without_its_password(api, status, told):
    with responses.RequestsMock() as wire:
        wire.post(TOKEN, status=status, json={"error": "invalid_grant"})

        with pytest.raises(IdentityRefusedError) as refused:
            api.get("/city")

    assert told in refused.value.detail
    assert "the-password" not in str(refused.value) + repr(api.__dict__)


def test_a_token_server_in_trouble_is_away(api):
    with responses.RequestsMock() as wire:
        wire.post(TOKEN, status=503, body=WAITING_PAGE)

        with pytest.raises(IdentityUnavailableError):
            api.get("/city")


def test_an_answer_of_another_shape_stops_the_run_at_its_step(wire, api):
    ours = Installation(
        public_url="https://p.example.org", citizens="city", staff="staff", certificate="MIIB"
    )
    wire.get(REALM, json=["no", "realm"])

    report = Provisioning(ours, {"city": api}).check()

    assert report.stopped.step == "city, royaume"
    assert isinstance(report.stopped.error, IdentityContractBrokenError)
    assert not report.is_as_wanted


def test_what_is_removed_or_done_where_nothing_is_is_well(wire, api):
    missing = {"error": "User not found"}
    wire.delete(f"{REALM}/users/an-id", status=404, json=missing)
    wire.post(f"{REALM}/users/an-id/logout", status=404, json=missing)

    assert api.remove("/city/users/an-id") is False
    assert api.act("/city/users/an-id/logout") is False


def test_a_proxy_that_hides_the_administration_does_not_mean_that_all_is_done(wire, api):
    wire.delete(f"{REALM}/users/an-id", status=404, body=WAITING_PAGE)
    wire.get(f"{REALM}/users/an-id", status=404, body=WAITING_PAGE)

    for call in (api.remove, api.get):
        with pytest.raises(IdentityContractBrokenError) as refused:
            call("/city/users/an-id")
        assert "mandataire" in refused.value.detail


@pytest.mark.parametrize("status", [401, 403, 409])
def test_a_refusal_about_a_person_does_not_name_them(wire, api, status):
    wire.delete(
        f"{REALM}/users/an-id/federated-identity/x", status=status, json={"error": "an-id: no"}
    )

    with pytest.raises(IdentityRefusedError) as refused:
        api.remove("/city/users/an-id/federated-identity/x")

    assert "an-id" not in refused.value.detail
