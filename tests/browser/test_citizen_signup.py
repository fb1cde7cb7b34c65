import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from queue import SimpleQueue
from types import SimpleNamespace

import pytest

from orchestrator.store.connections import Database
from schemas import clock
from schemas.errors import StoreUnavailableError
from tests.browser.citizen_hub import TOKEN, PlayedWorker, fill, issue_code, make_app

pytestmark = pytest.mark.postgres
PHONE = "06 39 98 00 01"


@pytest.fixture
def hub(database, vault, hub_keys):
    fill(database)
    worker = PlayedWorker(database, hub_keys)
    app = make_app(database, vault, hub_keys, worker)
    return SimpleNamespace(app=app, worker=worker, database=database, keys=hub_keys)


@pytest.fixture
def client(hub):
    return hub.app.test_client()


def test_from_the_poster_to_the_access_code(hub, client):
    assert "Bistro du Cours" in _text(client.get(f"/a/{TOKEN.lower()}"))
    to_contact = _start(client)
    assert to_contact.location == "/inscription/contact"
    to_verification = _contact(
        client, with_library="y", given_name="Camille", family_name="Exemple"
    )
    assert to_verification.location == "/inscription/verification"
    to_result = _verify(client, hub.worker.sent_code())
    assert to_result.location == "/inscription/resultat"
    page = _text(client.get("/inscription/resultat"))
    (registered,) = hub.worker.of("poster.")
    assert re.search(r"[0-9A-Z]{5}-[0-9A-Z]{5}", page)
    assert "Médiathèque communautaire" in page
    assert registered.data["person"] == {"family_name": "Exemple", "given_name": "Camille"}
    assert registered.data["commune"] == "83050"
    assert registered.data["contact"] == {"channel": "sms", "address": "+33639980001"}


def test_no_cookie_before_the_form_is_opened(client):
    for path in ("/", f"/a/{TOKEN}", "/bibliotheques", "/accessibilite", "/a-propos-des-donnees"):
        assert "Set-Cookie" not in client.get(path).headers
    opened = client.get(f"/inscription/{TOKEN}")
    assert opened.headers["Set-Cookie"].startswith("parvis=")
    assert opened.headers["Cache-Control"] == "no-store"


def test_boxes_are_empty_until_a_person_ticks_them(client):
    _start(client)
    page = _text(client.get("/inscription/contact"))
    assert 'type="checkbox"' in page
    assert not re.search(r'type="checkbox"[^>]*checked', page)


def test_names_and_interests_typed_without_their_box_are_not_kept(hub, client):
    _start(client)
    _contact(client, given_name="Camille", family_name="Exemple", interests="comics")
    _verify(client, hub.worker.sent_code())
    (registered,) = hub.worker.of("poster.")
    assert {"person", "interests"} & registered.data.keys() == set()


def test_under_fifteen_a_parent_comes_along_and_nothing_is_kept(hub, client):
    answer = _start(client, age="under_15")
    assert "parent" in _text(answer)
    assert "Médiathèque communautaire" in _text(answer)
    assert hub.database.one("SELECT count(*) AS n FROM signup")["n"] == 0


def test_a_minor_is_asked_for_no_interests(client):
    _start(client, age="15_17")
    page = _text(client.get("/inscription/contact"))
    assert 'name="with_library"' in page
    assert 'name="interests"' not in page


def test_a_commune_that_is_not_connected_is_told_so_and_nothing_is_kept(hub, client):
    answer = _start(client, code_postal="05000")
    assert "pas encore reliée" in _text(answer)
    assert hub.database.one("SELECT count(*) AS n FROM signup")["n"] == 0


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"age": ""}, "Indiquez votre tranche d"),
        ({"age": "99"}, "Indiquez votre tranche d"),
        ({"code_postal": ""}, "Indiquez votre code postal."),
        ({"code_postal": "8330"}, "Un code postal a 5 chiffres"),
        ({"code_postal": "99999"}, "pas connu ici"),
    ],
)
def test_wrong_first_answers_are_named_and_linked(client, typed, sentence):
    answer = _start(client, **typed)
    page = _text(answer)
    assert answer.status_code == 422
    assert page.count(sentence) == 2  # in the summary and beside the field
    assert "autofocus" in page
    assert "<title>Erreur" in page


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"phone": ""}, "Indiquez un numéro de mobile"),
        ({"phone": "01 99 00 12 34"}, "Indiquez un numéro de mobile"),
        ({"phone": "+1 202 555 0100"}, "Indiquez un numéro de mobile"),
        ({"channel": "email", "email": "camille@"}, "Indiquez une adresse e-mail"),
        ({"channel": "pigeon"}, "Choisissez SMS ou e-mail"),
        ({"commune": "13055"}, "Choisissez votre commune"),
        ({"commune": ""}, "Choisissez votre commune"),
        ({"with_library": "y", "given_name": "Camille"}, "Indiquez votre nom"),
        ({"with_library": "y", "family_name": "<b>x</b>"}, "Indiquez votre nom"),
        ({"with_interests": "y", "interests": ["x" * 9]}, "Choisissez dans la liste."),
        (
            {
                "with_interests": "y",
                "interests": ["novels", "comics", "music", "films", "games", "languages"],
            },
            "au plus",
        ),
    ],
)
def test_wrong_second_answers_send_nothing(hub, client, typed, sentence):
    _start(client)
    answer = _contact(client, **typed)
    assert answer.status_code == 422
    assert sentence in _text(answer)
    assert not hub.worker.messages


