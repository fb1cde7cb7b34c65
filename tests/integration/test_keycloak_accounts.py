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
from identity.names import FC_ACR, FC_SUB, IDP_ALIAS, KC_USER
from identity.saml import SamlConfig
from identity.saml.keys import new_key_pair
from identity.saml.provider import ServiceProvider
from orchestrator.services.ports.citizen_space import Unlinking
from orchestrator.services.realm_effects import RealmEffects
from orchestrator.services.reconciliation import Differs, Reconciliation
from orchestrator.store.citizen_space import CitizenSpaceTable
from orchestrator.store.connections import Database
from orchestrator.store.known_people import KnownPeopleReader
from orchestrator.store.realm_effects import RealmEffectTable
from parvis.realm_accounts import LiveAccounts
from schemas.errors import IdentityRefusedError, IdentityUnavailableError
from schemas.logins import CIVIL_STATUS, Face, SamlPurpose
from tests.integration.brokered import (
    FRANCECONNECT,
    HUB,
    OneRealm,
    Visit,
    bare,
    citizens_only,
    doubles,
)
from tests.integration.test_sign_in import Desk

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


# --- with the hub's own rows ------------------------------------------------------------------------


@pytest.fixture
def desk(realms, fresh_database, vault, hub_keys):
    """The hub, where people of this realm sign in."""
    with fresh_database() as address:
        database = Database(address)
        made = Desk(database, vault, hub_keys)
        made.realm.issuer = realms.citizens
        yield made
        database.close()


def known(desk, found):
    """Sign somebody in at the hub as the realm's own answer says."""
    said = {name: found.value(name) for name in (KC_USER, FC_SUB, FC_ACR, IDP_ALIAS, *CIVIL_STATUS)}
    said = {name: value for name, value in said.items() if value}
    return desk.session({"name_id": found.name_id, **said})


def told(desk, accounts, realms, vault):
    comparing = Reconciliation(
        people=KnownPeopleReader(database=desk.database, vault=vault),
        realm=accounts,
        issuer=realms.citizens,
    )
    return sorted((one.kind, one.alias) for one in comparing.differences())


def test_a_login_taken_away_at_the_hub_is_taken_away_at_the_realm(
    visit, desk, accounts, realms, vault
):
    found, own = visit().sign_in("polynesie"), realms.person("own.account")
    session = known(desk, found)
    local = {"name_id": "G-own", KC_USER: own, "email_verified": "true"}
    session = desk.use.session(desk.sign_in(local, SamlPurpose.LINK, session=session).cookie)
    assert told(desk, accounts, realms, vault) == []

    space = CitizenSpaceTable(database=desk.database, vault=vault)
    login = desk.database.one("SELECT id FROM login WHERE alias = %s", (FRANCECONNECT,))["id"]
    space.unlink(
        Unlinking(
            citizen_id=session.citizen_id,
            login_id=login,
            session_id=session.id,
            proved_by="realm",
        )
    )
    effects = RealmEffects(
        rows=RealmEffectTable(database=desk.database, vault=vault),
        issuer=realms.citizens,
        accounts=lambda: LiveAccounts(accounts=accounts),
    )

    assert effects.carry_out() == 1
    assert there(realms, found.value(KC_USER)) is None
    assert there(realms, own)["id"] == own
    assert told(desk, accounts, realms, vault) == []


def test_what_was_done_behind_the_hubs_back_is_listed(visit, desk, accounts, realms, vault):
    gone, unlinked, named = (visit().sign_in(who) for who in ("corse_sud", "haute_corse", "forte"))
    for found in (gone, unlinked, named):
        known(desk, found)
    own = realms.person("somebody.else")
    desk.session({"name_id": "G-else", KC_USER: own, "email_verified": "true"})
    users = f"/{realms.ours.citizens}/users"
    realms.api.delete(f"{users}/{gone.value(KC_USER)}")
    realms.api.delete(f"{users}/{unlinked.value(KC_USER)}/federated-identity/{FRANCECONNECT}")
    link = {"userId": unlinked.value(FC_SUB), "userName": "somebody"}
    realms.api.post(f"{users}/{own}/federated-identity/{FRANCECONNECT}", link)
    give_one_name(realms, named.value(KC_USER))

    assert told(desk, accounts, realms, vault) == [
        (Differs.ACCOUNT_GONE, None),
        (Differs.LINK_ELSEWHERE, FRANCECONNECT),
        (Differs.LINK_GONE, FRANCECONNECT),
        (Differs.LINK_GONE, FRANCECONNECT),
        (Differs.ONE_NAME, None),
    ]


def give_one_name(realms, account):
    """What an administrator who opens the profile can do to a person."""
    path, user = (
        f"/{realms.ours.citizens}/users/profile",
        f"/{realms.ours.citizens}/users/{account}",
    )
    profile = realms.api.get(path)
    realms.api.put(path, {**profile, "unmanagedAttributePolicy": "ADMIN_EDIT"})
    found = realms.api.get(user)
    name = {"saml.persistent.name.id.for.*": ["one-name"]}
    realms.api.put(user, {**found, "attributes": {**found.get("attributes", {}), **name}})
    realms.api.put(path, profile)
