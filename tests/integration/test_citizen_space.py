"""Signing in and "Mon espace" through the pages, with a realm that says what it is told."""

import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape

import pytest

from orchestrator.services.access_codes import Redemption, digest_of
from orchestrator.store.redemption import SignedInRedemption
from schemas import ids
from tests.browser.citizen_hub import issue_code, make_app
from tests.fakes.inbox import FakeInbox
from tests.fakes.realm import Realm
from tests.integration.test_sign_in import franceconnect, local

pytestmark = pytest.mark.postgres
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Citizen:
    """A browser on the pages of a city whose realm says what it is told."""

    def __init__(self, database, vault, keys):
        self.database, self.realm = database, Realm()
        self.app = make_app(database, vault, keys, FakeInbox(), realm=self.realm)
        self.client = self.app.test_client()

    def get(self, path):
        return self.client.get(path)

    def sign_in(self, said, way="compte", onward="/mon-espace"):
        departed = self.get(f"/connexion/depart?avec={way}&vers={onward}")
        assert departed.status_code == 303
        return self.answer(departed.headers["Location"], said)

    def answer(self, url, said):
        relay = url.partition("RelayState=")[2].partition("&")[0]
        return self.client.post(
            "/saml/acs", data={"SAMLResponse": self.said(said), "RelayState": relay}
        )

    def said(self, said):
        key = f"answer-{ids.uuid7()}"
        self.realm.answers[key] = said
        return key

    def press(self, page, path, **more):
        found = TOKEN.search(self.get(page).text)
        token = found[1] if found else ""
        return self.client.post(path, data={"csrf_token": token, **more})


@pytest.fixture
def citizen(database, vault, hub_keys):
    return Citizen(database, vault, hub_keys)


def announced_code(database, hub_keys):
    """A live code of a person somebody announced."""
    made = issue_code(database, hub_keys, subject="s-1")
    database.run("UPDATE preregistration SET service_id = 'library_a'")
    announced = database.one("SELECT citizen_id FROM preregistration")["citizen_id"]
    database.run("INSERT INTO citizen(id, age_band) VALUES (%s, '25_64')", (announced,))
    return made


@pytest.fixture
def code(database, hub_keys):
    return announced_code(database, hub_keys)


def test_mon_espace_asks_to_sign_in_and_comes_back(citizen):
    asked = citizen.get("/mon-espace")
    assert asked.headers["Location"] == "/connexion?vers=/mon-espace"

    arrived = citizen.sign_in(franceconnect(1), way="franceconnect")

    assert (arrived.status_code, arrived.headers["Location"]) == (303, "/mon-espace")
    page = citizen.get("/mon-espace").text
    assert "Mon espace" in page
    assert "FranceConnect" in page
    for clear in ("LŒUVRE", "Zoé", "1990", "G-1", "sub-1", "user-1"):
        assert clear not in page


def test_the_code_finds_the_preregistration_and_nothing_else_does(citizen, code):
    citizen.sign_in(franceconnect(1))
    assert "Aucun service" in citizen.get("/mon-espace").text

    added = citizen.press("/mon-espace/code", "/mon-espace/code", code=code)

    assert added.headers["Location"] == "/mon-espace?code=ajoute"
    page = citizen.get("/mon-espace?code=ajoute").text
    assert "Votre code a été accepté" in page
    assert "PV-" in page
    again = citizen.press("/mon-espace/code", "/mon-espace/code", code=code)
    assert (again.status_code, "ouvre rien" in again.text) == (422, True)


def test_a_code_typed_on_a_page_opened_before_the_sign_in_is_the_citizens_too(
    citizen, code, database
):
    opened = citizen.get("/code")
    token = TOKEN.search(opened.text)[1]
    citizen.sign_in(franceconnect(1))

    done = citizen.client.post("/code", data={"csrf_token": token, "code": code})

    assert done.headers["Location"] == "/mon-espace?code=ajoute"
    assert "PV-" in citizen.get("/mon-espace").text
    assert database.one("SELECT count(*) AS n FROM account")["n"] == 1


def test_a_wrong_code_still_leaves_the_way_to_sign_in_first(citizen):
    page = citizen.press("/code", "/code", code="00000-00000")

    assert page.status_code == 422
    assert "/connexion?vers=" in page.text