def test_a_wrong_code_is_refused_and_the_form_is_kept(hub, client):
    _start(client)
    _contact(client)
    right = hub.worker.sent_code()
    wrong = f"{(int(right) + 1) % 10**6:06d}"
    answer = _verify(client, wrong)
    assert answer.status_code == 422
    assert "pas le code envoyé" in _text(answer)
    assert _verify(client, right).location == "/inscription/resultat"


def test_a_second_code_waits_half_a_minute(client, hub):
    _start(client)
    _contact(client)
    page = _text(client.get("/inscription/verification"))
    answer = client.post("/inscription/renvoi", data={"csrf_token": _field(page, "csrf_token")})
    assert answer.status_code == 429
    assert len(hub.worker.of("contact.")) == 1


def test_a_hundred_posts_of_each_form_make_one_preregistration(hub, vault, database_url):
    first = hub.app.test_client()
    _start(first)
    page = _text(first.get("/inscription/contact"))
    cookie = first.get_cookie("parvis").value

    # one process each: made here, because CPython 3.11 cannot compile routes in many threads at once
    processes = SimpleQueue()
    for _ in range(20):
        own = Database(database_url, size=1)
        processes.put((own, make_app(own, vault, hub.keys, hub.worker)))

    def post(path, data):
        own, app = processes.get()
        mine = app.test_client()
        mine.set_cookie("parvis", cookie)
        answer = mine.post(path, data=data).status_code
        processes.put((own, app))
        return answer

    data = _contact_data(page)
    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(lambda _: post("/inscription/contact", data), range(100))) == {303}
    assert len(hub.worker.of("contact.")) == 1
    page = _text(first.get("/inscription/verification"))
    typed = {"csrf_token": _field(page, "csrf_token"), "code": hub.worker.sent_code()}
    with ThreadPoolExecutor(20) as pool:
        codes = set(pool.map(lambda _: post("/inscription/verification", typed), range(100)))
    assert codes == {303}
    assert len(hub.worker.of("poster.")) == 1
    assert hub.database.one("SELECT count(*) AS n FROM preregistration")["n"] == 1
    while not processes.empty():
        processes.get()[0].close()


def test_a_form_of_another_tab_is_not_taken_for_this_one(hub, client):
    first = _text(client.get(f"/inscription/{TOKEN}"))
    client.get(f"/inscription/{TOKEN}")
    answer = client.post(f"/inscription/{TOKEN}", data=_start_data(first))
    assert answer.status_code == 409
    assert hub.database.one("SELECT count(*) AS n FROM signup")["n"] == 0


def test_forged_posts_change_nothing(hub, client):
    _start(client)
    page = _text(client.get("/inscription/contact"))
    data = _contact_data(page) | {"csrf_token": "forged"}
    answer = client.post("/inscription/contact", data=data)
    assert answer.status_code == 422
    assert "trop longtemps" in _text(answer)
    assert not hub.worker.messages


def test_without_cookies_the_form_says_so(hub):
    client = hub.app.test_client(use_cookies=False)
    page = _text(client.get(f"/inscription/{TOKEN}"))
    assert client.post(f"/inscription/{TOKEN}", data=_start_data(page)).status_code == 422
    assert client.get("/inscription/contact").status_code == 409


def test_pages_in_the_wrong_order_lead_on(client):
    assert client.get("/inscription/resultat").status_code == 409
    _start(client)
    assert client.get("/inscription/verification").location == "/inscription/contact"
    assert client.get("/inscription/resultat").location == "/inscription/verification"
    _contact(client)
    assert client.get("/inscription/renvoi").location == "/inscription/verification"


def test_the_result_waits_says_so_and_shows_the_code_once_it_is_there(hub, client):
    hub.worker.is_idle = True
    _start(client)
    _contact(client)
    _verify(client, hub.worker.sent_code())
    waiting = client.get("/inscription/resultat")
    assert "se prépare" in _text(waiting)
    assert waiting.headers["Refresh"] == "2; url=/inscription/resultat?essai=1"
    assert "Refresh" not in client.get("/inscription/resultat?essai=15").headers
    issue_code(hub.database, hub.keys, subject=hub.worker.of("poster.")[0].subject)
    assert "Gardez ce code" in _text(client.get("/inscription/resultat"))


