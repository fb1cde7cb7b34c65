import gzip
import re

import pytest
from flask import Blueprint, Flask, session
from werkzeug.exceptions import HTTPException

from schemas.errors import RateLimitedError, StoreUnavailableError
from web.layout import Face, LayoutSettings, assets, dress, error_page, install
from web.layout.addresses import as_read
from web.layout.network import network_of

POLICY = (
    "default-src 'none'; script-src 'nonce-N'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types htmx"
)


def make_app(public_url="http://127.0.0.1:8000"):
    app = Flask("layout-test")
    install(app, LayoutSettings(secret_keys=(b"new" * 11, b"old" * 11), public_url=public_url))
    pages = Blueprint("pages", __name__)
    dress(pages, Face(name="pages", city=lambda: "Ville", referrer="no-referrer"))
    for number, error in enumerate((StoreUnavailableError(), RateLimitedError(7), KeyError("x"))):

        def fail(error=error):
            raise error

        pages.add_url_rule(f"/fail/{number}", endpoint=f"fail{number}", view_func=fail)
    pages.add_url_rule("/fine", endpoint="fine", view_func=lambda: "fine")
    pages.add_url_rule("/cookie", endpoint="cookie", view_func=lambda: session.update(a=1) or "set")
    machines = Blueprint("machines", __name__)
    machines.add_url_rule("/v1/thing", endpoint="thing", view_func=lambda: "{}")
    app.register_blueprint(pages)
    app.register_blueprint(machines)
    return app


def test_pages_bear_the_policy_with_a_nonce_of_their_own():
    client = make_app().test_client()
    policies = [client.get("/fine").headers["Content-Security-Policy"] for _ in range(2)]
    nonces = [re.search(r"'nonce-([^']+)'", policy)[1] for policy in policies]
    assert nonces[0] != nonces[1]
    assert policies[0].replace(nonces[0], "N") == POLICY


def test_pages_bear_the_other_headers_too():
    headers = make_app().test_client().get("/fine").headers
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in headers


def test_routes_of_machines_pay_for_nothing():
    headers = make_app().test_client().get("/v1/thing").headers
    assert "Content-Security-Policy" not in headers
    assert "Set-Cookie" not in headers


def test_cookies_are_bound_to_the_host_over_https_only():
    plain = make_app().test_client().get("/cookie").headers["Set-Cookie"]
    assert plain.startswith("parvis=")
    assert "HttpOnly" in plain
    assert "SameSite=Lax" in plain
    assert "Secure" not in plain
    client = make_app("https://parvis.example.org").test_client()
    bound = client.get("/cookie", base_url="https://parvis.example.org")
    assert bound.headers["Set-Cookie"].startswith("__Host-parvis=")
    assert "Secure; HttpOnly" in bound.headers["Set-Cookie"]
    assert bound.headers["Strict-Transport-Security"].startswith("max-age=63072000")


@pytest.mark.parametrize(
    ("path", "status", "retry_after"),
    [("/fail/0", 503, "5"), ("/fail/1", 429, "7"), ("/fail/2", 500, None)],
)
def test_faults_become_pages_that_say_what_to_do(path, status, retry_after):
    answer = make_app().test_client().get(path)
    text = answer.get_data(as_text=True)
    assert answer.status_code == status
    assert answer.headers.get("Retry-After") == retry_after
    assert "<h1>" in text
    assert "KeyError" not in text
    assert "Content-Security-Policy" in answer.headers


def test_an_error_page_speaks_the_language_of_the_address():
    app = make_app()
    assert "momentanément" in app.test_client().get("/fail/0").get_data(as_text=True)
    english = app.test_client().get("/fail/0?lang=en").get_data(as_text=True)
    assert 'lang="en"' in english
    assert "unavailable" in english


def test_another_language_keeps_what_else_the_address_says():
    hostile = "/fail/0?vers=/mon-espace%22%3E&lang=en&lang=fr"
    page = make_app().test_client().get(hostile).get_data(as_text=True)

    assert 'href="?vers=%2Fmon-espace%22%3E&amp;lang=fr"' in page
    assert 'href="?vers=%2Fmon-espace%22%3E&amp;lang=en"' in page


def test_errors_of_the_framework_have_their_page_anywhere():
    app = make_app()
    with app.test_request_context("/nowhere"):
        for code in (400, 403, 404, 405, 413, 418, 502):
            error = HTTPException()
            error.code = code
            page = error_page(error, referrer="same-origin", scheme="http")
            assert page.status_code == code


def test_assets_change_address_with_their_content_and_are_kept_for_good():
    client = make_app().test_client()
    css = assets.asset("parvis.css")
    kept = client.get(f"/assets/{css.digest}/parvis.css", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(kept.data) == css.body
    assert "immutable" in kept.headers["Cache-Control"]
    other = client.get("/assets/000000000000/parvis.css")
    assert other.data == css.body
    assert other.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", ["nothing.css", "../__init__.py", "..%2f__init__.py", "x\x00.css"])
def test_only_files_of_the_folder_are_sent(name):
    assert make_app().test_client().get(f"/assets/0/{name}").status_code == 404


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        (None, "unknown"),
        ("garbage", "unknown"),
    ],
)
def test_limits_count_by_network_not_by_address(address, network):
    assert network_of(address) == network


def test_a_number_is_shown_as_people_write_it():
    assert as_read("+33639980001") == "06 39 98 00 01".replace(" ", "\u00a0")
    assert as_read("camille@example.org") == "camille@example.org"


def test_secret_keys_are_not_shown():
    settings = LayoutSettings(secret_keys=(b"very-secret",), public_url="http://x")
    assert "very-secret" not in repr(settings)