def test_what_the_announced_person_had_is_the_citizens_afterwards(citizen, code, database):
    announced = database.one("SELECT citizen_id FROM preregistration")["citizen_id"]
    database.run("INSERT INTO interest(citizen_id, theme) VALUES (%s, 'cinema')", (announced,))
    for service, pseudonym in (("library_a", "A" * 26), ("journal", "J" * 26)):
        database.run("INSERT INTO pseudonym VALUES (%s, %s, %s)", (announced, service, pseudonym))
    database.run(
        "INSERT INTO data_key(id, citizen_id, wrapped) VALUES (gen_random_uuid(), %s, '')",
        (announced,),
    )
    citizen.sign_in(franceconnect(1))

    citizen.press("/mon-espace/code", "/mon-espace/code", code=code)

    me = database.one("SELECT citizen_id FROM preregistration")["citizen_id"]
    assert me != announced
    assert database.all("SELECT state FROM citizen") == [{"state": "active"}]
    assert database.one("SELECT citizen_id FROM interest")["citizen_id"] == me
    assert (
        database.one("SELECT citizen_id FROM pseudonym WHERE service = 'library_a'")["citizen_id"]
        == me
    )
    assert not database.all("SELECT FROM data_key WHERE citizen_id = %s", (announced,))
    assert not database.all("SELECT FROM pseudonym WHERE citizen_id = %s", (announced,))
    assert database.one("SELECT status FROM run")["status"] == "ready"
    types = {row["type"] for row in database.all("SELECT type FROM journal_entry")}
    assert types == {"identity.signed_in", "access_code.redeemed", "identity.account_linked"}


def test_consents_given_before_the_sign_in_still_count(citizen, code, database):
    announced = database.one("SELECT citizen_id FROM preregistration")["citizen_id"]
    database.run("INSERT INTO pseudonym VALUES (%s, 'journal', %s)", (announced, "J" * 26))
    database.run(
        "INSERT INTO consent_record(record_id, subject_ref, controller, purposes, recipients, notice_version,"
        " notice_sha256, locale, ui_evidence, collected_by, event_type, event_time) VALUES (gen_random_uuid(),"
        " %s, 'c', '{library.preregistration}', '{}', 'v', 's', 'fr', '{}', 'p', 'given', parvis_now())",
        ("J" * 26,),
    )
    citizen.sign_in(franceconnect(1))
    citizen.press("/mon-espace/code", "/mon-espace/code", code=code)

    assert "Accord donné" in citizen.get("/mon-espace").text
    assert database.one("SELECT consents FROM citizen")["consents"] >= 1


def test_a_run_in_a_workers_hands_is_not_touched_and_the_code_stays_good(citizen, code, database):
    database.run("UPDATE run SET status = 'ready'")
    citizen.sign_in(franceconnect(1))

    refused = citizen.press("/mon-espace/code", "/mon-espace/code", code=code)

    assert (refused.status_code, "Réessayez dans une minute" in refused.text) == (422, True)
    assert database.one("SELECT redeemed_at FROM access_code")["redeemed_at"] is None


def test_a_second_place_in_one_service_is_for_a_person_to_decide(citizen, code, database):
    announced = database.one("SELECT citizen_id FROM preregistration")["citizen_id"]
    citizen.sign_in(franceconnect(1))
    me = database.one("SELECT id FROM citizen WHERE state = 'active'")["id"]
    for one, pseudonym in ((announced, "A" * 26), (me, "B" * 26)):
        database.run("INSERT INTO pseudonym VALUES (%s, 'library_a', %s)", (one, pseudonym))

    refused = citizen.press("/mon-espace/code", "/mon-espace/code", code=code)

    assert "déjà une inscription" in refused.text
    assert database.one("SELECT rule FROM identity_case")["rule"] == "account_exists"
    assert database.one("SELECT redeemed_at FROM access_code")["redeemed_at"] is None


def test_the_code_of_somebody_who_is_signed_in_is_not_taken(citizen, code, database):
    owner = database.one("SELECT citizen_id FROM preregistration")["citizen_id"]
    database.run("UPDATE citizen SET state = 'active' WHERE id = %s", (owner,))
    citizen.sign_in(franceconnect(1))

    refused = citizen.press("/mon-espace/code", "/mon-espace/code", code=code)

    assert "ouvre rien" in refused.text
    assert database.one("SELECT citizen_id FROM preregistration")["citizen_id"] == owner