def test_a_hub_that_was_down_at_the_last_step_is_told_again(hub, client):
    _start(client)
    _contact(client)
    code = hub.worker.sent_code()
    real = hub.worker.receive_own
    hub.worker.receive_own = _down
    assert _verify(client, code).status_code == 503
    hub.worker.receive_own = real
    assert "Gardez ce code" in _text(client.get("/inscription/resultat"))
    assert len(hub.worker.of("poster.")) == 1


def test_somebody_else_may_sign_up_on_the_same_telephone(hub, client):
    for phone in ("06 39 98 00 01", "06 39 98 00 02"):
        _start(client)
        assert "Exemple" not in _text(client.get("/inscription/contact"))
        _contact(client, phone=phone, with_library="y", given_name="A", family_name="Exemple")
        _verify(client, hub.worker.sent_code())
    subjects = {message.subject for message in hub.worker.of("poster.")}
    assert len(subjects) == 2


def test_answers_may_be_corrected_without_typing_everything_again(client):
    _start(client)
    page = _text(client.get(f"/inscription/{TOKEN}?corriger=1"))
    assert 'value="83300"' in page
    assert re.search(r'value="26_64" checked', page)


def test_an_expired_form_says_so(hub, client, vault, database_url):
    _start(client)
    clock.turn(timedelta(minutes=61))
    later = Database(database_url, size=1)
    try:
        app = make_app(later, vault, hub.keys, hub.worker)
        mine = app.test_client()
        mine.set_cookie("parvis", client.get_cookie("parvis").value)
        answer = mine.get("/inscription/contact")
    finally:
        clock.turn(timedelta())
        later.close()
    assert answer.status_code == 409


def test_a_poster_suspended_meanwhile_takes_no_more_sign_ups(hub, client):
    page = _text(client.get(f"/inscription/{TOKEN}"))
    hub.database.run("UPDATE placement SET status = 'suspended'")
    answer = client.post(f"/inscription/{TOKEN}", data=_start_data(page))
    assert answer.location == f"/a/{TOKEN}"


def test_english_follows_from_page_to_page(hub, client):
    page = _text(client.get(f"/a/{TOKEN}?lang=en"))
    assert f'href="/inscription/{TOKEN}?lang=en"' in page
    form = _text(client.get(f"/inscription/{TOKEN}?lang=en"))
    to = client.post(f"/inscription/{TOKEN}?lang=en", data=_start_data(form))
    assert to.location == "/inscription/contact?lang=en"
    page = _text(client.get(to.location))
    client.post("/inscription/contact?lang=en", data=_contact_data(page))
    _verify(client, hub.worker.sent_code())
    (registered,) = hub.worker.of("poster.")
    assert registered.data["language"] == "en"
    assert registered.data["consent"]["locale"] == "en"


def test_the_answer_is_the_same_for_a_known_and_an_unknown_person(hub):
    pages = []
    for _ in range(2):
        client = hub.app.test_client()
        _start(client)
        _contact(client)
        page = _text(client.get("/inscription/verification"))
        pages.append(re.sub(r'value="[^"]+"|\d+ secondes', "", page))
        _verify(client, hub.worker.sent_code())
    assert pages[0] == pages[1]


def test_personal_answers_travel_in_no_address(hub, client):
    locations = [_start(client).location, _contact(client).location]
    locations.append(_verify(client, hub.worker.sent_code()).location)
    assert not [place for place in locations if "83300" in place or "639" in place or "?" in place]


def _down(_message):
    raise StoreUnavailableError


def _text(answer):
    return answer.get_data(as_text=True).replace("&#39;", "'")


def _field(page, name):
    return re.search(rf'name="{name}"[^>]*value="([^"]*)"', page)[1]


def _start_data(page, **typed):
    data = {"age": "26_64", "code_postal": "83300"} | typed
    return data | {name: _field(page, name) for name in ("csrf_token", "form_key")}


def _start(client, **typed):
    page = _text(client.get(f"/inscription/{TOKEN}"))
    return client.post(f"/inscription/{TOKEN}", data=_start_data(page, **typed))


def _contact_data(page, **typed):
    data = {"commune": "83050", "channel": "sms", "phone": PHONE, "email": ""} | typed
    return data | {name: _field(page, name) for name in ("csrf_token", "form_key")}


def _contact(client, **typed):
    page = _text(client.get("/inscription/contact"))
    return client.post("/inscription/contact", data=_contact_data(page, **typed))


def _verify(client, code):
    page = _text(client.get("/inscription/verification"))
    data = {"csrf_token": _field(page, "csrf_token"), "code": code}
    return client.post("/inscription/verification", data=data)
