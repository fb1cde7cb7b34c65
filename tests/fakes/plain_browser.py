"""A browser without scripts: keeps cookies, follows redirects, reads and sends forms.

A page that only waits for a script to send it on (SAML by POST) is sent on, as a person would by its button.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest
import requests

HOPS = 20
TRAVELLING = {"SAMLResponse", "SAMLRequest"}


@dataclass(kw_only=True)
class Form:
    """One form: where it goes, what it would send, its buttons as (name, value) pairs."""

    action: str
    method: str = "get"
    fields: dict = field(default_factory=dict)
    buttons: list = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self, address):
        super().__init__()
        self.address = address
        self.forms, self.links, self.words = [], [], []
        self._form = None
        self._silent = False

    def handle_starttag(self, tag, attributes):
        named = {name: value or "" for name, value in attributes}
        if tag == "form":
            action = urljoin(self.address, named.get("action", ""))
            self._form = Form(action=action, method=named.get("method", "get").lower())
            self.forms.append(self._form)
        elif tag == "a" and "href" in named:
            self.links.append(urljoin(self.address, named["href"]))
        elif tag in {"script", "style"}:
            self._silent = True
        elif self._form is not None and "name" in named:
            self._keep(tag, named)

    def handle_endtag(self, tag):
        if tag == "form":
            self._form = None
        elif tag in {"script", "style"}:
            self._silent = False

    def handle_data(self, data):
        if not self._silent and data.strip():
            self.words.append(" ".join(data.split()))

    def _keep(self, tag, named):
        kind = named.get("type", "").lower()
        if tag == "button" or kind == "submit":
            self._form.buttons.append((named["name"], named.get("value", "")))
        elif tag == "input" and kind not in {"checkbox", "radio"}:
            self._form.fields[named["name"]] = named.get("value", "")


@dataclass(frozen=True, kw_only=True)
class Page:
    """Where the browser is."""

    url: str
    status: int
    headers: dict
    text: str
    forms: list
    links: list
    words: str

    def form(self, part=""):
        """The only form whose address holds ``part``."""
        found = [form for form in self.forms if part in form.action]
        assert len(found) == 1, (self.url, [form.action for form in self.forms])
        return found[0]


@dataclass(frozen=True, kw_only=True)
class Held:
    """A request that was kept from leaving: it goes where the test stands in for somebody."""

    method: str
    url: str
    data: dict

    @property
    def query(self):
        return urlsplit(self.url).query


class PlainBrowser:
    """``held`` are beginnings of addresses whose requests are given to the test instead."""

    def __init__(self, *held):
        self.session = requests.Session()
        self.seen = []
        self._held = held

    def open(self, url):
        return self._go("GET", url, {})

    def send(self, form, button=None, **values):
        """Send a form, by one of its buttons if it has several."""
        data = {**form.fields, **({button[0]: button[1]} if button else {}), **values}
        return self._go(form.method.upper(), form.action, data)

    def cookies(self, part=""):
        return [cookie for cookie in self.session.cookies if part in cookie.name]

    def close(self):
        self.session.close()

    def _go(self, method, url, data):
        for _ in range(HOPS):
            self.seen.append((method, url))
            if url.startswith(self._held):
                return Held(method=method, url=url, data=data)
            answer = self._ask(method, url, data)
            if answer.is_redirect:
                method, url, data = "GET", urljoin(url, answer.headers["location"]), {}
                continue
            page = _page(answer)
            travelling = [form for form in page.forms if TRAVELLING & set(form.fields)]
            if len(travelling) != 1:
                return page
            method, url, data = "POST", travelling[0].action, travelling[0].fields
        pytest.fail(f"sent on more than {HOPS} times: {self.seen[-3:]}")

    def _ask(self, method, url, data):
        answer = self.session.request(
            method, url, data=data or None, allow_redirects=False, timeout=60
        )
        for cookie in self.session.cookies:
            cookie.secure = False  # loopback is as good as TLS to a browser, not to this library
        return answer


def _page(answer):
    reader = _Reader(answer.url)
    reader.feed(answer.text)
    return Page(
        url=answer.url,
        status=answer.status_code,
        headers=dict(answer.headers),
        text=answer.text,
        forms=reader.forms,
        links=reader.links,
        words=" ".join(reader.words),
    )


def agree(browser, page, person):
    """Go through the pages of the FranceConnect double, from where it asks who; the page after it."""
    page = browser.send(page.form("/login"), person=person)
    return confirm(browser, page)


def confirm(browser, page):
    """Accept what the FranceConnect double is about to give."""
    consent = next(form for form in page.forms if ("choice", "continue") in form.buttons)
    return browser.send(consent, ("choice", "continue"))