def test_a_hundred_at_once_and_one_has_it(citizen, code, database, vault, hub_keys):
    for number in range(4):
        Citizen(database, vault, hub_keys).sign_in(local(number))
    citizens = [row["id"] for row in database.all("SELECT id FROM citizen WHERE state = 'active'")]
    digest = digest_of(hub_keys, code)
    redemption = SignedInRedemption(database=database, vault=vault, keys=hub_keys)

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda n: redemption.redeem(digest, citizens[n % 4]), range(100)))
    assert outcomes.count(Redemption.REDEEMED) == 1
    assert outcomes.count(Redemption.REFUSED) == 99


def test_wrong_codes_are_counted(citizen):
    citizen.sign_in(local(1))
    statuses = [
        citizen.press(
            "/mon-espace/code", "/mon-espace/code", code=f"00000-0000{number}"
        ).status_code
        for number in range(6)
    ]

    assert statuses == [422] * 5 + [429]


def test_signing_out_closes_the_space_and_sends_on_to_the_realm(citizen):
    citizen.sign_in(local(1))

    left = citizen.press("/mon-espace", "/deconnexion")

    assert left.status_code == 200
    assert left.headers["Refresh"].startswith("0; url=https://idp.test/realms/parvis/logout")
    assert citizen.get("/mon-espace").status_code == 303
    assert citizen.get("/au-revoir").status_code == 200


def test_a_sign_out_that_somebody_else_sends_is_not_heard(citizen):
    citizen.sign_in(local(1))

    citizen.client.post("/deconnexion", data={})

    assert citizen.get("/mon-espace").status_code == 200


def test_a_second_login_is_linked_then_taken_away_by_the_first(citizen):
    citizen.sign_in(local(1))
    away = citizen.press("/mon-espace", "/mon-espace/relier")
    assert "logout" in away.headers["Refresh"], (
        "another person may sign in at the realm only afterwards"
    )
    departed = citizen.get("/mon-espace/relier/suite")
    linked = citizen.answer(departed.headers["Location"], franceconnect(2))
    assert linked.headers["Location"] == "/mon-espace?relie="
    logins = {
        row["alias"]: row["id"] for row in citizen.database.all("SELECT id, alias FROM login")
    }
    own = f"/mon-espace/connexions/{logins['realm']}"
    citizen.database.run("UPDATE web_session SET proved_at = parvis_now() - interval '6 minutes'")
    assert "Confirmer mon identité" in citizen.get(own).text
    assert citizen.press(own, f"{own}/retrait").headers["Location"] == own, "proof first"

    proving = citizen.press(own, f"{own}/preuve")
    citizen.answer(proving.headers["Refresh"].partition("url=")[2], franceconnect(2))
    assert "Retirer cette connexion" in citizen.get(own).text
    assert citizen.press(own, f"{own}/retrait").headers["Location"] == "/mon-espace?retire="

    citizen.press("/mon-espace", "/deconnexion")
    citizen.sign_in(local(1))
    assert citizen.database.one("SELECT count(*) AS n FROM citizen")["n"] == 2, "it is nobody's now"


def test_the_last_login_stays(citizen):
    citizen.sign_in(local(1))
    login = citizen.database.one("SELECT id FROM login WHERE alias = 'realm'")["id"]

    assert "votre seule façon" in citizen.get(f"/mon-espace/connexions/{login}").text


def test_somebody_elses_login_is_not_there(citizen, database, vault, hub_keys):
    other = Citizen(database, vault, hub_keys)
    other.sign_in(local(2))
    login = database.one("SELECT id FROM login WHERE alias = 'realm'")["id"]
    citizen.sign_in(local(1))

    assert citizen.get(f"/mon-espace/connexions/{login}").status_code == 303


# --- what is not trusted ------------------------------------------------------------------------------


def test_a_refused_answer_shows_one_page_and_a_reference(citizen):
    departed = citizen.get("/connexion/depart?avec=compte")
    relay = departed.headers["Location"].partition("RelayState=")[2]

    page = citizen.client.post("/saml/acs", data={"SAMLResponse": "forged", "RelayState": relay})

    assert page.status_code == 403
    assert "pas pu vérifier votre connexion" in page.text
    assert "signature" not in page.text
    case = citizen.database.one(
        "SELECT case_ref FROM journal_entry WHERE type = 'identity.refused'"
    )
    assert case["case_ref"] in page.text


