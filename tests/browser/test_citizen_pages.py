"""The citizen pages in Chromium: what only a browser can tell."""

import pytest

from tests.browser.citizen_hub import TOKEN, issue_code

pytestmark = [pytest.mark.browser, pytest.mark.postgres, pytest.mark.timeout(120)]
LOOKS = [(360, "light"), (1280, "dark")]  # each width and each scheme
NARROW = {"width": 320, "height": 640}


@pytest.fixture
def visit(browser, browser_context_args):
    """Open a page in a context of its own; closes them all at the end."""
    contexts = []

    def open_page(**options):
        context = browser.new_context(**(browser_context_args | options))
        context.set_default_timeout(10_000)
        contexts.append(context)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


def test_axe_finds_nothing_on_any_page(citizen_hub, visit, axe_faults):
    page = visit(bypass_csp=True)
    found = {}
    for name in _walk(page, citizen_hub):
        for width, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=scheme)
            faults, unsure = axe_faults(page)
            if faults or unsure.get("color-contrast"):
                found[name, width, scheme] = faults or unsure
    assert found == {}


def test_no_page_asks_anything_of_anybody_else_nor_breaks_its_policy(citizen_hub, visit):
    page = visit()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    seen = list(_walk(page, citizen_hub))
    assert len(seen) > 15
    foreign = [url for url in asked if not url.startswith((citizen_hub.url, "data:"))]
    assert foreign == []
    assert [text for text in said if "Content Security Policy" in text] == []


def test_the_policy_stops_a_script_that_slips_in(citizen_hub, visit):
    page = visit()
    page.goto(f"{citizen_hub.url}/a/{TOKEN}")
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.evaluate(
        "() => { try { const s = document.createElement('script'); s.text = 'window.hacked = 1';"
        " document.body.append(s) } catch (e) { console.log(e.message) } }"
    )
    assert page.evaluate("window.hacked") is None
    assert any("TrustedScript" in text for text in said)


def test_the_only_cookie_comes_with_the_form(citizen_hub, visit):
    page = visit()
    page.goto(f"{citizen_hub.url}/a/{TOKEN}")
    assert page.context.cookies() == []
    page.click("main a.button")
    (cookie,) = page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("parvis", True, "Lax")
    assert cookie["expires"] == -1
    for _name in _walk(page, citizen_hub):
        assert {each["name"] for each in page.context.cookies()} <= {"parvis"}


def test_the_whole_way_works_without_script(citizen_hub, visit):
    page = visit(java_script_enabled=False, viewport={"width": 360, "height": 800})
    names = list(_walk(page, citizen_hub))
    assert names[-1] == "activated"


def test_the_whole_way_works_by_keyboard_alone(citizen_hub, visit):
    page = visit()
    page.goto(f"{citizen_hub.url}/a/{TOKEN}")
    _tab_to(page, "a.button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/inscription/*")
    _tab_to(page, "input[name=age]")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert page.is_checked("#age-3")
    _tab_to(page, "#code_postal")
    page.keyboard.type("83300")
    page.keyboard.press("Enter")
    page.wait_for_url("**/contact")
    _tab_to(page, "#commune")
    page.keyboard.type("Drag")
    _tab_to(page, "#phone")
    page.keyboard.type("0639980001")
    _tab_to(page, "#with_library")
    page.keyboard.press("Space")
    _tab_to(page, "#given_name")
    page.keyboard.type("Camille")
    _tab_to(page, "#family_name")
    page.keyboard.type("Exemple")
    _tab_to(page, "main button[type=submit]")
    page.keyboard.press("Enter")
    page.wait_for_url("**/verification")
    _tab_to(page, "#code")
    page.keyboard.type(citizen_hub.worker.sent_code())
    page.keyboard.press("Enter")
    page.wait_for_url("**/resultat")
    assert page.is_visible(".ticket")


def test_focus_is_always_to_be_seen(citizen_hub, visit):
    page = visit()
    for path in (f"/a/{TOKEN}", f"/inscription/{TOKEN}", "/code"):
        page.goto(citizen_hub.url + path)
        for _ in range(12):
            page.keyboard.press("Tab")
            assert page.evaluate(_OUTLINE), path


