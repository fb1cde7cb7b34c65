import re

import pytest

from orchestrator.api import ApiServices, openapi
from orchestrator.api.application import ApiLayer
from orchestrator.api.problem_texts import PROBLEMS
from orchestrator.services.readiness import Readiness
from schemas import errors, events
from schemas.errors import StoreUnavailableError
from tests.fakes.partner import Hub, ReadinessFake, call, pages


@pytest.fixture
def hub():
    return Hub()


def get(hub, target, **options):
    return hub.send("GET", target, signed=False, media_type=None, **options)


def slugs():
    pending, found = [errors.ParvisError], set()
    while pending:
        error = pending.pop()
        found.add(error.slug)
        pending.extend(error.__subclasses__())
    return found | {"source-mismatch", "type-not-allowed", "login-first", "invalid-event"}


@pytest.mark.parametrize("slug", sorted(slugs()))
def test_every_slug_of_the_taxonomy_has_its_page_in_two_languages(hub, slug):
    page = get(hub, f"/problems/{slug}")
    assert page.status == 200
    text = page.body.decode()
    for language in ("fr", "en"):
        assert f'<section lang="{language}">' in text
    assert "script" not in text
    assert page["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_problem_page_begins_with_the_language_asked_for(hub):
    english = get(hub, "/problems/malformed", headers={"Accept-Language": "en"}).body.decode()
    french = get(hub, "/problems/malformed").body.decode()
    assert '<html lang="en">' in english
    assert english.index('lang="en"') < english.index('<section lang="fr">')
    assert '<html lang="fr">' in french


@pytest.mark.parametrize("slug", sorted(PROBLEMS))
def test_every_problem_says_what_happened_and_what_to_do(slug):
    for words in (PROBLEMS[slug].fr, PROBLEMS[slug].en):
        assert words.title
        assert words.meaning.endswith(".")
        assert words.advice.endswith(".")


@pytest.mark.parametrize(
    "path", ["/problems/nothing", "/v1/", "/v1/nothing", "/problems/", "/v1/docs/", "/v1/openapi"]
)
def test_an_unknown_address_of_the_api_is_a_problem(hub, path):
    answer = get(hub, path)
    assert (answer.status, answer.slug) == (404, "not-found")
    assert answer.json["request_id"] == answer["Parvis-Request-Id"]


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "TRACE", "PUT", "X"])
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/v1/openapi.json", "/problems/malformed"])
def test_another_method_on_an_open_address_is_a_problem(hub, method, path):
    answer = hub.send(method, path, signed=False)
    assert (answer.status, answer.slug) == (405, "method-not-allowed")
    assert "GET" in answer["Allow"]


def test_the_rest_is_for_the_pages(hub):
    assert get(hub, "/a/AB12CD34").body == b"a page"
    assert get(hub, "/v1").body == b"a page"


# --- probes --------------------------------------------------------------------------------------


def test_a_process_is_alive_without_its_database(hub):
    hub.ready.fault = StoreUnavailableError()
    assert get(hub, "/livez").status == 200


def test_a_process_is_ready_with_its_database_at_head(hub):
    hub.ready.under_way = {("library.arrival", 1)}
    assert get(hub, "/readyz").json == {"status": "ok"}


def test_a_process_whose_messages_wait_too_long_is_degraded_and_still_ready(hub):
    hub.ready.waited = 95.0
    answer = get(hub, "/readyz")
    assert (answer.status, answer.json["status"]) == (200, "degraded")
    assert "95 s" in answer.json["remarks"][0]


def test_a_process_whose_keys_of_tokens_are_a_day_old_is_degraded_and_still_ready():
    store, hub = ReadinessFake(), Hub()
    ready = Readiness(store=store, head="0001", versions=(), are_keys_old=lambda: True)
    faces = {"partner_face": hub.app._faces[0], "public_url": "https://parvis.example.org"}
    answer = call(ApiLayer(ApiServices(readiness=ready, **faces), pages), "GET", "/readyz", b"", {})
    assert (answer.status, answer.json["status"]) == (200, "degraded")
    assert "Keycloak" in answer.json["remarks"][0]


def test_a_process_is_not_ready_without_its_database(hub):
    hub.ready.fault = StoreUnavailableError()
    answer = get(hub, "/readyz")
    assert (answer.status, answer.json["status"]) == (503, "unready")


def test_a_process_is_not_ready_on_another_schema(hub):
    hub.ready.at = None
    assert get(hub, "/readyz").status == 503


def test_a_process_is_not_ready_for_a_run_of_a_version_it_does_not_have(hub):
    hub.ready.under_way = {("library.arrival", 99)}
    answer = get(hub, "/readyz")
    assert answer.status == 503
    assert "library.arrival version 99" in answer.json["faults"][0]


def test_a_process_that_has_started_stays_started(hub):
    hub.ready.fault = StoreUnavailableError()
    assert get(hub, "/startupz").status == 503
    hub.ready.fault = None
    assert get(hub, "/startupz").status == 200
    hub.ready.fault = StoreUnavailableError()
    assert get(hub, "/startupz").status == 200


# --- documents -----------------------------------------------------------------------------------


def test_the_openapi_document_names_every_signed_address_with_its_methods(hub):
    paths = get(hub, "/v1/openapi.json").json["paths"]
    (face,) = hub.app._faces
    for path, methods in face.routes.items():
        assert {method.upper() for method in paths[path]} == set(methods)
        for operation in paths[path].values():
            assert operation["security"] == [{"signature": []}]


def test_the_openapi_document_names_the_realm_of_this_hub(hub):
    issuer = "https://connexion.ville.example/realms/usagers"
    described = openapi.document("https://parvis.ville.example", issuer=issuer)
    for name in ("application", "citizen"):
        for flow in described["components"]["securitySchemes"][name]["flows"].values():
            assert flow["tokenUrl"] == f"{issuer}/protocol/openid-connect/token"


def test_every_reference_of_the_openapi_document_leads_somewhere(hub):
    document = get(hub, "/v1/openapi.json").json
    text = get(hub, "/v1/openapi.json").body.decode()
    for reference in set(re.findall(r'"\$ref":"#/([^"]+)"', text)):
        node = document
        for step in reference.split("/"):
            node = node[step]
        assert node


def test_every_refusal_of_the_openapi_document_is_a_known_problem(hub):
    for operations in get(hub, "/v1/openapi.json").json["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                if "application/problem+json" in response.get("content", {}):
                    assert set(response["description"].split(", ")) <= set(PROBLEMS)


def test_the_documentation_shows_every_type_a_partner_may_send(hub):
    page = get(hub, "/v1/docs")
    text = page.body.decode()
    for known in events.catalogue().values():
        assert (f'id="{known.name}"' in text) is not known.is_own_page_only
    assert "<script" not in text
    assert "http://" not in text
    assert "<code>&lt;partenaire&gt;/&lt;clé&gt;</code>" in text
    assert "`" not in text


def test_the_documentation_has_its_own_sheet_of_style(hub):
    answer = get(hub, "/v1/docs/api.css")
    assert answer["Content-Type"].startswith("text/css")