@pytest.mark.parametrize(
    "data",
    [{}, {"SAMLResponse": ""}, {"SAMLResponse": ["a", "b"]}, {"SAMLResponse": "x" * 600_000}],
)
def test_an_answer_that_is_none_is_a_plain_refusal(citizen, data):
    assert citizen.client.post("/saml/acs", data=data).status_code in {400, 413}


def test_the_place_for_answers_is_not_read(citizen):
    assert citizen.client.get("/saml/acs").status_code in {404, 405}


@pytest.mark.parametrize(
    "path", ["/saml/sls", "/saml/sls?SAMLRequest=a&SAMLRequest=b", "/saml/sls?x=1"]
)
def test_a_message_about_logout_that_is_none_is_a_plain_refusal(citizen, path):
    assert citizen.get(path).status_code == 400


@pytest.mark.parametrize(
    "onward", ["//evil.example/", "/%5Cevil.example", "https://evil.example/", "javascript:x"]
)
def test_nobody_is_sent_elsewhere(citizen, onward):
    arrived = citizen.sign_in(local(1), onward=onward)

    assert arrived.headers["Location"] == "/"


def test_the_language_is_kept_across_the_trip(citizen):
    page = citizen.get("/connexion?lang=en").text
    (way,) = re.findall(r'href="(/connexion/depart[^"]*avec=compte[^"]*)"', page)

    arrived = citizen.answer(citizen.get(unescape(way)).headers["Location"], local(1))

    assert arrived.headers["Location"] == "/mon-espace?lang=en"
    assert "My space" in citizen.get("/mon-espace?lang=en").text


def test_two_tabs_of_one_browser_both_arrive(citizen):
    first = citizen.get("/connexion/depart?avec=compte").headers["Location"]
    second = citizen.get("/connexion/depart?avec=compte").headers["Location"]

    assert citizen.answer(first, local(1)).status_code == 303
    assert citizen.answer(second, local(1)).status_code == 303


def test_another_browser_does_not_arrive_with_this_ones_answer(citizen, database, vault, hub_keys):
    url = citizen.get("/connexion/depart?avec=compte").headers["Location"]
    relay = url.partition("RelayState=")[2]
    stranger = citizen.app.test_client()

    page = stranger.post(
        "/saml/acs", data={"SAMLResponse": citizen.said(local(1)), "RelayState": relay}
    )

    assert page.status_code == 403


def test_who_must_be_looked_at_by_a_person_is_told_so_and_has_no_session(citizen):
    citizen.sign_in(franceconnect(1))
    citizen.press("/mon-espace", "/deconnexion")

    page = citizen.sign_in(franceconnect(2))

    assert "Un agent doit vous aider" in page.text
    assert "Set-Cookie" not in page.headers
    assert citizen.get("/mon-espace").status_code == 303


def test_without_a_realm_the_page_says_so_and_codes_still_work(database, vault, hub_keys):
    client = make_app(database, vault, hub_keys, FakeInbox()).test_client()

    page = client.get("/connexion")

    assert (page.status_code, "pas encore ouverte" in page.text) == (200, True)
    assert client.get("/connexion/depart").status_code == 503
    assert client.get("/saml/metadata").status_code == 503
    assert client.get("/code").status_code == 200


def test_every_page_of_the_space_is_kept_by_nobody(citizen):
    citizen.sign_in(local(1))
    for path in ("/mon-espace", "/mon-espace/code", "/connexion", "/au-revoir"):
        assert citizen.get(path).headers["Cache-Control"] == "no-store"


def test_a_realm_that_is_away_is_said_and_everything_else_goes_on(citizen):
    citizen.sign_in(local(1))
    citizen.realm.is_up = False

    page = citizen.app.test_client().get("/connexion/depart?avec=compte")

    assert (page.status_code, page.headers["Retry-After"]) == (503, "30")
    assert "momentanément indisponible" in page.text
    assert citizen.get("/mon-espace").status_code == 200
    assert citizen.press("/mon-espace", "/mon-espace/relier").status_code == 200
    assert citizen.get("/mon-espace/relier/suite").status_code == 503
