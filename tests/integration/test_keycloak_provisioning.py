"""Both realms set up on the real server: idempotent, telling drift, touching nothing of others."""

import dataclasses

import pytest
import requests

from identity.keycloak import (
    AdminApi,
    Change,
    Credentials,
    Installation,
    Provider,
    Provisioning,
    Server,
)
from identity.names import FC_ACR, FC_SUB, HUB_CLIENT, HUB_SCOPE, IDP_ALIAS, KC_USER, USERNAME
from schemas.errors import IdentityRefusedError, IdentityUnavailableError
from schemas.logins import CIVIL_STATUS, Face

ANOTHER = "https://autre.example.org"
FRANCECONNECT = Provider(
    alias="france-connect",
    title="FranceConnect",
    issuer="http://127.0.0.1:9/api/v2",
    authorization_url="http://127.0.0.1:9/api/v2/authorize",
    token_url="http://127.0.0.1:9/api/v2/token",
    userinfo_url="http://127.0.0.1:9/api/v2/userinfo",
    jwks_url="http://127.0.0.1:9/api/v2/jwks",
    logout_url="http://127.0.0.1:9/api/v2/session/end",
    client_id="parvis-tests",
    secret="a-secret-of-the-tests-only",
    digest_key=b"k" * 32,
    acr_values="eidas1",
)
CITIZENS = ("citizens",)
REDIRECT = "http://127.0.0.1:9/retour"


@pytest.fixture(scope="module")
def realms(make_realms):
    return make_realms(providers=(FRANCECONNECT,), portal_redirects=(REDIRECT,))


@pytest.fixture
def clean(realms):
    """The realms; that of citizens is as it should be again after the test."""
    yield realms
    assert realms.provisioning(faces=CITIZENS).apply().stopped is None


@pytest.fixture(scope="module")
def spare(make_realms):
    """A realm of citizens that tests may leave in disorder."""
    return make_realms(faces=CITIZENS)


def whats(report, *changes):
    return {finding.what for finding in report.of(*changes)}


def mappers(realms, client_id, realm=None):
    return {mapper["name"]: mapper for mapper in realms.client(client_id, realm)["protocolMappers"]}


def server(keycloak):
    return Server(url=keycloak.url)


# --- what is there -------------------------------------------------------------------------------


def test_a_second_run_changes_nothing(realms):
    again = realms.provisioning().apply()

    assert again.is_as_wanted, again
    assert realms.provisioning().check().is_as_wanted


def test_the_citizens_service_provider_asks_for_signatures_and_gets_what_signing_in_reads(realms):
    entity = realms.ours.saml_address(Face.CITIZEN, "metadata")
    client = realms.client(entity)
    told = mappers(realms, entity)

    assert client["fullScopeAllowed"] is False
    assert client["redirectUris"] == [realms.ours.saml_address(Face.CITIZEN, "acs")]
    assert client["attributes"]["saml.client.signature"] == "true"
    assert client["attributes"]["saml_name_id_format"] == "persistent"
    assert {KC_USER, FC_ACR, FC_SUB, IDP_ALIAS, "email_verified", *CIVIL_STATUS} <= told.keys()
    assert {mapper["config"]["attribute.nameformat"] for mapper in told.values()} == {"Basic"}
    assert "saml-audience-mapper" not in {mapper["protocolMapper"] for mapper in told.values()}


def test_the_staff_service_provider_is_told_the_account_and_nothing_about_citizens(realms):
    told = mappers(realms, realms.ours.saml_address(Face.CONSOLE, "metadata"), realms.ours.staff)

    assert told.keys() == {KC_USER, USERNAME}


def test_staff_cannot_sign_in_without_a_second_factor(realms):
    realm = realms.api.get(f"/{realms.ours.staff}")
    steps = realms.api.get(
        f"/{realms.ours.staff}/authentication/flows/{realm['browserFlow']}/executions"
    )
    asked = {step.get("providerId"): step["requirement"] for step in steps}

    assert asked["auth-otp-form"] == "REQUIRED"
    assert asked["auth-username-password-form"] == "REQUIRED"


