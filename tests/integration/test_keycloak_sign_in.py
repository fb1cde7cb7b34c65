"""Signing in through a real Keycloak, FranceConnect's double behind it: what crosses, by plain HTTP.

Our service provider stands at one end, a person with a browser at the other; nothing between is ours.
"""

import base64
import hashlib
import json
import secrets
from types import SimpleNamespace
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from identity.keycloak import Installation
from identity.names import FC_ACR, FC_SUB, IDP_ALIAS, KC_USER
from identity.saml import SamlConfig, ServiceProvider
from identity.saml.keys import new_key_pair
from orchestrator.services.ports.sign_in import Descriptor
from schemas import clock
from schemas.logins import CIVIL_STATUS, Asked, Binding, Face, SamlMessage
from tests.fakes.plain_browser import Held, PlainBrowser, agree
from tests.integration.brokered import FRANCECONNECT, PLUS, bare, citizens_only, doubles, rotated

pytestmark = pytest.mark.keycloak

HUB = "https://hub.example.org"
ELSEWHERE = "https://elsewhere.example.org"
SECONDS = 30


class OneRealm:
    """The realm's description, fetched when first asked for and whenever somebody doubts it."""

    def __init__(self, url):
        self._url = url
        self._kept = None
        self.fetched = 0

    def current(self):
        return self._kept or self.refresh()

    def refresh(self):
        answer = requests.get(f"{self._url}/protocol/saml/descriptor", timeout=SECONDS)
        digest = hashlib.sha256(answer.content).digest()
        self.fetched += 1
        self._kept = Descriptor(xml=answer.text, digest=digest, fetched_at=clock.utcnow())
        return self._kept


class Visit:
    """One person with one browser in front of one service provider."""

    def __init__(self, provider):
        self.provider = provider
        self.browser = PlainBrowser(f"{HUB}/", f"{ELSEWHERE}/")
        self.asked = None

    def leave(self, alias=FRANCECONNECT, **asked):
        """Go where the hub sends; the page one is met by, or the hub's own address at once."""
        relay = secrets.token_urlsafe(16)
        departure = self.provider.ask_login(relay_key=relay, provider=alias, **asked)
        self.asked = Asked(request_id=departure.request_id, relay_key=relay)
        return self.browser.open(departure.url)

    def arrive(self, held):
        """What the answer says, once our side has verified it."""
        assert isinstance(held, Held), (held.url, held.words)
        assert held.url.endswith(".example.org/saml/acs")
        assert held.data["RelayState"] == self.asked.relay_key
        return self.provider.read_answer(posted(held, "SAMLResponse"), asked=self.asked)

    def sign_in(self, person, **asked):
        return self.arrive(agree(self.browser, self.leave(**asked), person))

    def sign_out(self, found):
        """Sign out from our side: the departure, and the realm's answer to it."""
        departure = self.provider.ask_logout(
            name_id=found.name_id, session_index=found.session_index, relay_key="r" * 16
        )
        held = self.browser.open(departure.url)
        assert held.url == f"{HUB}/saml/sls"
        return departure, self.provider.read_logout_answer(posted(held, "SAMLResponse"))


def posted(held, name):
    relay = held.data.get("RelayState")
    return SamlMessage(binding=Binding.POST, text=held.data[name], relay_state=relay)


@pytest.fixture(scope="module")
def world(keycloak, keycloak_api):
    """A realm set up by our own provisioning, both doubles behind it."""
    key, certificate = new_key_pair(HUB)
    name = f"citizens-{secrets.token_hex(4)}"
    with doubles(realm_url=f"{keycloak.url}/realms/{name}") as behind:
        ours = Installation(
            public_url=HUB,
            citizens=name,
            staff=f"{name}-staff",
            certificate=bare(certificate),
            providers=tuple(double.provider() for double in behind.values()),
            portal_redirects=(f"{HUB}/portal/callback",),
        )
        realms = citizens_only(keycloak, keycloak_api, ours)
        yield SimpleNamespace(realms=realms, doubles=behind, key=key, certificate=certificate)


@pytest.fixture(scope="module")
def realms(world):
    return world.realms


@pytest.fixture(scope="module")
def franceconnect(world):
    return world.doubles[FRANCECONNECT]


@pytest.fixture(scope="module")
def description(realms):
    return OneRealm(realms.citizens)


@pytest.fixture(scope="module")
def make_provider(world, description):
    """Our service provider of the citizens' realm, at whatever address."""

    def make(public_url=HUB):
        config = SamlConfig(
            face=Face.CITIZEN,
            public_url=public_url,
            key_pem=world.key,
            certificate_pem=world.certificate,
            idp_entity_id=world.realms.citizens,
        )
        return ServiceProvider(config=config, descriptors=description)

    return make


