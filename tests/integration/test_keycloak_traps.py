"""What Keycloak and its library do that surprises: each trap as it is, so that an upgrade that changes one is seen."""

import time

import pytest
import requests
from keycloak import KeycloakAdmin, KeycloakOpenIDConnection
from keycloak.exceptions import KeycloakError, KeycloakGetError, KeycloakPostError

from identity.keycloak import AdminApi, Credentials, Server
from identity.names import HUB_CLIENT
from schemas.errors import IdentityRefusedError
from schemas.logins import Face
from tests.plugins.keycloak import PASSWORD

CHECKED_FROM = (26, 8, 2)


@pytest.fixture(scope="module")
def realms(make_realms):
    return make_realms(faces=("citizens",))


@pytest.fixture(scope="module")
def library(realms):
    """The library's own methods on the citizens' realm."""
    connection = KeycloakOpenIDConnection(
        server_url=f"{realms.server.url}/",
        username=realms.server.administrator,
        password=realms.server.password,
        user_realm_name="master",
        realm_name=realms.ours.citizens,
    )
    return KeycloakAdmin(connection=connection)


@pytest.fixture
def person(realms):
    """Somebody of the realm, gone after the test."""
    identifier = realms.person(f"p{time.monotonic_ns()}", email="camille@example.org")
    yield identifier
    realms.api.delete(f"/{realms.ours.citizens}/users/{identifier}")


@pytest.fixture
def account(realms):
    """Make a service account with roles of realm-management, and speak as it."""
    made = []

    def make(*roles, scope=True):
        name, citizens = f"compte-{time.monotonic_ns()}", f"/{realms.ours.citizens}"
        body = {"clientId": name, "serviceAccountsEnabled": True, "standardFlowEnabled": False}
        identifier = realms.api.post(f"{citizens}/clients", body)
        made.append(identifier)
        user = realms.api.get(f"{citizens}/clients/{identifier}/service-account-user")
        management = realms.client("realm-management")
        models = [
            realms.api.get(f"{citizens}/clients/{management['id']}/roles/{role}") for role in roles
        ]
        path = f"{citizens}/users/{user['id']}/role-mappings/clients/{management['id']}"
        realms.api.post(path, models)
        if scope:
            _give_admin_scope(realms, identifier)
        who = Credentials.of_client(realms.ours.citizens, name, realms.secret(name))
        return AdminApi(Server(url=realms.server.url), who)

    yield make
    for identifier in made:
        realms.api.delete(f"/{realms.ours.citizens}/clients/{identifier}")


def test_trap_1_an_existing_realm_cannot_be_skipped(library, realms):
    with pytest.raises(TypeError):
        library.create_realm({"realm": realms.ours.citizens}, skip_exists=True)


def test_trap_2_the_description_as_xml_breaks_the_librarys_own_type_check(library, realms):
    client = realms.client(realms.ours.saml_address(Face.CITIZEN, "metadata"))

    with pytest.raises(TypeError):
        library.get_client_installation_provider(client["id"], "saml-sp-descriptor")
    with pytest.raises(KeycloakGetError):  # the realm's own is no longer offered there
        library.get_client_installation_provider(client["id"], "saml-idp-descriptor")

    address = f"{realms.citizens}/protocol/saml/descriptor"
    assert b"EntityDescriptor" in requests.get(address, timeout=30).content


def test_trap_3_the_library_would_send_a_creation_twice_and_ours_does_not(library, realms):
    theirs = library.connection._s.get_adapter(realms.server.url).max_retries
    ours = realms.api._connection._s.get_adapter(realms.server.url).max_retries

    assert theirs.total == 1
    assert "POST" in theirs.allowed_methods
    assert ours.total == 0


def test_trap_3_what_is_there_already_is_a_409_and_no_success(library, realms):
    with pytest.raises(KeycloakPostError) as refused:
        library.create_client({"clientId": "portal"})

    assert refused.value.response_code == 409
    with pytest.raises(IdentityRefusedError, match="409"):
        realms.api.post(f"/{realms.ours.citizens}/clients", {"clientId": "portal"})


