"""A link taken away from its person at a real Keycloak, by the account that the running hub has."""

import secrets
from types import SimpleNamespace

import pytest

from identity.keycloak import (
    RUNTIME,
    AdminApi,
    Credentials,
    Installation,
    RealmAccounts,
    Server,
)
from identity.names import FC_SUB, KC_USER
from identity.saml import SamlConfig
from identity.saml.keys import new_key_pair
from identity.saml.provider import ServiceProvider
from schemas.errors import IdentityRefusedError, IdentityUnavailableError
from schemas.logins import Face
from tests.integration.brokered import (
    FRANCECONNECT,
    HUB,
    OneRealm,
    Visit,
    bare,
    citizens_only,
    doubles,
)

pytestmark = pytest.mark.keycloak


@pytest.fixture(scope="module")
def world(keycloak, keycloak_api):
    """A realm with FranceConnect's double behind it, and our service provider."""
    key, certificate = new_key_pair(HUB)
    name = f"citizens-{secrets.token_hex(4)}"
    with doubles(realm_url=f"{keycloak.url}/realms/{name}") as behind:
        ours = Installation(
            public_url=HUB,
            citizens=name,
            staff=f"{name}-staff",
            certificate=bare(certificate),
            providers=(behind[FRANCECONNECT].provider(),),
        )
        realms = citizens_only(keycloak, keycloak_api, ours)
        config = SamlConfig(
            face=Face.CITIZEN,
            public_url=HUB,
            key_pem=key,
            certificate_pem=certificate,
            idp_entity_id=realms.citizens,
        )
        provider = ServiceProvider(config=config, descriptors=OneRealm(realms.citizens))
        yield SimpleNamespace(realms=realms, provider=provider)


@pytest.fixture(scope="module")
def realms(world):
    return world.realms


@pytest.fixture(scope="module")
def accounts(realms):
    """The realm's accounts, as the hub's own service account may change them."""
    return RealmAccounts(running(realms), realms.ours.citizens)


def running(realms, *, url=None, secret=None):
    who = Credentials.of_client(realms.ours.citizens, RUNTIME, secret or realms.secret(RUNTIME))
    return AdminApi(Server(url=url or realms.server.url, timeout_seconds=10), who)


@pytest.fixture
def visit(world):
    made = []

    def begun():
        made.append(Visit(world.provider))
        return made[-1]

    yield begun
    for each in made:
        each.browser.close()


def there(realms, account, what=""):
    return realms.api.get(f"/{realms.ours.citizens}/users/{account}{what}")


def link_of(found):
    return {
        "alias": FRANCECONNECT,
        "subject": found.value(FC_SUB),
        "accounts": (found.value(KC_USER),),
    }


def test_an_account_nobody_enters_any_more_goes_and_its_person_may_come_back(
    visit, realms, accounts
):
    found = visit().sign_in("marseille")
    assert there(realms, found.value(KC_USER), "/sessions")

    accounts.take_away(**link_of(found))
    assert there(realms, found.value(KC_USER)) is None
    accounts.take_away(**link_of(found))

    again = visit().sign_in("marseille")
    assert again.value(FC_SUB) == found.value(FC_SUB)
    assert again.value(KC_USER) != found.value(KC_USER)


def test_an_account_with_a_password_stays_without_link_and_without_sessions(
    visit, realms, accounts
):
    found = visit().sign_in("oe")
    account = found.value(KC_USER)
    password = {"type": "password", "value": "Un-mot-de-passe-1", "temporary": False}
    realms.api.put(f"/{realms.ours.citizens}/users/{account}/reset-password", password)

    accounts.take_away(**link_of(found))

    assert there(realms, account)["id"] == account
    assert there(realms, account, "/federated-identity") == []
    assert there(realms, account, "/sessions") == []


def test_the_link_is_found_at_another_account_of_the_person(visit, realms, accounts):
    found, own = visit().sign_in("long"), realms.person("a.person")
    link = link_of(found)

    accounts.take_away(**link | {"accounts": (own, *link["accounts"])})

    assert there(realms, own)["id"] == own
    assert there(realms, found.value(KC_USER)) is None


def test_a_link_with_somebody_else_stays(visit, realms, accounts):
    found = visit().sign_in("mayotte")

    accounts.take_away(**link_of(found) | {"subject": "somebody-else"})

    (kept,) = there(realms, found.value(KC_USER), "/federated-identity")
    assert kept["userId"] == found.value(FC_SUB)


def test_a_wrong_secret_is_for_a_person_to_mend_and_names_nobody(visit, realms):
    refused = RealmAccounts(running(realms, secret="wrong"), realms.ours.citizens)

    with pytest.raises(IdentityRefusedError):
        refused.take_away(alias=FRANCECONNECT, subject="s", accounts=("an-account",))


def test_an_account_without_its_roles_is_told_so_and_nobody_is_named(realms):
    api, citizens = realms.api, f"/{realms.ours.citizens}"
    user = api.get(f"{citizens}/clients/{realms.client(RUNTIME)['id']}/service-account-user")
    management = realms.client("realm-management")["id"]
    path = f"{citizens}/users/{user['id']}/role-mappings/clients/{management}"
    held = api.get(path)
    api.delete(path, held)
    try:
        with pytest.raises(IdentityRefusedError) as caught:
            RealmAccounts(running(realms), realms.ours.citizens).take_away(
                alias=FRANCECONNECT, subject="a-subject", accounts=("an-account",)
            )
    finally:
        api.post(path, held)

    assert caught.value.detail.startswith("403")
    assert not {"an-account", "a-subject"} & set(caught.value.detail.replace("/", " ").split())


def test_a_realm_that_is_away_is_told_later(realms):
    away = RealmAccounts(running(realms, url="http://127.0.0.1:1"), realms.ours.citizens)

    with pytest.raises(IdentityUnavailableError):
        away.take_away(alias=FRANCECONNECT, subject="s", accounts=("an-account",))
