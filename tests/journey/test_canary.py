"""Seeded people through every flow: nothing of them in logs, figures, addresses or error bodies."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from mock_partners.senders import Newcomer
from parvis.demo.story.poster import DIGITS
from tests.journey.driver import fetched, until

pytestmark = [pytest.mark.journey, pytest.mark.postgres, pytest.mark.timeout(180)]

UTILITY, LEASE = "utility.contract_opened.v1", "lease.signed.v1"
TEXTED = Newcomer(
    given_name="Quorvaline",
    family_name="Zyxwéplume",
    phone="+33639987601",
    email="quorvaline.zyxweplume@example.org",
    language="fr",
    age_band="26_64",
)
MAILED = Newcomer(
    given_name="Brolgador",
    family_name="Wixtermoule",
    phone="+33639987602",
    email="brolgador.wixtermoule@example.org",
    language="fr",
    age_band="26_64",
)
SIGNED_UP = Newcomer(
    given_name="Trafulgine",
    family_name="Oxbarquet",
    phone="+33639987603",
    email="trafulgine.oxbarquet@example.org",
    language="fr",
    age_band="26_64",
)
REFUSED = Newcomer(
    given_name="Plonkarde",
    family_name="Vrizembal",
    phone="+33639987604",
    email="plonkarde.vrizembal@example.org",
    language="fr",
    age_band="26_64",
)
PEOPLE = (TEXTED, MAILED, SIGNED_UP, REFUSED)


@pytest.fixture(scope="module")
def flows(demo):
    """Every flow played once; returns what was said in it, and all error bodies."""
    codes, bodies, addresses, events = [], [], [], []
    codes += _arrival_by_text_message(demo, events)
    codes += _arrival_by_mail(demo, events)
    bodies += _refusals(demo)
    codes += _sign_up(demo, addresses)
    _wrong_codes(demo, codes)
    return {"codes": codes, "bodies": bodies, "addresses": addresses, "events": events}


def test_the_flows_carried_the_people_where_they_belong(demo, flows):
    """Otherwise nothing below proves anything."""
    names = {row["surname"] for row in demo.mock("koha_marseille").get("/_mock/patrons")["patrons"]}
    texts = demo.mock("sms_city").messages()
    mails = " ".join(path.read_text() for path in (demo.folder / "mail").glob("*.eml"))

    assert {TEXTED.family_name, MAILED.family_name} <= names
    assert {TEXTED.phone, SIGNED_UP.phone} <= {text["receiver"] for text in texts}
    assert MAILED.email in mails
    assert len(flows["codes"]) == 4
    assert len(flows["bodies"]) > 6


def test_no_log_holds_anything_of_them(demo, flows):
    logs = {
        path.name: path.read_text(errors="replace") for path in (demo.folder / "logs").iterdir()
    }

    assert {"web.log", "worker.log", "postgres.log", "mocks.log"} <= logs.keys()
    assert logs["worker.log"]
    assert _found(logs, flows) == []


def test_no_figure_holds_anything_of_them(demo, flows):
    ports = demo.ports
    figures = {
        name: fetched(f"http://127.0.0.1:{ports[name]}/metrics")[2]
        for name in ("web_metrics", "worker_metrics")
    }

    assert all("parvis_" in text for text in figures.values())
    assert _found(figures, flows) == []


def test_no_error_body_repeats_what_it_was_sent(flows):
    bodies = {f"{number} {status}": body for number, (status, body) in enumerate(flows["bodies"])}

    assert _found(bodies, flows) == []


def test_no_address_holds_anything_of_them(demo, flows):
    """Addresses of our pages, and those our calls to systems are logged with."""
    with psycopg.connect(demo.state["database_url"]) as connection:
        rows = connection.execute("SELECT DISTINCT address FROM exchange").fetchall()
    addresses = {str(n): a for n, a in enumerate([*flows["addresses"], *(r[0] for r in rows)])}

    assert len(addresses) > 8
    assert _found(addresses, flows) == []


def test_no_table_holds_them_in_clear(demo, flows):
    with psycopg.connect(demo.state["database_url"]) as connection:
        tables = connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')"
        ).fetchall()
        rows = {
            name: str(connection.execute(f"SELECT t::text FROM {name} t").fetchall())
            for (name,) in tables
        }

    assert "Marseille" in rows["commune"]
    assert _found(rows, flows) == []


def test_no_page_of_the_console_shows_them(demo, flows):
    """Masked wherever a run, its steps and its exchanges are shown."""
    browser = demo.staff_browser()
    pages = {path: browser.get(path) for path in ("/console/", "/console/connecteurs")}
    for event in flows["events"]:
        run = demo.run_of(event)
        pages[event["id"]] = browser.get(f"/console/executions/{run.id}")
    listed = browser.get("/console/executions")
    pages["listed"] = listed

    assert {page.status for page in pages.values()} == {200}
    assert len(listed.links) > 10
    assert _found({where: page.body for where, page in pages.items()}, flows) == []


def _found(texts, flows):
    canaries = [word for person in PEOPLE for word in _words(person)]
    canaries += [word for code in flows["codes"] for word in _spellings(code)]
    folded = {where: text.lower() for where, text in texts.items()}
    return [(where, word) for where, text in folded.items() for word in canaries if word in text]


def _words(person):
    digits = person.phone.removeprefix("+33")
    spaced = " ".join(("0" + digits)[place : place + 2] for place in range(0, 10, 2))
    names = [person.given_name, person.family_name, json.dumps(person.family_name)[1:-1]]
    plain = person.email.partition("@")[0]
    return [word.lower() for word in (*names, digits, spaced, plain, *plain.split("."))]


def _spellings(code):
    """An access code with and without its dash; six digits as a word of their own."""
    if code.isdigit():
        return [f'"{code}"', f" {code} ", f"={code}"]
    return [code.lower(), code.lower().replace("-", "")]


def _arrival_by_text_message(demo, events):
    event = demo.event(UTILITY, "13055", TEXTED)
    events.append(event)
    assert demo.post(event).status == 202
    demo.until_run(event, lambda run: run.is_waiting_for_code, "the first run does not wait")
    (code,) = demo.code_sent_to(TEXTED.phone)
    assert demo.activate(code).url.endswith("/code/active")
    demo.until_run(event, lambda run: run.status == "done", "the first run did not end")
    assert demo.post(event).status == 202
    return [code]


def _arrival_by_mail(demo, events):
    event = demo.event(UTILITY, "13055", MAILED, channel="email")
    events.append(event)
    assert demo.post(event).status == 202
    demo.until_run(event, lambda run: run.is_waiting_for_code, "the second run does not wait")
    mails = [path.read_text() for path in (demo.folder / "mail").glob("*.eml")]
    text = next(mail for mail in mails if MAILED.email in mail)
    return [re.search(r"\b[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}\b", text)[0]]


def _refusals(demo):
    """Events that carry a person and are wrong in every way, each answered with a problem.

    A problem names the members it speaks of (a JSON pointer), never their values.
    """
    good = demo.event(UTILITY, "13055", REFUSED)
    data = good["data"]
    wrong = [
        {**good, "data": {**data, "person": {**data["person"], "nickname": REFUSED.given_name}}},
        {**good, "data": {**data, "remark": REFUSED.family_name}},
        {**good, "data": {**data, "person": REFUSED.family_name}},
        {**good, "data": REFUSED.family_name},
        {**good, "data": {**data, "contact": {"channel": "sms", "address": REFUSED.email}}},
        {**good, "data": {**data, "contact": {"channel": REFUSED.given_name, "address": "x"}}},
        {**good, "data": {**data, "commune": REFUSED.family_name}},
        {**good, "data": {**data, "utility": REFUSED.family_name}},
        {**good, "subject": f"{REFUSED.family_name}\u0000"},
        {**good, "Neighbour": REFUSED.family_name},
        {**good, "time": REFUSED.phone},
        {**good, "source": f"/partners/{REFUSED.given_name.lower()}"},
    ]
    answers = [demo.post(event) for event in wrong]
    assert demo.post(good).status == 202
    changed = {**good, "data": {**data, "person": {**data["person"], "given_name": "Vrizembalet"}}}
    answers.append(demo.post(changed))
    sender = demo.sender(UTILITY)
    signed = sender.event(good, now=datetime.now(UTC))
    torn = replace(signed, body=signed.body[:-20])
    answers.append(demo.carry(torn))
    statuses = [answer.status for answer in answers]
    assert all(400 <= status < 500 for status in statuses), statuses
    return [(answer.status, answer.body.decode()) for answer in answers]


def _sign_up(demo, addresses):
    browser = demo.browser()
    page = browser.get("/a/b1str083")
    addresses.append(page.url)
    page = browser.get(page.link("Commencer"))
    form = page.form("age", "code_postal")
    form.fill(age="26_64", code_postal="83300")
    page = browser.send(page, form)
    addresses.append(page.url)
    form = page.form("with_library")
    form.fill(
        channel="sms",
        phone=SIGNED_UP.phone,
        with_library="y",
        family_name=SIGNED_UP.family_name,
        given_name=SIGNED_UP.given_name,
    )
    page = browser.send(page, form)
    addresses.append(page.url)
    texts = until(lambda: demo.mock("sms_city").messages(receiver=SIGNED_UP.phone), "no digits", 30)
    digits = DIGITS.search(texts[0]["text"])[1]
    form = page.form("code")
    form.fill(code="000000" if digits != "000000" else "111111")
    page = browser.send(page, form)
    assert page.status == 422
    form = page.form("code")
    form.fill(code=digits)
    page = browser.send(page, form)
    addresses.append(page.url)
    (code,) = until(lambda: demo.code_sent_to(SIGNED_UP.phone), "no code", 30)
    return [digits, code]


def _wrong_codes(demo, codes):
    """A used code and a guessed one: the page refuses, and its body is not logged either."""
    for code in (codes[0], "ABCDE-FGHJK"):
        page = demo.activate(code)
        assert page.status == 422
    for path in (f"/a/{SIGNED_UP.family_name}", "/inscription/resultat"):
        request = urllib.request.Request(demo.state["citizen"] + urllib.parse.quote(path))
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except urllib.error.HTTPError as error:
            error.close()