def test_a_first_login_never_links_by_itself_and_trusts_no_mail(realms):
    provider = realms.api.get(f"/{realms.ours.citizens}/identity-provider/instances/france-connect")
    flow = provider["firstBrokerLoginFlowAlias"]
    steps = realms.api.get(f"/{realms.ours.citizens}/authentication/flows/{flow}/executions")
    used = {step.get("providerId") for step in steps if step["requirement"] != "DISABLED"}

    assert provider["trustEmail"] is False
    assert provider["storeToken"] is False
    assert "idp-username-password-form" in used
    assert not used & {"idp-auto-link", "idp-email-verification", "idp-review-profile"}


def test_events_end_and_guesses_are_slowed_down(realms):
    for name in (realms.ours.citizens, realms.ours.staff):
        realm = realms.api.get(f"/{name}")
        assert realm["bruteForceProtected"]
        assert realm["eventsExpiration"] == int(realm["attributes"]["adminEventsExpiration"])
        assert realm["adminEventsEnabled"]
        assert not realm["adminEventsDetailsEnabled"]


# --- drift ---------------------------------------------------------------------------------------


def test_a_check_tells_drift_and_mends_nothing(clean):
    path = f"/{clean.ours.citizens}"
    clean.api.put(path, {**clean.api.get(path), "bruteForceProtected": False})
    entity = clean.ours.saml_address(Face.CITIZEN, "metadata")
    client = clean.client(entity)
    client["attributes"]["saml.client.signature"] = "false"
    clean.api.put(f"{path}/clients/{client['id']}", client)

    report = clean.provisioning(faces=CITIZENS).check()

    details = "\n".join(detail for finding in report.findings for detail in finding.details)
    assert not report.is_as_wanted
    assert "bruteForceProtected : oui voulu, non trouvé" in details
    assert "saml.client.signature : « true » voulu, « false » trouvé" in details
    assert not clean.api.get(path)["bruteForceProtected"]


def test_what_was_taken_away_or_altered_comes_back(realms):
    citizens = f"/{realms.ours.citizens}"
    entity = realms.ours.saml_address(Face.CITIZEN, "metadata")
    client = realms.client(entity)
    models = f"{citizens}/clients/{client['id']}/protocol-mappers/models"
    told = mappers(realms, entity)
    realms.api.delete(f"{models}/{told[KC_USER]['id']}")
    altered = {**told[FC_ACR], "config": {**told[FC_ACR]["config"], "note": "another"}}
    realms.api.put(f"{models}/{told[FC_ACR]['id']}", altered)

    assert realms.provisioning(faces=CITIZENS).apply().stopped is None

    told = mappers(realms, entity)
    assert told[KC_USER]["config"]["user.attribute"] == "id"
    assert told[FC_ACR]["config"]["note"] == "acr"


def test_an_altered_flow_is_built_anew_and_bound_again(realms):
    staff = f"/{realms.ours.staff}"
    path = f"{staff}/authentication/flows/parvis-second-factor/executions"
    otp = next(line for line in realms.api.get(path) if line.get("providerId") == "auth-otp-form")
    realms.api.put(path, {**otp, "requirement": "DISABLED"})

    report = realms.provisioning().apply()

    lines = realms.api.get(path)
    assert report.stopped is None
    assert "REQUIRED" in {
        one["requirement"] for one in lines if one.get("providerId") == "auth-otp-form"
    }
    assert realms.api.get(staff)["browserFlow"] == "parvis-second-factor"
    assert realms.provisioning().check().is_as_wanted


def test_a_changed_secret_of_a_provider_is_noticed_though_the_server_hides_it(realms):
    changed = dataclasses.replace(FRANCECONNECT, secret="another-secret-of-the-tests")

    report = realms.provisioning(faces=CITIZENS, providers=(changed,)).check()

    assert whats(report, Change.CHANGED) == {"fournisseur france-connect"}
    assert "another-secret" not in repr(report)


