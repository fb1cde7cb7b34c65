"""Signing in through a real Keycloak, FranceConnect's double behind it: what crosses, by plain HTTP.

Our service provider stands at one end, a person with a browser at the other; nothing between is ours.
"""

import secrets
from types import SimpleNamespace

import pytest

from identity.keycloak import Installation
from identity.names import FC_ACR, FC_SUB, IDP_ALIAS, KC_USER
from identity.saml import SamlConfig
from identity.saml.keys import new_key_pair
from identity.saml.provider import ServiceProvider
from orchestrator.services.ports.sign_in import Outcome
from orchestrator.services.sign_in import SignIn
from orchestrator.store.connections import Database
from orchestrator.store.sessions import SessionTable
from orchestrator.store.sign_in import SignInTable
from schemas.errors import SamlRefusedError
from schemas.logins import CIVIL_STATUS, Face, Level, SamlPurpose
from tests.fakes.plain_browser import Held, PlainBrowser, agree
from tests.integration.brokered import (
    ELSEWHERE,
    FRANCECONNECT,
    HUB,
    PLUS,
    OneRealm,
    Visit,
    bare,
    citizen_token,
    citizens_only,
    doubles,
    posted,
    rotated,
    second_client,
)

pytestmark = pytest.mark.keycloak


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
    """The realm keeps half an account of the other one, who therefore comes in no other test."""
    one = visit()
    one.sign_in("marseille")
    page = agree(one.browser, one.leave(is_forced=True), "europe")

    assert page.status == 400
    assert "Ingrid" not in page.text
    assert "astrom" not in page.text


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


# what the hub makes of it


class Citizen:
    """Somebody with a browser and, once signed in, a session of the hub."""

    def __init__(self, use_case):
        self.use_case = use_case
        self.trip = secrets.token_urlsafe(16)
        self.browser = PlainBrowser(f"{HUB}/")
        self.cookie = None

    @property
    def session(self):
        return self.use_case.session(self.cookie)

    def leave(self, purpose=SamlPurpose.LOGIN, *, alias=FRANCECONNECT, level=Level.DECLARED):
        departure = self.use_case.begin(
            browser=self.trip,
            purpose=purpose,
            return_path="/mon-espace",
            session=self.session,
            provider=alias,
            level=level,
        )
        return self.browser.open(departure.url)

    def arrive(self, held):
        arrived = self.use_case.arrive(posted(held, "SAMLResponse"), browser=self.trip)
        self.cookie = arrived.cookie or self.cookie
        return arrived.outcome

    def sign_in(self, person, purpose=SamlPurpose.LOGIN, **asked):
        return self.arrive(agree(self.browser, self.leave(purpose, **asked), person))

    def leave_the_realm(self):
        """End the realm's session and keep ours, as before another login is shown."""
        departure = self.use_case.leave_realm(
            self.session, browser=self.trip, return_path="/connexion"
        )
        held = self.browser.open(departure.url)
        message = posted(held, "SAMLResponse")
        return self.use_case.logout_answered(message, browser=self.trip)


@pytest.fixture(scope="module")
def use_case(provider, fresh_database, vault, hub_keys):
    """Signing in as the hub does it, on a database of its own."""
    with fresh_database() as address:
        database = Database(address)
        parts = {"database": database, "vault": vault, "keys": hub_keys, "face": Face.CITIZEN}
        yield SignIn(
            face=Face.CITIZEN,
            provider_now=lambda: provider,
            rows=SignInTable(**parts),
            sessions=SessionTable(**parts),
            keys=hub_keys,
        )
        database.close()


@pytest.fixture
def citizen(use_case):
    made = []

    def begun():
        made.append(Citizen(use_case))
        return made[-1]

    yield begun
    for each in made:
        each.browser.close()


def test_eidas1_proves_the_account(citizen):
    one = citizen()

    assert one.sign_in("marseille") is Outcome.SIGNED_IN
    assert one.session.level is Level.ACCOUNT_PROVED
    assert one.session.idp_alias == FRANCECONNECT


@pytest.mark.parametrize(("level", "person"), [(None, "corse_sud"), ("eidas0", "long")])
def test_a_level_that_is_missing_or_lower_proves_nothing_until_a_better_one(
    citizen, franceconnect, level, person
):
    one, later = citizen(), citizen()
    franceconnect.level_is(level)
    outcome = one.sign_in(person)
    franceconnect.clear()
    later.sign_in(person)

    assert (outcome, one.cookie) == (Outcome.UNPROVED, None)
    assert later.session.level is Level.ACCOUNT_PROVED


def test_a_step_up_answered_without_the_level_changes_nothing(citizen, franceconnect):
    one = citizen()
    one.sign_in("mayotte")
    before = one.session
    page = one.leave(SamlPurpose.STEP_UP, level=Level.STRONG)
    held = agree(one.browser, page, "mayotte")

    with pytest.raises(SamlRefusedError):
        one.arrive(held)
    assert one.session.id == before.id
    assert one.session.level is Level.ACCOUNT_PROVED


def test_the_stronger_franceconnect_is_linked_by_proving_both_and_lifts_the_session(citizen):
    one = citizen()
    one.sign_in("forte")
    before = one.session
    assert one.leave_the_realm() == "/connexion"
    outcome = one.sign_in("forte", SamlPurpose.LINK, alias=PLUS)

    assert outcome is Outcome.LINKED
    assert one.session.citizen_id == before.citizen_id
    assert one.session.level is Level.STRONG
    assert one.session.id != before.id


def test_who_signs_in_again_is_the_same_citizen_and_others_are_others(citizen):
    first, again, other = citizen(), citizen(), citizen()
    for one, person in ((first, "polynesie"), (again, "polynesie"), (other, "etranger")):
        one.sign_in(person)

    assert first.session.citizen_id == again.session.citizen_id
    assert first.session.citizen_id != other.session.citizen_id
    assert first.session.id != again.session.id


def test_twins_with_one_e_mail_are_two_citizens(citizen):
    ines, agathe = citizen(), citizen()
    ines.sign_in("jumelle_ines")
    agathe.sign_in("jumelle_agathe")

    assert agathe.session is None or agathe.session.citizen_id != ines.session.citizen_id


def test_an_answer_counts_once_and_in_its_own_browser_only(citizen):
    one, thief = citizen(), citizen()
    held = agree(one.browser, one.leave(), "oe")

    with pytest.raises(SamlRefusedError):
        thief.arrive(held)
    assert one.arrive(held) is Outcome.SIGNED_IN
    with pytest.raises(SamlRefusedError):
        one.arrive(held)


def test_the_realm_signs_out_every_session_it_vouched_for(citizen, realms, use_case):
    one = citizen()
    one.sign_in("marseille")
    assert one.session is not None
    page = one.browser.open(f"{realms.citizens}/protocol/openid-connect/logout")
    held = one.browser.send(page.form("logout-confirm"))
    one.browser.open(use_case.logout(posted(held, "SAMLRequest")))

    assert one.session is None
    with pytest.raises(SamlRefusedError):
        use_case.logout(posted(held, "SAMLRequest"))