@pytest.fixture(scope="module")
def provider(make_provider):
    return make_provider()


@pytest.fixture
def visit(provider):
    """A person's visit; each call is another browser."""
    made = []

    def begun(facing=provider):
        made.append(Visit(facing))
        return made[-1]

    yield begun
    for each in made:
        each.browser.close()


@pytest.fixture(autouse=True)
def _untroubled(franceconnect):
    yield
    franceconnect.reset()


def test_who_signs_in_through_franceconnect_arrives_with_level_and_subject(visit, realms):
    found = visit().sign_in("marseille")

    assert found.issuer == realms.citizens
    assert found.value(FC_ACR) == "eidas1"
    assert found.value(IDP_ALIAS) == FRANCECONNECT
    assert len(found.value(FC_SUB)) == 66
    assert found.value(KC_USER) not in found.name_id
    assert "::" in found.session_index


@pytest.mark.parametrize("person", ["un_prenom", "long", "etranger"])
def test_nobody_meets_a_page_of_the_realm_on_the_way(visit, person):
    one = visit()
    one.sign_in(person)
    pages = [url for method, url in one.browser.seen if "login-actions" in url and method == "POST"]
    assert pages == []


def test_civil_status_crosses_letter_by_letter(visit):
    found = visit().sign_in("oe")
    told = {name: found.value(name) for name in CIVIL_STATUS}

    assert told == {
        "given_names": "Cœlia Marie-Ange",
        "birth_name": "L'HŒST-D'ŒUVRE",
        "birthdate": "1985-11-30",
        "gender": "female",
        "birthplace": "59350",
        "birthcountry": "99100",
    }


def test_who_was_born_abroad_arrives_without_a_place(visit):
    found = visit().sign_in("jour_inconnu")

    assert not found.value("birthplace")
    assert (found.value("birthcountry"), found.value("birthdate")) == ("99335", "1975-06-00")


def test_two_people_with_one_e_mail_are_two_people(visit):
    ines, agathe = visit().sign_in("jumelle_ines"), visit().sign_in("jumelle_agathe")

    assert ines.value(KC_USER) != agathe.value(KC_USER)
    assert ines.name_id != agathe.name_id
    assert ines.value(FC_SUB) != agathe.value(FC_SUB)


def test_a_person_has_the_same_name_id_at_every_visit(visit):
    first, again = visit().sign_in("oe"), visit().sign_in("oe")

    assert first.name_id == again.name_id
    assert first.value(KC_USER) == again.value(KC_USER)
    assert first.session_index != again.session_index


@pytest.mark.parametrize("level", [None, "eidas0"])
def test_a_level_that_is_missing_or_lower_arrives_as_it_is(visit, franceconnect, level):
    franceconnect.level_is(level)

    assert visit().sign_in("corse_sud").value(FC_ACR) == level


def test_a_better_level_proved_in_the_same_session_arrives(visit, franceconnect):
    one = visit()
    franceconnect.level_is("eidas0")
    before = one.sign_in("haute_corse")
    franceconnect.clear()
    after = one.sign_in("haute_corse", is_forced=True)

    assert (before.value(FC_ACR), after.value(FC_ACR)) == ("eidas0", "eidas1")
    assert before.session_index == after.session_index


def test_a_second_visit_is_silent_and_a_forced_one_asks_again(visit):
    one = visit()
    first = one.sign_in("marseille")
    silent = one.arrive(one.leave())
    asked = one.leave(is_forced=True)

    assert silent.session_index == first.session_index
    assert asked.form("/login").buttons  # FranceConnect asks who, although its session lives
    assert one.arrive(agree(one.browser, asked, "marseille")).name_id == first.name_id


def test_another_person_at_a_forced_sign_in_does_not_reach_us(visit):
    one = visit()
    one.sign_in("marseille")
    page = agree(one.browser, one.leave(is_forced=True), "corse_sud")

    assert page.status == 400
    assert "BARTHÉLÉMY" not in page.text
    assert "barthelemy" not in page.text


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "drift", "operation": "userinfo", "kind": "drop", "pointer": "/sub"},
        {"fault": "html_200", "operation": "userinfo", "body": "indisponible"},
        {"fault": "status", "operation": "token", "code": 500},
        {"fault": "status", "operation": "userinfo", "code": 401},
    ],
    ids=["no subject", "a text", "tokens refused", "user information refused"],
)
def test_a_faulty_franceconnect_signs_nobody_in(visit, franceconnect, fault):
    one = visit()
    page = one.leave()
    franceconnect.arm(**fault)
    met = agree(one.browser, page, "mayotte")

    assert not isinstance(met, Held)
    assert met.status == 502


