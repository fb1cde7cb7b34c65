"""Tokens of the real Keycloak at the API: whose they are, what they open, and what does not."""

import base64
import hashlib
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from identity.jwks import fetch, key_set_url
from identity.names import HUB_CLIENT
from identity.tokens import Audience, Reason, level_proved, read_bearer
from orchestrator.services.ports.portal import TokenCitizen
from schemas import clock, ids
from schemas.errors import TokenRefusedError
from schemas.logins import Level
from tests.fakes.plain_browser import Held, PlainBrowser, agree
from tests.fakes.portal import Citizens, PortalHub
from tests.integration.brokered import FRANCECONNECT, doubles, rotated
from tests.plugins.keycloak import PASSWORD

pytestmark = pytest.mark.keycloak
CALLBACK = "https://portal.example.org/callback"
SECONDS = 30


@pytest.fixture(scope="module")
def realms(keycloak, make_realms):
    """Both realms, FranceConnect's double behind the citizens'."""
    name = f"citizens-{secrets.token_hex(4)}"
    with doubles(realm_url=f"{keycloak.url}/realms/{name}") as behind:
        yield make_realms(
            citizens=name,
            providers=(behind[FRANCECONNECT].provider(),),
            portal_redirects=(CALLBACK,),
        )


@pytest.fixture(scope="module")
def person(realms):
    """Somebody with an account of the realm's own: (username, id)."""
    name = f"camille-{secrets.token_hex(4)}"
    names = {"firstName": "Camille", "lastName": "Exemple", "email": f"{name}@example.org"}
    return name, realms.person(name, emailVerified=True, **names)


class Watched:
    """The address of the real keys, and how often it was asked."""

    def __init__(self, issuer):
        self.url, self.asked = key_set_url(issuer), 0

    def __call__(self):
        self.asked += 1
        return fetch(self.url)


@pytest.fixture
def hub(realms, person):
    issuer = realms.citizens
    citizens = Citizens()
    citizens.known = {
        (issuer, person[1]): TokenCitizen(
            login_id=ids.uuid7(),
            citizen_id=ids.uuid7(),
            level=Level.STRONG,
            idp_alias=None,
            proved_at=None,
        )
    }
    audience = Audience(issuer=issuer, client=HUB_CLIENT)
    return PortalHub(realm=Watched(issuer), citizens=citizens, audience=audience)


def token_url(issuer):
    return f"{issuer}/protocol/openid-connect/token"


def own_token(issuer, client_id, secret):
    """An application's own token, by client credentials."""
    form = {"grant_type": "client_credentials"}
    answer = requests.post(token_url(issuer), data=form, auth=(client_id, secret), timeout=SECONDS)
    answer.raise_for_status()
    return answer.json()["access_token"]


def portals_token(realms):
    return own_token(realms.citizens, "portal", realms.secret("portal"))


def tokens_of(realms, username):
    """Sign somebody in through the portal's client, with a password: what the realm gives."""

    def by_password(browser, page):
        form = page.form("login-actions/authenticate")
        return browser.send(form, username=username, password=PASSWORD)

    return tokens_by(realms, by_password)


