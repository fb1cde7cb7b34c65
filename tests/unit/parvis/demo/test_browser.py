import pytest

from parvis.demo.browser import Browser, _keep, _read

PAGE = """<!doctype html><html><head><title>T</title>
<link rel="stylesheet" href="/static/a.css"><link rel="icon" href="data:,">
<script src="/static/a.js">var hidden = "not words";</script></head><body>
<a href="/inscription/ABC"> Commencer
 maintenant</a>
<form action="/found"><input name="code_postal" value=""></form>
<form method="POST" action="/next?x=1">
 <input type="hidden" name="csrf_token" value="t&amp;k"><input name="phone" value="">
 <input type="radio" name="channel" value="sms" checked><input type="radio" name="channel" value="email">
 <input type="checkbox" name="box" value="y"><input type="checkbox" name="bare">
 <select name="commune"><option value="1">A</option><option value="2" selected>B</option></select>
 <input type="submit" name="go" value="Go"><button name="b" value="1">x</button>
 <textarea name="note"></textarea>
</form><img src="/static/p.svg"><img src="data:image/png;base64,AA"></body></html>"""


def page(headers=None, body=PAGE):
    given = {"content-type": "text/html; charset=utf-8", **(headers or {})}
    return _read("http://127.0.0.1:1/a/b", 200, given, body.encode())


def test_a_form_holds_what_a_browser_would_send_untouched():
    form = page().form("csrf_token")

    assert (form.method, form.action) == ("post", "/next?x=1")
    assert form.values == {
        "csrf_token": ["t&k"],
        "phone": [""],
        "channel": ["sms"],
        "commune": ["2"],
        "note": [""],
    }
    assert form.offered["box"] == ["y"]
    assert form.offered["bare"] == ["on"]
    assert form.ticked == {"channel": ["sms"], "commune": ["2"]}


def test_a_form_is_found_by_its_members_and_missed_by_name():
    assert page().form("code_postal").method == "get"
    with pytest.raises(LookupError, match=r"no form with nowhere on /a/b"):
        page().form("nowhere")


def test_filling_replaces_what_was_there():
    form = page().form("channel")

    form.fill(channel="email", box="y", interests=["a", "b"])

    assert form.values["channel"] == ["email"]
    assert form.values["interests"] == ["a", "b"]


def test_words_links_and_parts_are_read():
    read = page()

    assert read.link("Commencer maintenant") == "http://127.0.0.1:1/inscription/ABC"
    assert read.parts == ["/static/a.css", "/static/a.js", "/static/p.svg"]
    assert "not words" not in read.text
    with pytest.raises(LookupError, match="no link « Ailleurs »"):
        read.link("Ailleurs")


def test_a_page_that_refreshes_itself_says_where_to():
    assert page({"refresh": "2; url=/inscription/resultat?essai=1"}).refresh == (
        "http://127.0.0.1:1/inscription/resultat?essai=1"
    )
    assert page().refresh is None


def test_an_answer_that_is_no_page_has_no_forms():
    assert page({"content-type": "text/css"}).forms == []


def test_nobody_else_is_ever_asked():
    browser = Browser("http://127.0.0.1:1")

    with pytest.raises(LookupError, match=r"example\.org is a third party"):
        browser.get("https://example.org/track")
    with pytest.raises(LookupError, match="third party"):
        browser.weigh(page(body='<link rel="stylesheet" href="https://example.org/a.css">'))


def test_cookies_are_kept_until_they_are_taken_back():
    browser = Browser("http://127.0.0.1:1")

    _keep(browser.cookies, "session=abc; Path=/; HttpOnly; SameSite=Lax")
    assert browser._headers(None, browser.cookies)["Cookie"] == "session=abc"
    _keep(browser.cookies, "session=; Max-Age=0; Path=/")

    assert "Cookie" not in browser._headers(None, browser.cookies)
