"""Signing in as people do: Chromium, three sites over TLS, a real Keycloak, FranceConnect's double."""

import re
from urllib.parse import urlsplit

import pytest

from tests.browser.citizen_hub import fill, issue_code
from tests.browser.conftest import FLAGS
from tests.browser.tls_city import city as open_city
from tests.integration.brokered import PLUS, rotated
from tests.plugins.requirements import chromium

pytestmark = [pytest.mark.keycloak, pytest.mark.browser]

FRANCECONNECT_ALONE = re.compile(r"^FranceConnect(?!\s*\+)")
PATIENCE = 60_000
POSTED = """async body => {
  const headers = {"Content-Type": "application/x-www-form-urlencoded"};
  const answer = await fetch("/saml/acs", {method: "POST", headers, body});
  return [answer.status, await answer.text()];
}"""
SESSION, TRIP = "__Host-parvis_session", "__Host-parvis_saml"


@pytest.fixture(scope="module")
def city(keycloak, keycloak_api, fresh_database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("city")
    with (
        fresh_database() as database_url,
        open_city(
            keycloak=keycloak, api=keycloak_api, database_url=database_url, folder=folder
        ) as made,
    ):
        fill(made.hub.database)
        for table in ("commune", "place"):
            made.hub.database.run(f"UPDATE {table} SET source_date = '2026-11-01'")
        yield made


@pytest.fixture(scope="module")
def trusting(playwright, city):
    """Chromium that finds our names on loopback and trusts our authority alone."""
    browser = playwright.chromium.launch(
        executable_path=chromium(),
        args=[
            *FLAGS,
            "--host-resolver-rules=MAP *.test 127.0.0.1",
            f"--ignore-certificate-errors-spki-list={city.authority.spki}",
        ],
    )
    yield browser
    browser.close()


@pytest.fixture
def person(trusting):
    """A browser of somebody's own; each call is another person's."""
    contexts = []

    def arrives():
        contexts.append(trusting.new_context(locale="fr-FR", timezone_id="Europe/Paris"))
        contexts[-1].set_default_timeout(PATIENCE)
        return contexts[-1].new_page()

    yield arrives
    for context in contexts:
        context.close()


@pytest.fixture(autouse=True)
def _untroubled(city):
    yield
    city.franceconnect.clear()


def enter(page, city, who, *, path="/mon-espace"):
    """Go to a page of one's own, through FranceConnect if one must; ends where one wanted to be."""
    page.goto(f"{city.url}{path}")
    assert urlsplit(page.url).path == "/connexion"
    by_franceconnect(page).click()
    agree(page, who)
    page.wait_for_url(f"{city.url}{path}")


def by_franceconnect(page):
    return page.locator("a[href*='avec=franceconnect']").first


def agree(page, who):
    """Choose somebody at FranceConnect and agree to what will be given."""
    page.locator(f"button[name=person][value={who}]").click()
    page.locator("button[name=choice][value=continue]").click()


def by_the_plus(page):
    """On the realm's own page, choose the stronger FranceConnect."""
    page.locator(f"#social-{PLUS}").click()


def watched(page):
    """The requests of a page, as they leave."""
    sent = []

    def seen(request):
        sent.append(request)

    page.on("request", seen)
    return sent


def is_at(page, city, path):
    there = urlsplit(page.url)
    return f"{there.scheme}://{there.netloc}" == city.url and there.path == path


def cookies(page, name):
    return [cookie for cookie in page.context.cookies() if cookie["name"] == name]


def sessions(city):
    """How many sessions live."""
    return city.hub.database.one("SELECT count(*) AS n FROM web_session WHERE ended_at IS NULL")[
        "n"
    ]


def test_a_person_signs_up_and_the_cookies_keep_to_their_sites(city, person):
    page = person()
    sent = watched(page)
    enter(page, city, "marseille")
    arrived = next(one for one in sent if one.url == f"{city.url}/saml/acs")
    carried = arrived.all_headers().get("cookie", "")
    (session,), (trip,) = cookies(page, SESSION), cookies(page, TRIP)

    assert is_at(page, city, "/mon-espace")
    assert (session["secure"], session["httpOnly"], session["sameSite"]) == (True, True, "Lax")
    assert (trip["secure"], trip["httpOnly"], trip["sameSite"]) == (True, True, "None")
    assert {session["domain"], trip["domain"]} == {"hub.test"}
    assert TRIP in carried
    assert SESSION not in carried
    assert all("SAMLResponse" not in one.url for one in sent)


def test_signing_in_anew_gives_another_session_and_leaves_the_old_cookie_at_home(city, person):
    page = person()
    enter(page, city, "oe")
    before = cookies(page, SESSION)[0]["value"]
    sent = watched(page)
    page.goto(f"{city.url}/connexion/depart?avec=franceconnect")
    page.wait_for_url(f"{city.url}/mon-espace")
    arrived = next(one for one in sent if one.url == f"{city.url}/saml/acs")

    assert SESSION not in arrived.all_headers()["cookie"]
    assert cookies(page, SESSION)[0]["value"] != before


def test_the_code_of_a_preregistration_finds_its_place_in_my_space(city, person):
    hub = city.hub
    code = issue_code(hub.database, hub.keys, subject="essai-1")
    hub.database.run(
        "INSERT INTO citizen(id, state) SELECT citizen_id, 'announced' FROM preregistration"
    )
    page = person()
    enter(page, city, "etranger", path="/mon-espace/code")
    page.locator("input[name=code]").fill(code)
    page.locator("main form button").click()
    page.wait_for_url(f"{city.url}/mon-espace?code=ajoute")

    assert "Médiathèque communautaire" in page.locator("main").inner_text()


def test_another_login_is_linked_by_proving_both_and_one_is_taken_away_by_proving_the_other(
    city, person
):
    page = person()
    enter(page, city, "forte")
    before = cookies(page, SESSION)[0]["value"]
    page.locator("form[action$='/relier'] button").click()
    by_the_plus(page)
    agree(page, "forte")
    page.wait_for_url(f"{city.url}/mon-espace?relie=*")
    assert cookies(page, SESSION)[0]["value"] != before
    assert page.locator("a[href*='/mon-espace/connexions/']").count() == 2

    again = person()
    again.goto(f"{city.url}/connexion/depart?avec=compte")
    by_the_plus(again)
    agree(again, "forte")
    again.wait_for_url(f"{city.url}/mon-espace")
    again.locator("li", has_text=FRANCECONNECT_ALONE).locator("a").click()
    again.locator("form[action$='/preuve'] button").click()
    by_the_plus(again)
    agree(again, "forte")
    again.locator("form[action$='/retrait'] button").click()
    again.wait_for_url(f"{city.url}/mon-espace?retire=*")
    assert again.locator("a[href*='/mon-espace/connexions/']").count() == 1

    page.goto(f"{city.url}/mon-espace")
    assert is_at(page, city, "/connexion")  # the other browsers' sessions ended
    third = person()
    third.goto(f"{city.url}/connexion/depart?avec=franceconnect")
    agree(third, "forte")
    third.wait_for_url(f"{city.url}/**")
    third.goto(f"{city.url}/mon-espace")
    assert is_at(third, city, "/connexion")  # what was taken away opens nothing by itself


def test_a_better_proof_is_asked_in_the_middle_of_an_act_and_leads_back_to_it(city, person):
    page = person()
    enter(page, city, "haute_corse")
    before = cookies(page, SESSION)[0]["value"]
    newest = "(SELECT id FROM web_session ORDER BY id DESC LIMIT 1)"
    city.hub.database.run(f"UPDATE web_session SET level = 1 WHERE id = {newest}")
    page.goto(f"{city.url}/mon-espace/identite?vers=/mon-espace/code")
    page.locator("form[action*='/mon-espace/identite'] button").click()
    agree(page, "haute_corse")
    page.wait_for_url(f"{city.url}/mon-espace/code")

    session = city.hub.database.one(f"SELECT level FROM web_session WHERE id = {newest}")
    assert session["level"] == 2
    assert cookies(page, SESSION)[0]["value"] != before


def test_signing_out_here_signs_out_at_the_realm_and_at_franceconnect(city, person):
    page = person()
    enter(page, city, "mayotte")
    page.locator("form[action$='/deconnexion'] button").first.click()
    page.wait_for_url(f"{city.url}/au-revoir")

    assert cookies(page, SESSION) == []
    assert city.franceconnect.effects()[-1] == "session.ended"
    page.goto(f"{city.url}/connexion/depart?avec=franceconnect")
    assert page.locator("button[name=person]").count() > 1


def test_signing_out_at_the_realm_signs_out_here(city, person):
    page = person()
    enter(page, city, "polynesie")
    before = sessions(city)
    page.goto(f"{city.realm_url}/protocol/openid-connect/logout")
    with page.expect_response(lambda answer: "SAMLResponse=" in answer.url):  # ours, to the realm
        page.locator("#kc-logout").click()
    page.goto(f"{city.url}/mon-espace")

    assert is_at(page, city, "/connexion")
    assert sessions(city) == before - 1
    assert city.franceconnect.effects()[-1] == "session.ended"


def test_two_tabs_on_their_way_at_once_both_arrive(city, person):
    one = person()
    two = one.context.new_page()
    for page in (one, two):
        page.goto(f"{city.url}/connexion")
        by_franceconnect(page).click()
        page.locator("button[name=person]").first.wait_for()
    agree(one, "corse_sud")
    one.wait_for_url(f"{city.url}/mon-espace")
    agree(two, "corse_sud")
    two.wait_for_url(f"{city.url}/mon-espace")
    one.reload()

    assert is_at(one, city, "/mon-espace")
    assert is_at(two, city, "/mon-espace")


def test_new_keys_of_the_realm_in_the_middle_of_a_sign_in_refuse_nobody(city, person):
    page, other = person(), person()
    enter(other, city, "long")
    page.goto(f"{city.url}/connexion")
    by_franceconnect(page).click()
    city.hub.database.run("UPDATE idp_descriptor SET tried_at = tried_at - interval '2 minutes'")
    undo = rotated(city.realms.api, city.realms.ours.citizens)
    try:
        agree(page, "haute_corse")
        page.wait_for_url(f"{city.url}/mon-espace")
        other.goto(f"{city.url}/connexion/depart?avec=franceconnect")
        other.wait_for_url(f"{city.url}/mon-espace")
    finally:
        undo()

    assert is_at(page, city, "/mon-espace")


def test_an_answer_carried_to_another_browser_is_refused_with_a_neutral_page(city, person):
    honest, thief = person(), person()
    honest.goto(f"{city.url}/connexion")
    by_franceconnect(honest).click()
    carried = []

    def hold(route):
        carried.append(route.request.post_data)
        route.abort()

    honest.route("**/saml/acs", hold)
    honest.locator("button[name=person][value=jour_inconnu]").click()
    honest.locator("button[name=choice][value=continue]").click()
    honest.wait_for_event("requestfailed", lambda request: request.url.endswith("/saml/acs"))
    thief.goto(f"{city.url}/connexion")
    status, text = thief.evaluate(POSTED, carried[0])

    assert status == 403
    assert "Rien n'a été ouvert" in text.replace("\u2019", "'").replace("&#39;", "'")
    assert cookies(thief, SESSION) == []


def test_somebody_turned_away_by_franceconnect_can_start_again(city, person):
    page = person()
    city.franceconnect.arm("status", operation="userinfo", code=503, times=1)
    page.goto(f"{city.url}/connexion")
    by_franceconnect(page).click()
    agree(page, "mois_inconnu")
    page.wait_for_url("https://idp.test:*/**")

    assert cookies(page, SESSION) == []
    enter(page, city, "mois_inconnu")
