"""Signing in and "Mon espace" in Chromium: what only a browser can tell."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.store.connections import Database
from tests.browser.citizen_hub import Desk, PlayedWorker, fill, issue_code, make_app, serving
from tests.fakes.realm import Realm
from tests.integration.test_sign_in import franceconnect

pytestmark = [pytest.mark.browser, pytest.mark.postgres, pytest.mark.timeout(120)]
LOOKS = [(360, "light"), (1280, "dark")]  # each width and each scheme


@pytest.fixture
def hub(database, database_url, vault, hub_keys):
    fill(database)
    own = Database(database_url)
    realm = Realm()
    worker = PlayedWorker(own, hub_keys)
    app = make_app(own, vault, hub_keys, worker, realm=realm, desk=Desk())
    with serving(app) as url:
        yield SimpleNamespace(url=url, realm=realm, database=database, app=app, keys=hub_keys)
    own.close()


@pytest.fixture
def visit(browser, browser_context_args):
    contexts = []

    def open_page(**options):
        context = browser.new_context(**(browser_context_args | options))
        context.set_default_timeout(10_000)
        contexts.append(context)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


def signed_in(hub, page, number=1):
    """Give a page the session that a sign-in would have opened."""
    client = hub.app.test_client()
    departed = client.get("/connexion/depart?avec=franceconnect")
    relay = departed.headers["Location"].partition("RelayState=")[2]
    hub.realm.answers[f"a{number}"] = franceconnect(number)
    client.post("/saml/acs", data={"SAMLResponse": f"a{number}", "RelayState": relay})
    cookie = client.get_cookie("parvis_session")
    page.context.add_cookies([{"name": "parvis_session", "value": cookie.value, "url": hub.url}])


def pages_of(hub, page):
    """Every page of signing in, by name, as it stands in the browser."""
    page.goto(f"{hub.url}/connexion")
    yield "sign_in"
    page.goto(f"{hub.url}/connexion/preuve?vers=/mon-espace/code")
    yield "unproved"
    page.goto(f"{hub.url}/au-revoir")
    yield "left"
    page.goto(f"{hub.url}/code")
    yield "code"
    signed_in(hub, page)
    page.goto(f"{hub.url}/mon-espace")
    yield "space_empty"
    code = issue_code(hub.database, hub.keys, subject="s-1")
    announced = hub.database.one("SELECT citizen_id FROM preregistration")["citizen_id"]
    hub.database.run("INSERT INTO citizen(id) VALUES (%s)", (announced,))
    page.click("main a[href$='/mon-espace/code']")
    yield "space_code"
    page.fill("#code", "00000-00000")
    page.click("main button[type=submit]")
    yield "space_code_wrong"
    page.fill("#code", code)
    page.click("main button[type=submit]")
    page.wait_for_url("**/mon-espace?code=ajoute")
    yield "space"
    page.click("main a[href$='/mon-espace/carte']")
    yield "space_card"
    page.fill("#number", "21300000000017")
    page.fill("#password", "1234")
    page.click("main button[type=submit]")
    yield "space_card_wrong"
    page.click("main a.quiet[href$='/mon-espace']")
    page.click("text=Retirer")
    yield "login"
    hub.database.run("UPDATE web_session SET level = 1 WHERE ended_at IS NULL")
    page.goto(f"{hub.url}/mon-espace")
    page.click("text=Confirmer mon identité")
    yield "proof"
    page.goto(f"{hub.url}/connexion/preuve")
    yield "unproved_while_signed_in"
    hub.database.run("UPDATE web_session SET level = 2 WHERE ended_at IS NULL")
    page.goto(f"{hub.url}/mon-espace/identite?vers=/mon-espace/code")
    yield "proof_given"


def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(hub, visit, axe_faults):
    page = visit(bypass_csp=True)
    shots = os.environ.get("PARVIS_TEST_SHOTS")
    found = {}
    for name in pages_of(hub, page):
        for width, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=scheme)
            if shots:
                page.screenshot(path=Path(shots) / f"{name}-{width}-{scheme}.png", full_page=True)
            faults, unsure = axe_faults(page)
            wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
            if faults or wide or unsure.get("color-contrast"):
                found[name, width, scheme] = faults or unsure or "wide"
    assert found == {}


def test_the_whole_way_works_without_script(hub, visit):
    page = visit(java_script_enabled=False, viewport={"width": 360, "height": 800})

    assert list(pages_of(hub, page))[-1] == "proof_given"


def test_after_signing_out_the_back_button_shows_nothing(hub, visit):
    page = visit()
    signed_in(hub, page)
    page.route(
        "https://idp.test/**",
        lambda route: route.fulfill(body="<p>realm</p>", content_type="text/html"),
    )
    page.goto(f"{hub.url}/mon-espace")
    page.click("text=Se déconnecter")
    page.wait_for_url("https://idp.test/**")
    page.go_back()
    page.goto(f"{hub.url}/mon-espace")

    assert page.url.endswith("/connexion?vers=/mon-espace")
    assert "parvis_session" not in {each["name"] for each in page.context.cookies(hub.url)}


def test_the_way_in_is_reached_by_the_keyboard(hub, visit):
    page = visit()
    page.goto(f"{hub.url}/connexion")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('franceconnect')"):
            break
    else:
        pytest.fail("FranceConnect is not reached by the keyboard")
    with page.expect_request("https://idp.test/**"):
        page.keyboard.press("Enter")
    assert any(each["name"] == "parvis_saml" for each in page.context.cookies(hub.url))