def test_the_error_summary_takes_focus_and_leads_to_the_fields(citizen_hub, visit):
    page = visit()
    page.goto(f"{citizen_hub.url}/inscription/{TOKEN}")
    page.click("main button[type=submit]")
    assert page.title().startswith("Erreur")
    assert page.evaluate("document.activeElement.className") == "faults"
    page.click(".faults a >> nth=1")
    assert page.evaluate("document.activeElement.id") == "code_postal"
    described = page.get_attribute("#code_postal", "aria-describedby").split()
    assert "code_postal-error" in described
    assert page.get_attribute("#code_postal", "aria-invalid") == "true"


def test_every_page_reflows_whatever_is_done_to_its_text(citizen_hub, visit):
    page = visit(viewport=NARROW, bypass_csp=True)
    faults = {}
    for name in _walk(page, citizen_hub):
        page.wait_for_load_state()
        for what, change in _CHANGES.items():
            over = page.evaluate(change)
            if over > 0:
                faults[name, what] = over
    assert faults == {}


def test_what_a_finger_taps_is_large_enough(citizen_hub, visit):
    page = visit(viewport={"width": 360, "height": 800})
    small = {name: page.evaluate(_SMALL) for name in _walk(page, citizen_hub)}
    assert {name: found for name, found in small.items() if found} == {}


def test_pages_weigh_little(citizen_hub, visit):
    page = visit()
    weights = []
    page.on("response", lambda answer: weights.append(len(answer.body())))
    page.goto(f"{citizen_hub.url}/a/{TOKEN}", wait_until="networkidle")
    assert sum(weights) <= 50_000
    for path in (f"/inscription/{TOKEN}", "/code", "/a-propos-des-donnees", "/accessibilite"):
        weights.clear()
        page.goto(citizen_hub.url + path, wait_until="networkidle")
        assert sum(weights) <= 50_000, path


def test_the_button_is_on_the_first_screen_of_a_small_telephone(citizen_hub, visit):
    page = visit(viewport={"width": 360, "height": 640})
    page.goto(f"{citizen_hub.url}/a/{TOKEN}")
    box = page.locator("main a.button").bounding_box()
    assert box["y"] + box["height"] <= 640


def test_fields_appear_with_the_box_they_belong_to(citizen_hub, visit):
    page = visit(viewport={"width": 360, "height": 800})
    walk = _walk(page, citizen_hub)
    next(name for name in walk if name == "contact")
    assert not page.is_visible("#family_name")
    page.check("#with_library")
    assert page.is_visible("#family_name")
    page.check("#channel-1")
    assert page.is_visible("#email")
    assert not page.is_visible("#phone")


def test_every_page_has_its_title_and_its_language(citizen_hub, visit):
    page = visit()
    titles = {}
    for name in _walk(page, citizen_hub):
        titles[name] = page.title()
        assert page.get_attribute("html", "lang") == "fr"
        assert page.locator("h1").count() == 1, name
        footer = page.inner_text("footer")
        assert "Accessibilité" in footer, name
        assert "À propos des données" in footer, name
    assert all(title.endswith("Métropole de démonstration") for title in titles.values())
    assert len(set(titles.values())) >= len(titles) - 3
    page.goto(f"{citizen_hub.url}/a/{TOKEN}?lang=en")
    assert page.get_attribute("html", "lang") == "en"
    assert page.title().startswith("Your library")


