"""The console's pages of signing in, as staff of the realm see them: readable, narrow, without a fault of axe."""

from types import SimpleNamespace

import pytest

from orchestrator.services.ports.staff import Role, WantedRole
from orchestrator.store.connections import Database
from orchestrator.store.staff_roles import StaffRoleTable
from schemas.logins import Face
from tests.browser.citizen_hub import serving
from tests.browser.console_hub import Past, make_app
from tests.fakes.realm import Realm
from tests.integration.test_sign_in import Desk

pytestmark = [pytest.mark.browser, pytest.mark.postgres, pytest.mark.timeout(120)]
WHO = {
    "none": (),
    "dpo": (WantedRole(name="dpo", role=Role.DPO),),
    "many": tuple(WantedRole(name="many", role=role) for role in Role),
}


@pytest.fixture
def hub(database, database_url, vault, hub_keys):
    """The console with a realm, served, and the cookies of people with different roles."""
    Past(database, vault).day()
    roles = StaffRoleTable(database=database, vault=vault)
    desk = Desk(database, vault, hub_keys, face=Face.CONSOLE)
    cookies = {}
    for number, (name, wanted) in enumerate(WHO.items()):
        for one in wanted:
            roles.grant(one, actor="cli:essai")
        cookies[name] = desk.sign_in({"name_id": f"G-{number}", "username": name}).cookie
    own = Database(database_url)
    with serving(make_app(own, vault, hub_keys, realm=Realm())) as url:
        yield SimpleNamespace(url=url, cookies=cookies)
    own.close()


LOOKS = {
    ("nobody", "/console/"): "La console est fermée",
    ("none", "/console/"): "Aucun rôle ne vous est donné",
    ("dpo", "/console/"): "Accueil",
    ("dpo", "/console/connecteurs"): "Cette page n’est pas de votre rôle",
    ("many", "/console/"): "Accueil",
}


def test_axe_finds_no_fault_whoever_looks(browser, hub, axe_faults):
    found, said = {}, {}
    for who, address in LOOKS:
        context = browser.new_context(bypass_csp=True, locale="fr-FR")
        if who in hub.cookies:
            cookie = {"name": "parvis_staff", "value": hub.cookies[who], "url": hub.url}
            context.add_cookies([cookie])
        page = context.new_page()
        page.goto(hub.url + address)
        said[who, address] = page.get_by_role("heading", level=1).inner_text()
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            faults, unsure = axe_faults(page)
            wide = page.evaluate("document.documentElement.scrollWidth")
            if faults or unsure or wide > width:
                found[who, address, width] = (faults, unsure, wide)
        context.close()

    assert found == {}
    assert said == LOOKS
