"""The console by the staff realm: in, out, and what each role opens; checked by the server, page by page."""

import re

import pytest

from orchestrator.services.ports.staff import Role, WantedRole
from orchestrator.services.staff_rights import READ_ONLY, RIGHTS, Operation
from orchestrator.store.staff_roles import StaffRoleTable
from schemas import ids
from schemas.errors import IdentityUnavailableError
from schemas.logins import LogoutAsked
from tests.browser.console_hub import make_app, sign_in
from tests.fakes.realm import Realm
from web.console.doors import OF_WHOEVER_IS_IN, OPEN_TO_ALL, OPERATIONS

pytestmark = pytest.mark.postgres
COOKIE, TRIP = "parvis_staff", "parvis_staff_saml"
AGENT = {"name_id": "G-1", "username": "admin.demo"}


@pytest.fixture
def realm():
    return Realm()


@pytest.fixture
def app(database, vault, hub_keys, realm):
    return make_app(database, vault, hub_keys, realm=realm)


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def grant(database, vault):
    rows = StaffRoleTable(database=database, vault=vault)

    def give(role, name="admin.demo", **more):
        assert rows.grant(WantedRole(name=name, role=Role(role), **more), actor="cli:essai")

    return give


def depart(client, onward="/console/"):
    return client.get("/console/connexion/depart", query_string={"vers": onward})


def arrive(client, realm, *, said=AGENT, onward="/console/"):
    """Go to the realm and come back with what it says; the answer of the ACS."""
    relay = depart(client, onward).location.partition("RelayState=")[2]
    departure = type("Left", (), {"url": f"x?RelayState={relay}"})
    message = realm.message(departure, **said)
    return client.post(
        "/console/saml/acs", data={"SAMLResponse": message.text, "RelayState": relay}
    )


def test_an_administrator_signs_in_and_comes_to_the_page_they_wanted(client, realm, grant):
    grant("admin")

    answer = arrive(client, realm, onward="/console/executions?etat=en-rebut")

    assert (answer.status_code, answer.location) == (303, "/console/executions?etat=en-rebut")
    page = client.get("/console/")
    assert page.status_code == 200
    assert "admin.demo" in page.text
    assert "administrateur" in page.text
    assert "accès de secours" not in page.text


def test_without_any_role_a_page_says_whom_to_ask_and_nothing_else_is_shown(client, realm):
    assert arrive(client, realm).status_code == 303

    for address in ("/console/", "/console/executions", "/console/connecteurs"):
        page = client.get(address)
        assert page.status_code == 403
        assert "parvis users grant" in page.text
        assert "Se déconnecter" in page.text
        assert 'class="rooms"' not in page.text or "Exécutions" not in page.text


def test_a_role_taken_back_closes_the_next_page(client, realm, grant, database):
    grant("admin")
    arrive(client, realm)
    assert client.get("/console/").status_code == 200

    database.run("UPDATE staff_role SET revoked_at = parvis_now()")

    assert client.get("/console/").status_code == 403


def test_the_page_of_the_closed_door_offers_the_realm_and_the_emergency(client, realm):
    page = client.get("/console/executions?etat=en-rebut")

    assert page.status_code == 401
    assert "/console/connexion/depart?vers=/console/executions?etat%3Den-rebut" in page.text
    assert "parvis console link" in page.text


@pytest.mark.parametrize("onward", ["https://evil.example/", "//evil.example", "/mon-espace", "x"])
def test_no_address_leads_out_of_the_console(client, realm, grant, onward):
    grant("admin")

    assert arrive(client, realm, onward=onward).location == "/console/"


def test_an_answer_without_the_cookie_of_its_trip_opens_nothing(app, client, realm, database):
    relay = depart(client).location.partition("RelayState=")[2]
    message = realm.message(type("Left", (), {"url": f"x?RelayState={relay}"}), **AGENT)
    data = {"SAMLResponse": message.text, "RelayState": relay}

    other = app.test_client().post("/console/saml/acs", data=data)

    assert other.status_code == 403
    assert not [one for one in other.headers.getlist("Set-Cookie") if one.startswith(COOKIE + "=")]
    assert database.one("SELECT count(*) AS n FROM web_session")["n"] == 0
    assert client.post("/console/saml/acs", data=data).status_code == 303


def test_the_cookies_are_bound_to_https_and_the_trip_crosses_sites(
    database, vault, hub_keys, realm
):
    app = make_app(database, vault, hub_keys, public_url="https://parvis.example.org", realm=realm)
    client = app.test_client()
    client.environ_base["wsgi.url_scheme"] = "https"

    left = depart(client).headers.getlist("Set-Cookie")
    trip = next(one for one in left if one.startswith(f"__Host-{TRIP}="))
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=None", "Max-Age=600"} <= set(trip.split("; "))
    kept = arrive(client, realm).headers.getlist("Set-Cookie")
    session = next(one for one in kept if one.startswith(f"__Host-{COOKIE}="))
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(session.split("; "))


