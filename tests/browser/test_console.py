from types import SimpleNamespace

import pytest

from orchestrator.store.connections import Database
from tests.browser.citizen_hub import serving
from tests.browser.console_hub import Past, make_app

pytestmark = [pytest.mark.browser, pytest.mark.postgres, pytest.mark.timeout(120)]


@pytest.fixture
def hub(database, database_url, vault, hub_keys):
    """The console, served; the server has its own view of the database."""
    made = Past(database, vault).day()
    own = Database(database_url)
    app = make_app(own, vault, hub_keys)
    with serving(app) as url:
        yield SimpleNamespace(url=url, made=made, links=app.extensions["console"].entry.links)
    own.close()


@pytest.fixture
def link(database, vault, hub_keys):
    links = make_app(database, vault, hub_keys).extensions["console"].entry.links
    return lambda: links.create("cli:essai")


def addresses(made):
    return [
        "/console/",
        "/console/executions",
        "/console/executions?etat=abandonnees",
        "/console/connecteurs",
        "/console/ailleurs",
        *(f"/console/executions/{run_id}" for run_id in vars(made).values()),
    ]


def enter(page, hub, link):
    page.goto(hub.url + link())
    page.get_by_role("button", name="Entrer").click()
    page.wait_for_url("**/console/")


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_axe_finds_no_fault_on_any_page(browser, hub, link, axe_faults, width, scheme):
    context = browser.new_context(
        bypass_csp=True,
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        locale="fr-FR",
    )
    page = context.new_page()
    found = {}

    def look(name):
        for summary in page.locator("summary").all():
            summary.click()
        faults, unsure = axe_faults(page)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if faults or unsure or wide > width:
            found[name] = (faults, unsure, wide)

    page.goto(f"{hub.url}/console/")
    look("closed")
    page.goto(f"{hub.url}/console/entree/inconnu")
    look("spent")
    page.goto(hub.url + link())
    look("door")
    page.get_by_role("button", name="Entrer").click()
    for address in addresses(hub.made):
        page.goto(hub.url + address)
        look(address)
    context.close()

    assert found == {}


def test_no_page_breaks_its_own_policy_or_asks_anything_elsewhere(browser, hub, link):
    context = browser.new_context(locale="fr-FR")
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))

    enter(page, hub, link)
    for address in addresses(hub.made):
        page.goto(hub.url + address)
    cookies = {cookie["name"]: cookie for cookie in context.cookies()}
    context.close()

    assert [text for text in said if "404" not in text] == []
    assert [url for url in asked if not url.startswith(hub.url)] == []
    assert cookies.keys() <= {"parvis", "parvis_staff"}
    assert cookies["parvis_staff"]["httpOnly"]


def press_tab_until(page, text):
    """Move with the Tab key alone to what bears this text; its target is large enough."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.locator(":focus:not(select)")
        if not focused.count():
            continue
        if text in (focused.get_attribute("aria-label") or focused.inner_text()):
            box = focused.bounding_box()
            assert min(box["width"], box["height"]) >= 20
            return
    pytest.fail(f"no way to {text} with the Tab key")


def press(page, text, leads_to):
    press_tab_until(page, text)
    page.keyboard.press("Enter")
    page.wait_for_url(leads_to)


def test_the_console_is_used_with_the_keyboard_alone_and_without_scripts(browser, hub, link):
    context = browser.new_context(locale="fr-FR", java_script_enabled=False)
    page = context.new_page()

    page.goto(hub.url + link())
    press(page, "Entrer", "**/console/")
    press(page, "en rebut", "**/executions?etat=en-rebut&depuis=tout")
    press(page, "Arrivée et préinscription", f"**/executions/{hub.made.stuck}")
    press_tab_until(page, "Demande")
    page.keyboard.press("Enter")
    assert page.locator("details[open] pre").is_visible()
    page.goto(f"{hub.url}/console/executions?etat=en-rebut")
    press(page, "Retirer le filtre", "**/executions")
    press(page, "Se déconnecter", "**/console/?sortie=")
    assert "déconnecté" in page.inner_text("h1")
    context.close()


def test_a_link_that_was_only_looked_at_still_opens(browser, hub, link):
    path = link()
    preview = browser.new_context()
    preview.new_page().goto(hub.url + path)
    preview.close()
    context = browser.new_context(locale="fr-FR")
    page = context.new_page()

    page.goto(hub.url + path)
    page.get_by_role("button", name="Entrer").click()

    assert page.inner_text("h1") == "Accueil"
    page.goto(hub.url + path)
    assert "ne sert plus" in page.inner_text("h1")
    context.close()


@pytest.mark.parametrize("zoom", ["200%", "400%"])
def test_pages_reflow_when_they_are_enlarged(browser, hub, link, zoom):
    width = 1280 * 100 // int(zoom.rstrip("%"))
    context = browser.new_context(viewport={"width": width, "height": 720}, locale="fr-FR")
    page = context.new_page()
    enter(page, hub, link)
    too_wide = []

    for address in addresses(hub.made):
        page.goto(hub.url + address)
        for summary in page.locator("summary").all():
            summary.click()
        if page.evaluate("document.documentElement.scrollWidth") > width:
            too_wide.append(address)
    context.close()

    assert too_wide == []


def test_the_pages_speak_english_when_asked(browser, hub, link):
    context = browser.new_context()
    page = context.new_page()
    enter(page, hub, link)

    page.get_by_role("link", name="English").click()

    assert page.locator("html").get_attribute("lang") == "en"
    page.get_by_role("link", name="Runs", exact=True).click()
    assert page.inner_text("h1") == "Runs"
    page.get_by_role("button", name="Filter").click()
    assert page.locator("html").get_attribute("lang") == "en"
    context.close()