def test_rights_given_by_hand_are_taken_back(realms):
    citizens = f"/{realms.ours.citizens}"
    runtime = realms.client("parvis-runtime")
    account = realms.api.get(f"{citizens}/clients/{runtime['id']}/service-account-user")
    management = realms.client("realm-management")
    role = realms.api.get(f"{citizens}/clients/{management['id']}/roles/manage-realm")
    mapping = f"{citizens}/users/{account['id']}/role-mappings/clients/{management['id']}"
    realms.api.post(mapping, [role])

    report = realms.provisioning(faces=CITIZENS).apply()

    assert whats(report, Change.CHANGED) == {"client parvis-runtime, rôles du compte"}
    held = {one["name"] for one in realms.api.get(mapping)}
    assert held == {"view-users", "manage-users", "query-clients"}


def test_a_client_no_longer_wanted_is_told_and_left(realms):
    report = realms.provisioning(faces=CITIZENS, portal_redirects=()).apply()

    assert whats(report, Change.LEFT_OVER) == {"client portal-login"}
    assert realms.client("portal-login")


# --- what others made ----------------------------------------------------------------------------


def test_a_realm_of_somebody_else_is_refused_whole(realms):
    other = realms.provisioning(public_url=ANOTHER)

    report = other.apply()

    names = {realms.ours.citizens, realms.ours.staff}
    assert whats(report) == set()
    assert whats(report, Change.FOREIGN) == {f"royaume {name}" for name in names}
    assert {finding.change for finding in report.findings} == {Change.FOREIGN}
    assert realms.provisioning().check().is_as_wanted


def test_a_realm_made_by_hand_is_refused(realms):
    by_hand = f"by-hand-{realms.ours.citizens}"
    realms.api.post("", {"realm": by_hand, "enabled": True, "displayName": "À la main"})
    ours = dataclasses.replace(realms.ours, citizens=by_hand)

    report = Provisioning(ours, {by_hand: realms.api}).apply()

    assert whats(report, Change.FOREIGN) == {f"royaume {by_hand}"}
    assert realms.api.get(f"/{by_hand}")["displayName"] == "À la main"


def test_the_realm_of_the_server_itself_is_never_touched(realms):
    with pytest.raises(IdentityRefusedError, match="master"):
        realms.provisioning(citizens="master")


def test_a_client_a_scope_and_a_provider_of_others_stay_as_they_are(spare):
    made = spare
    citizens = f"/{made.ours.citizens}"
    made.api.delete(f"{citizens}/clients/{made.client('portal')['id']}")
    made.api.post(f"{citizens}/clients", {"clientId": "portal", "name": "À la main"})
    scope = next(
        one for one in made.api.get(f"{citizens}/client-scopes") if one["name"] == HUB_SCOPE
    )
    made.api.delete(f"{citizens}/client-scopes/{scope['id']}")
    made.api.post(f"{citizens}/client-scopes", {"name": HUB_SCOPE, "protocol": "openid-connect"})
    by_hand = {"alias": "france-connect", "providerId": "oidc", "config": {"clientId": "by-hand"}}
    made.api.post(f"{citizens}/identity-provider/instances", by_hand)

    report = made.provisioning(faces=CITIZENS, providers=(FRANCECONNECT,)).apply()

    assert whats(report, Change.FOREIGN) == {
        "client portal",
        f"portée {HUB_SCOPE}",
        "fournisseur france-connect",
    }
    assert made.client("portal")["name"] == "À la main"
    provider = made.api.get(f"{citizens}/identity-provider/instances/france-connect")
    assert provider["config"]["clientId"] == "by-hand"
    made.api.delete(f"{citizens}/clients/{made.client('portal')['id']}")
    scopes = made.api.get(f"{citizens}/client-scopes")
    (theirs,) = (one for one in scopes if one["name"] == HUB_SCOPE)
    made.api.delete(f"{citizens}/client-scopes/{theirs['id']}")
    made.api.delete(f"{citizens}/identity-provider/instances/france-connect")


