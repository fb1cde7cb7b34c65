import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from orchestrator.services.staff_links import StaffLinks
from orchestrator.store.connections import Database
from orchestrator.store.staff import StaffTable
from schemas import ids
from tests.browser.console_hub import make_app, sign_in

pytestmark = pytest.mark.postgres
COOKIE = "parvis_staff"


@pytest.fixture
def links(database, vault, hub_keys):
    return StaffLinks(rows=StaffTable(database=database, vault=vault), keys=hub_keys)


@pytest.fixture
def app(database, vault, hub_keys):
    return make_app(database, vault, hub_keys)


@pytest.fixture
def client(app):
    return app.test_client()


def token_of(path):
    return path.rpartition("/")[2]


def age(database, table, column, by):
    database.run(f"UPDATE {table} SET {column} = {column} - %s::interval", (by,))


def test_a_link_opens_one_session_and_no_second(links):
    token = token_of(links.create("cli:essai"))

    first, second = links.redeem(token), links.redeem(token)

    assert links.session(first).actor == "cli:essai"
    assert second is None


def test_looking_at_a_link_does_not_use_it_up(links):
    token = token_of(links.create("cli:essai"))

    assert [links.is_live(token) for _ in range(3)] == [True, True, True]
    assert links.redeem(token) is not None
    assert not links.is_live(token)


def test_a_hundred_parallel_redemptions_open_one_session(
    links, database, database_url, vault, hub_keys
):
    token = token_of(links.create("cli:essai"))
    barrier = Barrier(50)

    def redeem(_number):
        own = Database(database_url, size=1)
        try:
            mine = StaffLinks(rows=StaffTable(database=own, vault=vault), keys=hub_keys)
            barrier.wait(20)
            return mine.redeem(token)
        finally:
            own.close()

    with ThreadPoolExecutor(50) as pool:
        cookies = list(pool.map(redeem, range(100)))

    assert sum(cookie is not None for cookie in cookies) == 1
    assert database.one("SELECT count(*) AS n FROM web_session")["n"] == 1


def test_a_link_ends_after_fifteen_minutes(links, database):
    token = token_of(links.create("cli:essai"))
    age(database, "console_link", "expires_at", "14 minutes 55 seconds")
    assert links.is_live(token)

    age(database, "console_link", "expires_at", "6 seconds")

    assert not links.is_live(token)
    assert links.redeem(token) is None


@pytest.mark.parametrize("token", ["", "x", "é" * 43, "a" * 400, "\ud800"])
def test_a_token_that_cannot_be_ours_opens_nothing(links, token):
    assert not links.is_live(token)
    assert links.redeem(token) is None
    assert links.session(token) is None


def test_neither_token_nor_cookie_is_in_the_tables(links, database):
    path = links.create("cli:essai")
    cookie = links.redeem(token_of(path))

    kept = str(database.all("SELECT * FROM console_link")) + str(
        database.all("SELECT * FROM web_session")
    )

    assert token_of(path) not in kept
    assert cookie not in kept


def test_an_idle_session_ends_and_a_used_one_goes_on(links, database):
    cookie = links.redeem(token_of(links.create("cli:essai")))
    age(database, "web_session", "seen_at", "29 minutes")
    assert links.session(cookie) is not None
    age(database, "web_session", "seen_at", "29 minutes")
    assert links.session(cookie) is not None

    age(database, "web_session", "seen_at", "31 minutes")

    assert links.session(cookie) is None


def test_a_session_ends_after_twelve_hours_however_busy(links, database):
    cookie = links.redeem(token_of(links.create("cli:essai")))

    age(database, "web_session", "expires_at", "12 hours")

    assert links.session(cookie) is None


def test_a_session_of_another_face_is_none_of_the_consoles(links, database):
    cookie = links.redeem(token_of(links.create("cli:essai")))

    database.run("UPDATE web_session SET face = 'citizen'")

    assert links.session(cookie) is None


def test_what_has_ended_is_forgotten_and_nothing_else(links, database):
    links.redeem(token_of(links.create("cli:ancien")))
    age(database, "web_session", "seen_at", "31 minutes")
    cookie = links.redeem(token_of(links.create("cli:essai")))

    assert links.forget_ended() == 1
    assert links.session(cookie) is not None


