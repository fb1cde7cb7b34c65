import statistics
import time
from types import SimpleNamespace

import pytest

from orchestrator.services.placements import Placements
from orchestrator.store.placements import PlacementTable
from schemas.errors import StoreUnavailableError
from tests.browser.citizen_hub import TOKEN, PlayedWorker, fill, make_app

pytestmark = pytest.mark.postgres
PHONE = {"User-Agent": "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"}


@pytest.fixture
def hub(database, vault, hub_keys):
    fill(database)
    app = make_app(database, vault, hub_keys, PlayedWorker(database, hub_keys))
    return SimpleNamespace(app=app, database=database, client=app.test_client(), vault=vault)


@pytest.mark.parametrize("path", ["/a/AB12CD34", "/A/AB12CD34", "/a/ab12cd34", "/a/abi2-cd34"])
def test_a_poster_opens_in_every_writing_without_redirect(hub, path):
    answer = hub.client.get(path)
    assert answer.status_code == 200
    assert "Bistro du Cours, Draguignan" in answer.get_data(as_text=True)
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_unknown_and_withdrawn_differ_by_their_status_alone(hub):
    unknown, withdrawn = hub.client.get("/a/ZZZZZZZZ"), hub.client.get("/a/0000GANE")
    assert (unknown.status_code, withdrawn.status_code) == (404, 200)
    assert unknown.data == withdrawn.data
    assert 'name="code_postal"' in unknown.get_data(as_text=True)


def test_unknown_and_withdrawn_take_the_same_time(hub):
    def median(path):
        times = []
        for _ in range(15):
            begun = time.perf_counter()
            hub.client.get(path)
            times.append(time.perf_counter() - begun)
        return statistics.median(times)

    assert abs(median("/a/ZZZZZZZZ") - median("/a/0000GANE")) < 0.02


def test_a_get_of_a_browser_is_counted_and_nothing_else(hub):
    hub.client.head(f"/a/{TOKEN}", headers=PHONE)
    hub.client.get(f"/a/{TOKEN}?nostat", headers=PHONE)
    hub.client.get(f"/a/{TOKEN}", headers=PHONE | {"Sec-Purpose": "prefetch"})
    hub.client.get(f"/a/{TOKEN}", headers={"User-Agent": "WhatsApp/2.24"})
    assert _scans(hub) == 0
    hub.client.get(f"/a/{TOKEN}?utm_source=x", headers=PHONE)
    hub.client.get(f"/a/{TOKEN}", headers=PHONE)
    assert _scans(hub) == 1


def test_a_network_that_tries_tokens_out_is_slowed_down(hub, database, vault, hub_keys):
    table = PlacementTable(database=database)
    strict = Placements(rows=table, keys=hub_keys, misses_at_most=3, pause_seconds=0)
    app = make_app(database, vault, hub_keys, PlayedWorker(database, hub_keys), placements=strict)
    client = app.test_client()
    assert [client.get("/a/ZZZZZZZZ").status_code for _ in range(4)] == [404, 404, 404, 429]
    assert client.get(f"/a/{TOKEN}").status_code == 200


def test_a_suspicious_poster_is_reported_without_any_data(hub):
    page = hub.client.get(f"/affiche-suspecte/{TOKEN}").get_data(as_text=True)
    assert "<input" not in page
    answer = hub.client.post(f"/affiche-suspecte/{TOKEN}")
    assert answer.location == f"/affiche-suspecte/{TOKEN}/merci"
    assert "Set-Cookie" not in answer.headers
    assert "Merci" in hub.client.get(answer.location).get_data(as_text=True)
    assert hub.database.one("SELECT total FROM placement_report")["total"] == 1
    assert hub.client.post("/affiche-suspecte/ZZZZZZZZ").status_code == 404


def test_the_code_of_a_poster_may_be_typed(hub):
    assert hub.client.get("/inscription").status_code == 200
    answer = hub.client.get("/inscription?affiche=ab12cd34")
    assert answer.location == "/a/ab12cd34"


def test_a_database_that_is_down_gives_a_page_that_says_so(hub, vault, hub_keys):
    app = make_app(_Down(), vault, hub_keys, PlayedWorker(_Down(), hub_keys))
    answer = app.test_client().get(f"/a/{TOKEN}")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "indisponible" in answer.get_data(as_text=True)


def test_libraries_are_found_by_postal_code_and_commune(hub):
    page = hub.client.get("/bibliotheques?code_postal=83300").get_data(as_text=True)
    assert page.index("Place de la Mairie") < page.index("Boulevard des Martyrs")
    page = hub.client.get("/bibliotheques?code_postal=83300&commune=83050").get_data(as_text=True)
    assert page.index("Boulevard des Martyrs") < page.index("Place de la Mairie")
    assert hub.client.get("/bibliotheques?code_postal=abc").status_code == 422
    unknown = hub.client.get("/bibliotheques?code_postal=99999").get_data(as_text=True)
    assert "pas connu ici" in unknown


@pytest.mark.parametrize("path", ["/nothing", "/a/x/y", "/console-x", "/inscription/a/b/c"])
def test_unknown_pages_are_told_in_french(hub, path):
    answer = hub.client.get(path)
    assert answer.status_code == 404
    assert "existe pas" in answer.get_data(as_text=True)


def test_addresses_of_machines_are_left_to_their_face(hub):
    for path in ("/v1/nothing", "/problems/nothing", "/livez"):
        assert "Content-Security-Policy" not in hub.client.get(path).headers


class _Down:
    def __getattr__(self, _name):
        def fail(*_args, **_kwargs):
            raise StoreUnavailableError

        return fail


def _scans(hub):
    return hub.database.one("SELECT coalesce(sum(total), 0) AS n FROM scan_counter")["n"]