def tokens_by(realms, sign_in, **more):
    """Sign somebody in through the portal's client, with PKCE: what the realm gives."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    asked = {
        "client_id": "portal-login",
        "response_type": "code",
        "scope": "openid",
        "redirect_uri": CALLBACK,
        "state": secrets.token_urlsafe(16),
        "code_challenge": challenge.decode(),
        "code_challenge_method": "S256",
        **more,
    }
    browser = PlainBrowser(CALLBACK)
    page = browser.open(f"{realms.citizens}/protocol/openid-connect/auth?{urlencode(asked)}")
    held = sign_in(browser, page)
    browser.close()
    assert isinstance(held, Held), (held.url, held.words)
    (code,) = parse_qs(urlsplit(held.url).query)["code"]
    form = {
        "grant_type": "authorization_code",
        "client_id": "portal-login",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": verifier,
    }
    answer = requests.post(token_url(realms.citizens), data=form, timeout=SECONDS)
    answer.raise_for_status()
    return answer.json()


def read(hub, realms, token):
    audience = Audience(issuer=realms.citizens, client=HUB_CLIENT)
    authorization = f"Bearer {token}"
    return read_bearer(authorization, audience=audience, key_of=hub.keys.key, now=clock.utcnow())


def reason(hub, realms, token):
    with pytest.raises(TokenRefusedError) as refused:
        read(hub, realms, token)
    return refused.value.reason


def test_the_portals_own_token_reads_the_catalogue_and_nothing_of_a_citizen(hub, realms):
    token = portals_token(realms)
    told = read(hub, realms, token)
    assert (told.client_id, told.service_client) == ("portal", "portal")
    assert told.roles == {"catalogue:read"}
    assert hub.get("/v1/services", token=token).status == 200
    assert hub.get("/v1/me", token=token).slug == "not-permitted"


def test_a_citizens_token_names_the_person_of_the_realm_and_opens_their_things(hub, realms, person):
    token = tokens_of(realms, person[0])["access_token"]
    told = read(hub, realms, token)
    assert (told.client_id, told.service_client, told.subject) == ("portal-login", None, person[1])
    assert told.roles == frozenset()
    assert abs((clock.utcnow() - told.authenticated_at).total_seconds()) < 120
    assert hub.get("/v1/me", token=token).status == 200
    assert hub.get("/v1/services", token=token).slug == "not-permitted"


def test_a_token_through_franceconnect_says_so_and_how_sure_it_is(hub, realms):
    def by_franceconnect(browser, page):
        return agree(browser, page, "marseille")

    given = tokens_by(realms, by_franceconnect, kc_idp_hint=FRANCECONNECT)
    told = read(hub, realms, given["access_token"])
    assert (told.idp_alias, told.acr) == (FRANCECONNECT, "eidas1")
    assert level_proved(told) == Level.ACCOUNT_PROVED
    (known,) = hub.citizens.known.values()
    hub.citizens.known[realms.citizens, told.subject] = known
    assert hub.get("/v1/me", token=given["access_token"]).json["level"] == 2


def test_a_local_account_proves_a_contact_at_most(hub, realms, person):
    token = tokens_of(realms, person[0])["access_token"]
    assert level_proved(read(hub, realms, token)) <= Level.CONTACT_PROVED
    assert hub.get("/v1/me", token=token).json["level"] <= 1


def test_who_just_signed_in_may_remove_a_way_of_signing_in(hub, realms, person):
    token = tokens_of(realms, person[0])["access_token"]
    assert hub.delete(f"/v1/me/logins/{ids.uuid7()}", token=token).status == 404


def test_the_other_tokens_of_a_sign_in_open_nothing(hub, realms, person):
    given = tokens_of(realms, person[0])
    assert reason(hub, realms, given["id_token"]) in {Reason.AUDIENCE, Reason.TOKEN_TYPE}
    assert reason(hub, realms, given["refresh_token"]) == Reason.ALGORITHM
    for name in ("id_token", "refresh_token"):
        assert hub.get("/v1/me", token=given[name]).status == 401


def test_a_person_of_the_realm_who_never_came_to_our_pages_is_sent_there(hub, realms):
    stranger = f"inconnu-{secrets.token_hex(4)}"
    names = {"firstName": "Dominique", "lastName": "Exemple", "email": f"{stranger}@example.org"}
    realms.person(stranger, **names)
    token = tokens_of(realms, stranger)["access_token"]
    assert hub.get("/v1/me", token=token).slug == "login-first"


def test_another_clients_token_of_the_same_realm_is_not_for_us(hub, realms):
    account = "parvis-runtime"
    token = own_token(realms.citizens, account, realms.secret(account))
    assert reason(hub, realms, token) == Reason.AUDIENCE


def test_a_token_of_the_staff_realm_is_refused(hub, realms):
    account = "parvis-provisioning"
    secret = realms.secret(account, realms.ours.staff)
    token = own_token(realms.staff, account, secret)
    assert hub.get("/v1/me", token=token).status == 401
    assert reason(hub, realms, token) == Reason.UNKNOWN_KEY


def test_of_the_realms_keys_only_those_that_sign_are_kept(hub, realms):
    published = requests.get(key_set_url(realms.citizens), timeout=SECONDS).json()["keys"]
    assert {key["use"] for key in published} == {"sig", "enc"}
    read(hub, realms, portals_token(realms))
    enciphering = next(key["kid"] for key in published if key["use"] == "enc")
    assert hub.keys.key(enciphering) is None


def test_new_keys_of_the_realm_cost_no_call_with_either_token(hub, realms):
    old = portals_token(realms)
    assert hub.get("/v1/services", token=old).status == 200
    take_away = rotated(realms.api, realms.ours.citizens)
    try:
        hub.elapsed += 61
        new = portals_token(realms)
        found = [hub.get("/v1/services", token=token).status for token in (old, new, old, new)]
        assert found == [200] * 4
        assert hub.realm.asked == 2
    finally:
        take_away()
    hub.elapsed += 61
    again = portals_token(realms)
    assert hub.get("/v1/services", token=again).status == 200


def test_tokens_go_on_while_the_realm_is_not_asked(hub, realms):
    token = portals_token(realms)
    statuses = {hub.get("/v1/services", token=token).status for _ in range(20)}
    assert (statuses, hub.realm.asked) == ({200}, 1)