def test_who_turns_back_at_franceconnect_is_not_signed_in(visit):
    one = visit()
    page = one.leave()
    met = one.browser.send(page.forms[-1], ("choice", "leave"))

    assert not isinstance(met, Held)
    assert not one.browser.cookies("KEYCLOAK_IDENTITY")


def test_the_person_of_a_token_is_the_person_of_the_assertion(visit, realms):
    one = visit()
    found = one.sign_in("polynesie")
    token = citizen_token(one.browser, realms.citizens)

    assert token["sub"] == found.value(KC_USER)
    assert token["azp"] == "portal-login"


def test_the_name_id_of_another_service_is_another(visit, world, make_provider):
    second_client(world.realms)
    here = visit().sign_in("marseille")
    there = visit(make_provider(ELSEWHERE)).sign_in("marseille")

    assert here.value(KC_USER) == there.value(KC_USER)
    assert here.name_id.rpartition("G-")[2] != there.name_id.rpartition("G-")[2]


def test_signing_out_here_ends_the_realm_and_franceconnect(visit, franceconnect):
    one = visit()
    departure, answer = one.sign_out(one.sign_in("marseille"))

    assert (answer.in_response_to, answer.is_success) == (departure.request_id, True)
    assert franceconnect.effects()[-1] == "session.ended"
    assert one.leave().form("/login").buttons


def test_the_stronger_franceconnect_is_reached_after_signing_out_and_is_another_login(visit):
    one = visit()
    before = one.sign_in("forte")
    one.sign_out(before)
    after = one.sign_in("forte", alias=PLUS)

    assert (after.value(FC_ACR), after.value(IDP_ALIAS)) == ("eidas2", PLUS)
    assert after.value(KC_USER) != before.value(KC_USER)
    assert after.value(FC_SUB) != before.value(FC_SUB)


def test_without_signing_out_the_realm_refuses_another_login_and_keeps_half_an_account(visit):
    """Why our side never sends a browser with a session to another login."""
    one = visit()
    one.sign_in("haute_corse")
    refused = agree(one.browser, one.leave(alias=PLUS, is_forced=True), "haute_corse")
    elsewhere = visit()
    stuck = agree(elsewhere.browser, elsewhere.leave(alias=PLUS), "haute_corse")

    assert refused.status == 400
    assert not isinstance(stuck, Held)


def test_signing_out_at_the_realm_tells_us_and_ends_franceconnect(
    visit, realms, franceconnect, provider
):
    one = visit()
    found = one.sign_in("marseille")
    page = one.browser.open(f"{realms.citizens}/protocol/openid-connect/logout")
    held = one.browser.send(page.form("logout-confirm"))
    asked = provider.read_logout(posted(held, "SAMLRequest"))
    after = one.browser.open(provider.answer_logout(asked))

    assert (asked.name_id, asked.session_index) == (found.name_id, found.session_index)
    assert after.status == 200
    assert franceconnect.effects()[-1] == "session.ended"
    assert one.leave().form("/login").buttons


def test_new_keys_of_the_realm_cost_no_sign_in(visit, realms, description):
    signed_in, under_way = visit(), visit()
    signed_in.sign_in("marseille")
    page = under_way.leave()
    fetched = description.fetched
    undo = rotated(realms.api, realms.ours.citizens)
    try:
        arrived = under_way.arrive(agree(under_way.browser, page, "oe"))
        again = signed_in.arrive(signed_in.leave())
    finally:
        undo()

    assert arrived.value(FC_ACR) == again.value(FC_ACR) == "eidas1"
    assert description.fetched == fetched + 1


def citizen_token(browser, realm_url):
    """The claims of the citizen's own token, fetched with the browser's session."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    callback = f"{HUB}/portal/callback"
    query = {
        "client_id": "portal-login",
        "response_type": "code",
        "scope": "openid",
        "redirect_uri": callback,
        "code_challenge": challenge.decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    held = browser.open(f"{realm_url}/protocol/openid-connect/auth?{urlencode(query)}")
    form = {
        "grant_type": "authorization_code",
        "client_id": "portal-login",
        "code": parse_qs(urlsplit(held.url).query)["code"][0],
        "redirect_uri": callback,
        "code_verifier": verifier,
    }
    address = f"{realm_url}/protocol/openid-connect/token"
    token = requests.post(address, data=form, timeout=SECONDS).json()["access_token"]
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def second_client(realms):
    """Another service of the same realm, with the same key and another address."""
    ours = realms.client(f"{HUB}/saml/metadata")
    text = json.dumps({name: value for name, value in ours.items() if name != "id"})
    body = json.loads(text.replace(HUB, ELSEWHERE))
    for mapper in body["protocolMappers"]:
        del mapper["id"]
    realms.api.post(f"/{realms.ours.citizens}/clients", body)