def test_a_link_shows_a_button_and_the_button_signs_in(client, app):
    answer = sign_in(client, app.extensions["console"].entry.links)

    assert (answer.status_code, answer.location) == (303, "/console/")
    assert client.get("/console/").status_code == 200


def test_the_button_needs_the_token_of_its_own_page(client, app, database):
    path = app.extensions["console"].entry.links.create("cli:essai")

    answer = client.post(path, data={"csrf_token": "autre"})

    assert answer.status_code == 422
    assert database.one("SELECT count(*) AS n FROM web_session")["n"] == 0
    assert "Set-Cookie" not in str(answer.headers) or COOKIE not in str(answer.headers)


def test_a_spent_link_says_what_to_do(client, app):
    links = app.extensions["console"].entry.links
    path = links.create("cli:essai")
    links.redeem(token_of(path))

    for answer in (client.get(path), client.get("/console/entree/inconnu")):
        assert answer.status_code == 410
        assert "parvis console link" in answer.text


def test_the_address_of_a_link_is_told_to_nobody(client, app):
    path = app.extensions["console"].entry.links.create("cli:essai")

    answer = client.get(path)

    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_cookie_is_bound_to_https_where_there_is_https(database, vault, hub_keys):
    app = make_app(database, vault, hub_keys, public_url="https://parvis.example.org")
    client = app.test_client()
    client.environ_base["wsgi.url_scheme"] = "https"
    links = app.extensions["console"].entry.links

    cookie = sign_in(client, links).headers.getlist("Set-Cookie")[0]

    assert cookie.startswith("__Host-parvis_staff=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert client.get("/console/").headers["Strict-Transport-Security"]


def test_signing_out_ends_the_session_for_every_copy_of_its_cookie(client, app, database):
    sign_in(client, app.extensions["console"].entry.links)
    copied = client.get_cookie(COOKIE).value
    csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/console/").text)[1]

    answer = client.post("/console/sortie", data={"csrf": csrf})

    assert answer.status_code == 303
    client.set_cookie(COOKIE, copied)
    assert client.get("/console/").status_code == 401
    assert database.one("SELECT count(*) AS n FROM web_session")["n"] == 0


def _addresses(app):
    """Every method of every address of the console, with something where a value goes."""
    values = {"token": "inconnu", "run_id": ids.uuid7(), "rest": "ailleurs/encore"}
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("console."):
            for method in sorted(rule.methods - {"OPTIONS"}):
                with app.test_request_context():
                    address = app.url_map.bind("x").build(
                        rule.endpoint, {name: values[name] for name in rule.arguments}, method
                    )
                yield method, address.removeprefix("http://x"), rule.endpoint


DOORS = {"console.door", "console.enter"}
SAML = {f"console.saml_{name}" for name in ("metadata", "acs", "sls")} | {"console.depart"}


@pytest.mark.parametrize("who", ["anonymous", "guesser", "expired", "signed_in"])
def test_every_address_of_the_console_asks_who_is_there(app, database, who):
    client = app.test_client()
    if who in {"expired", "signed_in"}:
        sign_in(client, app.extensions["console"].entry.links)
    if who == "expired":
        age(database, "web_session", "seen_at", "31 minutes")
    if who == "guesser":
        client.set_cookie(COOKIE, "a" * 43)
    seen = {}

    for method, address, endpoint in _addresses(app):
        answer = client.open(address, method=method)
        seen[method, endpoint] = answer.status_code

    assert len(seen) > 12
    refused = {key: code for key, code in seen.items() if key[1] not in DOORS | SAML}
    if who == "signed_in":
        assert not set(refused.values()) & {401, 403, 500}
        posted = {code for (method, _), code in refused.items() if method == "POST"}
        assert posted == {400}  # no form without the session's token
    else:
        assert set(refused.values()) == {401}
    assert {code for key, code in seen.items() if key[1] in DOORS} <= {410, 422}
    assert {code for key, code in seen.items() if key[1] in SAML} <= {400, 503}  # no realm here


def test_every_page_bears_the_security_headers(app):
    client = app.test_client()
    sign_in(client, app.extensions["console"].entry.links)
    for method, address, _ in _addresses(app):
        headers = client.open(address, method=method).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'nonce-")
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