def test_signing_out_ends_the_session_here_and_goes_on_to_the_realm(client, realm, grant, database):
    grant("admin")
    arrive(client, realm)
    cookie = client.get_cookie(COOKIE).value
    csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/console/").text)[1]

    answer = client.post("/console/sortie", data={"csrf": csrf})

    assert realm.issuer in answer.headers.get("Refresh", answer.location or "")
    client.set_cookie(COOKIE, cookie)
    assert client.get("/console/").status_code == 401
    assert database.one("SELECT end_reason FROM web_session")["end_reason"] == "signed_out"


def test_half_an_hour_without_a_page_ends_the_session(client, realm, grant, database):
    grant("admin")
    arrive(client, realm)
    database.run("UPDATE web_session SET seen_at = seen_at - interval '31 minutes'")

    assert client.get("/console/").status_code == 401


def test_a_citizens_cookie_opens_nothing_here(client, realm, grant, database):
    grant("admin")
    arrive(client, realm)
    database.run("UPDATE web_session SET face = 'citizen'")

    assert client.get("/console/").status_code == 401


class Away(Realm):
    """A realm that was never reached."""

    def metadata(self):
        raise IdentityUnavailableError

    def ask_login(self, **asked):
        raise IdentityUnavailableError


def test_a_realm_that_is_away_is_said_and_the_link_still_opens(database, vault, hub_keys):
    app = make_app(database, vault, hub_keys, realm=Away())
    client = app.test_client()

    page = depart(client)

    assert page.status_code == 503
    assert "Le serveur de connexion ne répond pas" in page.text
    assert "parvis console link" in page.text
    assert sign_in(client, app.extensions["console"].entry.links).status_code == 303
    assert "accès de secours" in client.get("/console/").text


def test_links_are_in_the_journal_when_made_and_when_used(app, client, database):
    sign_in(client, app.extensions["console"].entry.links)

    rows = database.all("SELECT type, actor_ref FROM journal_entry ORDER BY id")
    assert [(row["type"], row["actor_ref"]) for row in rows] == [
        ("staff.link_made", "cli:essai"),
        ("staff.signed_in", "cli:essai"),
    ]


# --- what each role opens ------------------------------------------------------------------------------

EXPECTED = {
    "console.home": {"admin", "connector_manager", "librarian", "dpo", "observer"},
    "console.runs": {"admin", "connector_manager", "librarian", "observer"},
    "console.run": {"admin", "connector_manager", "librarian", "observer"},
    "console.connectors": {"admin", "connector_manager", "observer"},
}


def endpoints(app):
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("console.")]
    return {rule.endpoint: rule for rule in rules}


def test_every_page_of_the_console_has_its_line_in_the_table_of_rights(app):
    known = set(OPERATIONS) | OPEN_TO_ALL | OF_WHOEVER_IS_IN

    assert set(endpoints(app)) == known
    assert set(EXPECTED) == set(OPERATIONS)


@pytest.mark.parametrize("role", [None, *(role.value for role in Role)])
def test_each_role_opens_its_pages_and_no_other(app, client, realm, grant, role):
    if role:
        grant(role)
    arrive(client, realm)
    rules = endpoints(app)
    opened = set()
    for endpoint in OPERATIONS:
        with app.test_request_context():
            values = {"run_id": ids.uuid7()} if "run_id" in rules[endpoint].arguments else {}
            address = app.url_map.bind("x").build(endpoint, values).removeprefix("http://x")
        code = client.get(address).status_code
        assert code in {200, 403, 404}
        if code != 403:
            opened.add(endpoint)

    assert opened == {endpoint for endpoint, roles in EXPECTED.items() if role in roles}


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_no_link_leads_where_the_reader_may_not_go(client, realm, grant, role):
    grant(role)
    arrive(client, realm)

    for address in set(re.findall(r'href="(/console/[a-z]*)["?]', client.get("/console/").text)):
        assert client.get(address).status_code == 200, address


def test_a_grant_for_one_territory_opens_only_what_can_be_narrowed(client, realm, grant):
    grant("librarian", territory="nord")
    arrive(client, realm)

    assert client.get("/console/").status_code == 200
    assert client.get("/console/executions").status_code == 403


def test_observers_only_read():
    assert RIGHTS[Role.OBSERVER] == READ_ONLY
    assert not READ_ONLY & {Operation.EXCHANGE_REVEAL, Operation.JOURNAL_EXPORT}


def test_the_realm_ends_a_session_of_staff(client, realm, grant, database):
    grant("admin")
    arrive(client, realm)
    row = database.one("SELECT session_index FROM web_session")
    asked = LogoutAsked(
        request_id="_l1",
        issuer=realm.issuer,
        valid_until=database.one("SELECT parvis_now() + interval '1 minute' AS at")["at"],
        name_id="G-1",
        session_index=row["session_index"],
        relay_state=None,
    )
    realm.read_logout = lambda _message: asked
    realm.answer_logout = lambda _asked: f"{realm.issuer}/answered"

    answer = client.get("/console/saml/sls", query_string={"SAMLRequest": "x"})

    assert answer.location == f"{realm.issuer}/answered"
    assert client.get("/console/").status_code == 401
