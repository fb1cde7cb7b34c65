import re
from datetime import timedelta
from types import SimpleNamespace

import pytest

from tests.browser.citizen_hub import PlayedWorker, fill, issue_code, make_app

pytestmark = pytest.mark.postgres


@pytest.fixture
def hub(database, vault, hub_keys):
    fill(database)
    app = make_app(database, vault, hub_keys, PlayedWorker(database, hub_keys))
    return SimpleNamespace(app=app, database=database, keys=hub_keys)


@pytest.fixture
def client(hub):
    return hub.app.test_client()


def test_a_code_is_used_up_and_nothing_of_the_person_is_shown(hub, client):
    code = issue_code(hub.database, hub.keys, subject="s-1")
    answer = _type(client, f"{code[:5]}-{code[5:]}".lower())
    assert answer.location == "/code/active"
    page = client.get("/code/active").get_data(as_text=True)
    assert "activée" in page
    assert "Médiathèque communautaire" not in page
    run = hub.database.one("SELECT status, signals FROM run")
    assert run == {"status": "ready", "signals": 1}


def test_unknown_used_and_expired_codes_get_the_same_page(hub):
    used = issue_code(hub.database, hub.keys, subject="s-1")
    expired = issue_code(hub.database, hub.keys, subject="s-2", expires_in=timedelta(seconds=-1))
    assert _type(hub.app.test_client(), used).status_code == 303
    pages = set()
    for code in (used, expired, "0000000000"):
        answer = _type(hub.app.test_client(), code)
        assert answer.status_code == 422
        pages.add(re.sub(r'value="[^"]*"', "", answer.get_data(as_text=True)))
    assert len(pages) == 1


def test_the_sixth_wrong_try_of_a_session_is_locked(hub, client):
    code = issue_code(hub.database, hub.keys, subject="s-1")
    statuses = [_type(client, f"000000000{number}").status_code for number in range(5)]
    assert statuses == [422] * 5
    locked = _type(client, code)
    assert locked.status_code == 429
    assert locked.headers["Retry-After"] == "3600"
    assert code not in locked.get_data(as_text=True)
    assert hub.database.one("SELECT redeemed_at FROM access_code")["redeemed_at"] is None


def test_a_new_session_does_not_escape_the_limit_of_its_network(hub):
    statuses = [
        _type(hub.app.test_client(), f"00000000{number:02d}").status_code for number in range(11)
    ]
    assert statuses == [422] * 10 + [429]


def test_what_is_no_code_is_told_so(client):
    answer = _type(client, "bonjour")
    assert answer.status_code == 422
    assert "10 lettres et chiffres" in answer.get_data(as_text=True)
    assert _type(client, "").status_code == 422


def test_forged_posts_use_no_code_up(hub, client):
    code = issue_code(hub.database, hub.keys, subject="s-1")
    client.get("/code")
    answer = client.post("/code", data={"code": code, "csrf_token": "forged"})
    assert answer.status_code == 422
    assert hub.database.one("SELECT redeemed_at FROM access_code")["redeemed_at"] is None


def test_the_last_page_opens_to_those_who_activated_only(client):
    assert client.get("/code/active").location == "/code"


def test_hostile_text_is_shown_harmless(client):
    page = _type(client, '"><script>alert(1)</script>').get_data(as_text=True)
    assert "<script>" not in page


def _type(client, code):
    page = client.get("/code").get_data(as_text=True)
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)[1]
    return client.post("/code", data={"code": code, "csrf_token": token})