def test_a_mapper_added_to_our_client_by_hand_is_told(realms):
    entity = realms.ours.saml_address(Face.CITIZEN, "metadata")
    path = f"/{realms.ours.citizens}/clients/{realms.client(entity)['id']}/protocol-mappers/models"
    config = {"included.custom.audience": ANOTHER}
    mapper = {"name": "by hand", "protocol": "saml", "protocolMapper": "saml-audience-mapper"}
    identifier = realms.api.post(path, {**mapper, "config": config})

    report = realms.provisioning(faces=CITIZENS).check()
    realms.api.delete(f"{path}/{identifier}")

    assert whats(report, Change.FOREIGN) == {f"client {entity}, correspondance by hand"}


def test_a_group_that_gives_an_administrators_role_is_told(realms):
    citizens = f"/{realms.ours.citizens}"
    management = realms.client("realm-management")
    role = realms.api.get(f"{citizens}/clients/{management['id']}/roles/manage-clients")
    outer = realms.api.post(f"{citizens}/groups", {"name": "service"})
    group = realms.api.post(f"{citizens}/groups/{outer}/children", {"name": "chefs"})
    realms.api.post(f"{citizens}/groups/{group}/role-mappings/clients/{management['id']}", [role])

    report = realms.provisioning(faces=CITIZENS).check()
    realms.api.delete(f"{citizens}/groups/{outer}")

    assert whats(report, Change.FOREIGN) == {"groupe chefs"}


def test_a_new_public_address_takes_over_what_the_former_made(spare):
    former = spare.ours.public_url

    report = spare.provisioning(faces=CITIZENS, public_url=ANOTHER, formerly=former).apply()

    assert report.stopped is None
    assert f"royaume {spare.ours.citizens}" in whats(report, Change.CHANGED)
    old = spare.ours.saml_address(Face.CITIZEN, "metadata")
    assert f"client {old}" in whats(report, Change.LEFT_OVER)
    back = spare.provisioning(faces=CITIZENS, formerly=ANOTHER).apply()
    assert back.stopped is None
    assert back.of(Change.FOREIGN) == ()


# --- accounts ------------------------------------------------------------------------------------


def test_the_provisioning_account_finds_all_well_and_mends_by_itself(realms, keycloak):
    accounts = {
        name: AdminApi(
            server(keycloak),
            Credentials.of_client(
                name, "parvis-provisioning", realms.secret("parvis-provisioning", name)
            ),
        )
        for name in (realms.ours.citizens, realms.ours.staff)
    }
    entity = realms.ours.saml_address(Face.CITIZEN, "metadata")
    client = realms.client(entity)
    models = f"/{realms.ours.citizens}/clients/{client['id']}/protocol-mappers/models"
    realms.api.delete(f"{models}/{mappers(realms, entity)[KC_USER]['id']}")

    report = Provisioning(realms.ours, accounts).apply()

    assert report.stopped is None
    assert whats(report, Change.CREATED) == {f"client {entity}, correspondance {KC_USER}"}


def test_the_running_account_manages_people_and_nothing_else(realms, keycloak):
    citizens = realms.ours.citizens
    account = Credentials.of_client(citizens, "parvis-runtime", realms.secret("parvis-runtime"))
    api = AdminApi(server(keycloak), account)
    client = realms.client(HUB_CLIENT)

    person = api.post(f"/{citizens}/users", {"username": "vu-par-le-hub", "enabled": True})
    api.delete(f"/{citizens}/users/{person}")

    refused = (
        lambda: api.put(f"/{citizens}", {"displayName": "x"}),
        lambda: api.post(f"/{citizens}/clients", {"clientId": "x"}),
        lambda: api.put(f"/{citizens}/clients/{client['id']}", {"name": "x"}),
        lambda: api.post(f"/{citizens}/clients/{client['id']}/protocol-mappers/models", {}),
        lambda: api.post(f"/{citizens}/identity-provider/instances", {"alias": "x"}),
        lambda: api.post(f"/{citizens}/authentication/flows", {"alias": "x"}),
        lambda: api.get(f"/{realms.ours.staff}"),
    )
    for attempt in refused:
        with pytest.raises(IdentityRefusedError, match=r"40[13]"):
            attempt()


