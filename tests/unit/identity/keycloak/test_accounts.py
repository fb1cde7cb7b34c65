"""A link taken away at the double of Keycloak, which does what the real server was seen to do."""

import json
from pathlib import Path

import pytest
import requests

from identity.keycloak import RUNTIME, AdminApi, Credentials, RealmAccounts, Server
from mock_partners import MockServer, build
from schemas.errors import (
    IdentityContractBrokenError,
    IdentityRefusedError,
    IdentityUnavailableError,
)

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
SETTINGS = Path("tests/mock_partners/keycloak/settings.json")
ALIAS, SECRET = "france-connect", "an-invented-secret"


class Realm:
    """The double, and what its own control plane and accounts say."""

    def __init__(self, url):
        self.url = url

    def accounts(self, client=RUNTIME, secret=SECRET):
        who = Credentials.of_client("parvis", client, secret)
        return RealmAccounts(AdminApi(Server(url=self.url, timeout_seconds=5), who), "parvis")

    def arm(self, fault, **more):
        body = {"fault": fault, **more}
        requests.post(f"{self.url}/_mock/faults", json=body, timeout=5).raise_for_status()

    def sign_in(self, person):
        """Sign somebody in for the portal; the account's id, as a token says it."""
        page = requests.get(
            f"{self.url}/realms/parvis/protocol/openid-connect/auth",
            params={
                "client_id": "portal-login",
                "redirect_uri": "https://portal.test/back",
                "response_type": "code",
                "code_challenge": "c",
                "code_challenge_method": "S256",
            },
            timeout=5,
        )
        visit = page.text.partition('name="visit" value="')[2].partition('"')[0]
        requests.post(
            f"{self.url}/realms/parvis/login",
            data={"visit": visit, "person": person},
            allow_redirects=False,
            timeout=5,
        ).raise_for_status()

    def signed_in(self):
        found = requests.get(f"{self.url}/_mock/sessions", timeout=5).json()
        return found["parvis"]


@pytest.fixture
def realm():
    settings = json.loads(SETTINGS.read_text())
    with MockServer(build("keycloak", settings)) as server:
        yield Realm(server.url)


@pytest.fixture
def camille(realm):
    """Somebody who came by FranceConnect, with a session."""
    from mock_partners.keycloak.people import CITIZENS

    realm.sign_in("camille")
    person = CITIZENS["camille"]
    return {
        "alias": ALIAS,
        "subject": person.attributes()["fc_sub"],
        "accounts": (person.account,),
    }


def test_an_account_nobody_enters_any_more_goes_with_its_sessions(realm, camille):
    assert realm.signed_in() == 1

    realm.accounts().take_away(**camille)

    assert realm.signed_in() == 0
    assert realm.accounts().find(camille["accounts"][0]) is None
    realm.accounts().take_away(**camille)


def test_an_account_with_a_password_stays_and_its_sessions_end(realm):
    from mock_partners.keycloak.people import CITIZENS

    realm.sign_in("amina")
    account = CITIZENS["amina"].account

    realm.accounts().take_away(alias="realm", subject=account, accounts=(account,))

    assert realm.signed_in() == 0
    assert realm.accounts().find(account).links == frozenset()


def test_the_link_of_somebody_else_stays(realm, camille):
    realm.accounts().take_away(**camille | {"subject": "another"})

    found = realm.accounts().find(camille["accounts"][0])
    assert found.links == {(ALIAS, camille["subject"])}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"fault": "status", "operation": "admin", "code": 503}, IdentityUnavailableError),
        ({"fault": "html_200", "operation": "admin", "body": "ici"}, IdentityContractBrokenError),
        ({"fault": "status", "operation": "token", "code": 500}, IdentityUnavailableError),
        ({"fault": "status", "operation": "admin", "code": 403}, IdentityRefusedError),
    ],
    ids=["away", "a page", "no token", "refused"],
)
def test_a_bad_day_is_typed_and_names_nobody(realm, camille, fault, error):
    realm.arm(**fault)

    with pytest.raises(error) as caught:
        realm.accounts().take_away(**camille)

    told = f"{caught.value} {caught.value.detail}"
    assert camille["accounts"][0] not in told
    assert camille["subject"] not in told


@pytest.mark.parametrize(("client", "secret"), [(RUNTIME, "wrong"), ("portal", SECRET)])
def test_who_may_not_is_refused_for_a_person_to_mend(realm, camille, client, secret):
    with pytest.raises(IdentityRefusedError):
        realm.accounts(client, secret).take_away(**camille)

    assert realm.signed_in() == 1