def _walk(page, hub, *, phone="06 39 98 00 01"):
    """Go through every page as a person does; yields the name of each once it is open."""
    yield from _plain_pages(page, hub.url)
    page.goto(f"{hub.url}/inscription/{TOKEN}")
    page.click("main button[type=submit]")
    yield "start with faults"
    page.check("#age-0")
    page.fill("#code_postal", "83300")
    page.click("main button[type=submit]")
    yield "with a parent"
    page.goto(f"{hub.url}/inscription/{TOKEN}")
    page.check("#age-3")
    page.fill("#code_postal", "05000")
    page.click("main button[type=submit]")
    yield "not served"
    page.goto(f"{hub.url}/inscription/{TOKEN}")
    yield "start"
    page.check("#age-3")
    page.fill("#code_postal", "83300")
    page.click("main button[type=submit]")
    yield "contact"
    yield from _contact_pages(page, hub, phone)
    code = page.inner_text(".ticket strong")
    page.click("main a.button")
    yield "code"
    page.fill("#code", "ABCDE-FGHJK")
    page.click("main button[type=submit]")
    yield "code with faults"
    page.fill("#code", code)
    page.click("main button[type=submit]")
    yield "activated"


def _plain_pages(page, url):
    paths = {
        "home": "/",
        "landing": f"/A/{TOKEN}",
        "closed": "/a/ZZZZZZZZ",
        "suspicious": f"/affiche-suspecte/{TOKEN}",
        "reported": f"/affiche-suspecte/{TOKEN}/merci",
        "without poster": "/inscription",
        "finder": "/bibliotheques",
        "libraries": "/bibliotheques?code_postal=83300",
        "finder with faults": "/bibliotheques?code_postal=8",
        "data": "/a-propos-des-donnees",
        "accessibility": "/accessibilite",
        "unknown page": "/nothing-here",
        "expired": "/inscription/contact",
    }
    for name, path in paths.items():
        page.goto(url + path)
        yield name


def _contact_pages(page, hub, phone):
    page.check("#with_library")
    page.check("#with_interests")
    page.click("main button[type=submit]")
    yield "contact with faults"
    page.select_option("#commune", "83050")
    page.fill("#phone", phone)
    page.fill("#given_name", "Camille")
    page.fill("#family_name", "Exemple")
    page.check("#interests-1")
    page.click("main button[type=submit]")
    page.wait_for_url("**/verification")
    yield "verification"
    right = hub.worker.sent_code()
    page.fill("#code", f"{(int(right) + 1) % 10**6:06d}")
    page.click("main button[type=submit]")
    yield "verification with faults"
    hub.worker.is_idle = True
    page.fill("#code", right)
    page.click("main button[type=submit]")
    page.wait_for_url("**/resultat*")
    page.evaluate("window.stop()")  # it would open itself again under whoever looks at it
    yield "not yet"
    hub.worker.is_idle = False
    issue_code(hub.database, hub.keys, subject=hub.worker.of("poster.")[-1].subject)
    page.goto(f"{hub.url}/inscription/resultat")
    yield "result"


def _tab_to(page, selector):
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"Tab never reaches {selector}")


_OUTLINE = """() => {
  const seen = element => {
    const style = getComputedStyle(element);
    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  };
  const active = document.activeElement;
  return active === document.body || seen(active) || seen(active.closest('label') || active);
}"""
_OVER = "const over = document.documentElement.scrollWidth - innerWidth;"
_CHANGES = {
    "320 pixels": f"() => {{ {_OVER} return over }}",
    "text twice as large": f"""() => {{ document.documentElement.style.fontSize = '200%';
        {_OVER} document.documentElement.style.fontSize = ''; return over }}""",
    "right to left": f"""() => {{ document.documentElement.dir = 'rtl';
        {_OVER} document.documentElement.dir = 'ltr'; return over }}""",
    "text spacing": f"""() => {{ const style = document.createElement('style');
        style.textContent = '* {{ line-height: 1.5 !important; letter-spacing: 0.12em !important; '
          + 'word-spacing: 0.16em !important }}';
        document.head.append(style); {_OVER} style.remove(); return over }}""",
}
_SMALL = """() => [...document.querySelectorAll('main a, main button, main input, nav a, footer a')]
  .filter(each => each.type !== 'hidden' && each.offsetParent)
  .map(each => [each, (each.closest('label') || each).getBoundingClientRect()])
  .filter(([each, box]) => (box.height < 24 || box.width < 24) && !each.closest('p, li li'))
  .map(([each, box]) => `${each.outerHTML.slice(0, 80)} ${box.width}x${box.height}`)"""