def test_trap_4_an_existing_user_is_returned_whatever_was_sent_and_names_are_lowered(library):
    first = library.create_user({"username": "Camille.Un"})
    again = library.create_user({"username": "Camille.Un", "firstName": "Autre"}, exist_ok=True)

    assert again == first
    assert library.get_user(first).get("firstName") is None
    assert library.get_user(first)["username"] == "camille.un"
    assert library.get_user_id("CAMILLE.UN") == first
    library.delete_user(first)


def test_trap_5_an_update_that_leaves_attributes_out_wipes_them(library, realms):
    declared = {"birthdate": ["1990-01-02"], "gender": ["female"]}
    person = realms.person("trap-5", attributes=declared)

    library.update_user(person, {"attributes": {"birthdate": ["1990-01-03"]}})

    assert library.get_user(person)["attributes"] == {"birthdate": ["1990-01-03"]}
    library.delete_user(person)


def test_trap_6_an_unknown_client_is_none_and_none_goes_into_the_next_address(library):
    assert library.get_client_id("nobody-s-client") is None
    with pytest.raises(KeycloakGetError) as refused:
        library.get_client(library.get_client_id("nobody-s-client"))
    assert refused.value.response_code == 404
    with pytest.raises(KeycloakGetError):
        library.get_group_by_path("/no/such/group")


def test_trap_7_the_reason_is_in_the_body_and_the_message_is_bytes(library):
    with pytest.raises(KeycloakError) as refused:
        library.create_client({"clientId": "portal"})

    assert b"errorMessage" in refused.value.response_body
    assert isinstance(refused.value.error_message, bytes)


def test_trap_8_a_service_account_has_no_refresh_token_and_is_renewed_all_the_same(realms):
    name = "parvis-runtime"
    connection = KeycloakOpenIDConnection(
        server_url=f"{realms.server.url}/",
        realm_name=realms.ours.citizens,
        client_id=name,
        client_secret_key=realms.secret(name),
    )
    admin = KeycloakAdmin(connection=connection)
    admin.get_users({"max": 1})
    first = connection.token

    connection.refresh_token()

    assert "refresh_token" not in first
    assert connection.token["access_token"] != first["access_token"]
    assert admin.get_users({"max": 1}) is not None


def test_trap_9_the_admin_api_wants_a_scope_in_a_token_but_on_an_older_server(account, realms):
    users = f"/{realms.ours.citizens}/users"
    without, with_it = account("view-users", scope=False), account("view-users", scope=True)

    if realms.server.version < CHECKED_FROM:
        assert without.get(users, max="1") is not None
    else:
        with pytest.raises(IdentityRefusedError, match="kc-admin-api"):
            without.get(users, max="1")
    assert with_it.get(users, max="1") is not None


def test_trap_9_our_two_accounts_carry_the_scope_where_there_is_one(realms):
    for name in ("parvis-provisioning", "parvis-runtime"):
        has_scope = "kc-admin-api" in realms.client(name)["defaultClientScopes"]
        assert has_scope is (realms.server.version >= CHECKED_FROM)


def test_trap_9_a_server_without_the_scope_is_told_so(realms):
    report = realms.provisioning(faces=("citizens",)).check()
    skipped = [finding for finding in report.findings if str(finding.change) == "skipped"]

    assert bool(skipped) is (realms.server.version < CHECKED_FROM)
    assert report.is_as_wanted


def test_trap_10_who_manages_clients_manages_their_mappers_only_on_an_older_server(account, realms):
    api = account("manage-clients")

    assert _may_add_a_mapper(api, realms) is (realms.server.version < CHECKED_FROM)


def test_trap_10_who_manages_the_realm_too_manages_mappers(account, realms):
    assert _may_add_a_mapper(account("manage-clients", "manage-realm"), realms)


def test_trap_11_a_client_that_registers_itself_has_all_scopes_only_on_an_older_server(realms):
    citizens = f"/{realms.ours.citizens}"
    said = realms.api._connection.raw_post(
        f"admin/realms{citizens}/clients-initial-access", '{"count": 1, "expiration": 60}'
    )
    answer = requests.post(
        f"{realms.citizens}/clients-registrations/default",
        json={"clientId": "inscrit-seul"},
        headers={"Authorization": f"Bearer {said.json()['token']}"},
        timeout=30,
    )

    assert answer.status_code == 201
    full = realms.client("inscrit-seul")["fullScopeAllowed"]
    assert full is (realms.server.version < CHECKED_FROM)