def test_an_application_has_audience_and_roles_only_by_scope_and_scope_mapping(clean, keycloak):
    def token():
        answer = requests.post(
            f"{clean.citizens}/protocol/openid-connect/token",
            data={
                "grant_type": "client_credentials",
                "client_id": "portal",
                "client_secret": clean.secret("portal"),
            },
            timeout=30,
        )
        return _claims(answer.json()["access_token"])

    claims = token()
    assert claims["aud"] == HUB_CLIENT
    assert claims["azp"] == "portal"
    assert claims["resource_access"] == {HUB_CLIENT: {"roles": ["catalogue:read"]}}

    portal, hub = clean.client("portal"), clean.client(HUB_CLIENT)
    citizens = f"/{clean.ours.citizens}"
    mapping = f"{citizens}/clients/{portal['id']}/scope-mappings/clients/{hub['id']}"
    clean.api.delete(mapping, clean.api.get(mapping))
    assert HUB_CLIENT not in token().get("resource_access", {})

    scopes = clean.api.get(f"{citizens}/client-scopes")
    scope = next(one["id"] for one in scopes if one["name"] == HUB_SCOPE)
    clean.api.delete(f"{citizens}/clients/{portal['id']}/default-client-scopes/{scope}")
    assert "aud" not in token()


# --- bad days ------------------------------------------------------------------------------------


def test_a_wrong_password_is_told_with_what_to_do(keycloak, realms):
    api = AdminApi(server(keycloak), Credentials.of_administrator("nobody", "wrong"))

    report = Provisioning(realms.ours, {realms.ours.citizens: api}).apply()

    assert isinstance(report.stopped.error, IdentityRefusedError)
    assert "vérifiez le nom et le secret" in report.stopped.error.detail


def test_a_server_that_is_away_stops_the_run_and_says_how_to_go_on(realms):
    away = AdminApi(
        Server(url="http://127.0.0.1:9", timeout_seconds=3),
        Credentials.of_administrator("nobody", "nothing"),
    )

    report = Provisioning(realms.ours, {realms.ours.citizens: away}).apply()

    assert isinstance(report.stopped.error, IdentityUnavailableError)
    assert "reprend où elle s'est arrêtée" in report.stopped.error.detail


def test_a_run_cut_short_after_any_step_is_finished_by_the_next(realms):
    ours = dataclasses.replace(realms.ours, citizens=f"cut-{realms.ours.citizens}")
    stops = []
    for most in range(3, 200, 4):
        report = Provisioning(ours, {ours.citizens: Cut(realms.api, most)}).apply()
        if report.stopped is None:
            break
        stops.append(report.stopped.step.partition(", ")[2])

    assert set(stops) >= {"clients", "parcours de connexion"}
    assert report.stopped is None
    assert Provisioning(ours, {ours.citizens: realms.api}).check().is_as_wanted


class Cut:
    """The Admin API of a server that goes away after so many writes."""

    def __init__(self, api, left):
        self._api, self._left = api, left

    def get(self, path, **query):
        return self._api.get(path, **query)

    def __getattr__(self, name):
        def write(*arguments):
            self._left -= 1
            if self._left < 0:
                raise IdentityUnavailableError
            return getattr(self._api, name)(*arguments)

        return write


def test_an_installation_shows_no_secret_when_printed():
    ours = Installation(
        public_url="https://p.example.org",
        citizens="c",
        staff="s",
        certificate="MIIB",
        providers=(FRANCECONNECT,),
    )

    assert "secret" not in repr(ours)
    assert "MIIB" not in repr(ours)


def _claims(token):
    import base64
    import json

    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