# --- people --------------------------------------------------------------------------------------


def test_an_attribute_nobody_declared_is_dropped_without_a_word(realms):
    attributes = {"birthplace": ["13055"], "favourite_colour": ["bleu"]}
    person = realms.person("sans-couleur", attributes=attributes)

    kept = realms.api.get(f"/{realms.ours.citizens}/users/{person}")["attributes"]

    assert kept == {"birthplace": ["13055"]}


def test_civil_status_is_refused_from_the_person_and_taken_from_an_administrator(realms):
    person = realms.person("coquille", attributes={"birth_name": ["MARTIN"]})
    path = f"/{realms.ours.citizens}/users/{person}"
    headers = _as_the_person(realms, "coquille", person)
    account = f"{realms.citizens}/account"
    mine = requests.get(account, headers=headers, timeout=30).json()
    mine["attributes"] = {**mine.get("attributes", {}), "birth_name": ["DURAND"]}

    answer = requests.post(account, headers=headers, json=mine, timeout=30)

    assert "birth_name" not in requests.get(account, headers=headers, timeout=30).text
    assert answer.status_code in {204, 400}
    assert realms.api.get(path)["attributes"]["birth_name"] == ["MARTIN"]


def test_a_person_cannot_touch_linked_logins_behind_the_hub(realms):
    person = realms.person("sans-lien")
    headers = _as_the_person(realms, "sans-lien", person, manages=False)

    answer = requests.delete(
        f"{realms.citizens}/account/linked-accounts/france-connect", headers=headers, timeout=30
    )

    assert answer.status_code == 403


def test_a_stored_name_id_is_shown_to_administrators_and_survives_an_update(realms, library):
    """Only a sign-in stores one: here the attribute an administrator writes is dropped instead."""
    client = realms.ours.saml_address(Face.CITIZEN, "metadata")
    name = f"saml.persistent.name.id.for.{client}"
    person = realms.person("sans-nom", attributes={name: ["G-of-somebody-else"]})

    library.update_user(person, {"firstName": "X", "attributes": {name: ["G-of-somebody-else"]}})

    assert name not in realms.api.get(f"/{realms.ours.citizens}/users/{person}").get(
        "attributes", {}
    )


def _may_add_a_mapper(api, realms):
    citizens = f"/{realms.ours.citizens}"
    path = f"{citizens}/clients/{realms.client(HUB_CLIENT)['id']}/protocol-mappers/models"
    mapper = {
        "name": f"essai-{time.monotonic_ns()}",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {"included.custom.audience": "x"},
    }
    try:
        identifier = api.post(path, mapper)
    except IdentityRefusedError:
        return False
    realms.api.delete(f"{path}/{identifier}")
    return True


def _give_admin_scope(realms, client):
    citizens = f"/{realms.ours.citizens}"
    for scope in realms.api.get(f"{citizens}/client-scopes"):
        if scope["name"] == "kc-admin-api":
            realms.api.put(f"{citizens}/clients/{client}/default-client-scopes/{scope['id']}")


def _as_the_person(realms, username, person, *, manages=True):
    """The headers of somebody signed in to their account, who may change it or only look."""
    citizens = f"/{realms.ours.citizens}"
    if not realms.api.get(f"{citizens}/clients", clientId="essais"):
        body = {"clientId": "essais", "publicClient": True, "directAccessGrantsEnabled": True}
        realms.api.post(f"{citizens}/clients", body)
    if manages:
        console = realms.client("account")
        role = realms.api.get(f"{citizens}/clients/{console['id']}/roles/manage-account")
        realms.api.post(f"{citizens}/users/{person}/role-mappings/clients/{console['id']}", [role])
    said = requests.post(
        f"{realms.citizens}/protocol/openid-connect/token",
        data={
            "grant_type": "password",
            "client_id": "essais",
            "username": username,
            "password": PASSWORD,
        },
        timeout=30,
    ).json()
    return {"Authorization": f"Bearer {said['access_token']}", "Accept": "application/json"}
