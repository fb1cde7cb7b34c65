"""A browser without JavaScript: pages, forms, cookies, redirections. Standard library only.

It does what a person's telephone does on our pages: follows the links it is shown and sends back the
forms with every hidden member they hold.
"""

import http.client
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

AGENT: Final = (
    "Mozilla/5.0 (Linux; Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0 (sans JavaScript)"
)
REDIRECTIONS: Final = frozenset({301, 302, 303, 307, 308})
MOST_HOPS: Final = 12
TIMEOUT_SECONDS: Final = 15.0
NOT_TYPED: Final = frozenset({"radio", "checkbox", "submit", "button"})


@dataclass(slots=True, kw_only=True)
class Form:
    """One form: what it sends unless changed, and what may be ticked or chosen."""

    action: str
    method: str
    values: dict[str, list[str]] = field(default_factory=dict)
    offered: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ticked(self) -> dict[str, list[str]]:
        """The boxes and choices that are set before anybody touched them."""
        return {name: self.values[name] for name in self.offered if self.values.get(name)}

    def fill(self, **typed: str | list[str]) -> None:
        """Type, tick or choose."""
        for name, value in typed.items():
            self.values[name] = [value] if isinstance(value, str) else list(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What came back, once redirections were followed."""

    url: str
    status: int
    headers: dict[str, str]
    body: str
    size: int
    forms: list[Form]
    links: list[tuple[str, str]]
    parts: list[str]
    text: str

    def form(self, *names: str) -> Form:
        """Return the form that holds these members.

        Raises:
            LookupError: no form of the page does.
        """
        for form in self.forms:
            if all(name in form.values or name in form.offered for name in names):
                return form
        msg = f"no form with {', '.join(names)} on {urlsplit(self.url).path}"
        raise LookupError(msg)

    def link(self, text: str) -> str:
        """Return where a link with this text leads.

        Raises:
            LookupError: there is none.
        """
        for target, shown in self.links:
            if shown == text:
                return urljoin(self.url, target)
        msg = f"no link « {text} » on {urlsplit(self.url).path}"
        raise LookupError(msg)

    @property
    def refresh(self) -> str | None:
        """Return where the page asks to go on its own, if it does."""
        match = re.fullmatch(
            r"\s*\d+\s*;\s*url=(.+)", self.headers.get("refresh", ""), re.IGNORECASE
        )
        return urljoin(self.url, match[1]) if match else None


class Browser:
    """One person's browser; its cookies live as long as it does.

    It goes nowhere but to ``base`` and to the sites it is told of beside it.
    """

    def __init__(self, base: str, *beside: str) -> None:
        self._base = base
        self.cookies: dict[str, str] = {}
        self._jars = {urlsplit(base).netloc: self.cookies}
        self._jars |= {urlsplit(site).netloc: {} for site in beside}

    def get(self, url: str) -> Page:
        """Open an address."""
        return self._follow("GET", urljoin(self._base, url), None)

    def send(self, page: Page, form: Form) -> Page:
        """Send a form of a page."""
        pairs = [(name, value) for name, values in form.values.items() for value in values]
        url = urljoin(page.url, form.action)
        if form.method == "get":
            return self._follow("GET", f"{url}?{urlencode(pairs)}", None)
        return self._follow("POST", url, urlencode(pairs).encode())

    def weigh(self, page: Page) -> int:
        """Return the bytes of a page with its styles, pictures and scripts, all of them ours.

        Raises:
            LookupError: the page asks somebody else for something.
        """
        total = page.size
        for part in page.parts:
            url = urljoin(page.url, part)
            if urlsplit(url).netloc != urlsplit(self._base).netloc:
                msg = f"{urlsplit(url).netloc} is a third party"
                raise LookupError(msg)
            total += self.get(url).size
        return total

    def _follow(self, method: str, url: str, body: bytes | None) -> Page:
        for _ in range(MOST_HOPS):
            status, headers, content = self._ask(method, url, body)
            if status not in REDIRECTIONS:
                return _read(url, status, headers, content)
            url = urljoin(url, headers.get("location", ""))
            if status not in {307, 308}:
                method, body = "GET", None
        msg = "too many redirections"
        raise LookupError(msg)

    def _ask(self, method: str, url: str, body: bytes | None) -> tuple[int, dict[str, str], bytes]:
        address = urlsplit(url)
        jar = self._jars.get(address.netloc)
        if jar is None:
            msg = f"{address.netloc} is a third party"
            raise LookupError(msg)
        target = address.path + (f"?{address.query}" if address.query else "")
        connection = http.client.HTTPConnection(address.netloc, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, target, body=body, headers=self._headers(body, jar))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        for text in answer.headers.get_all("Set-Cookie", []):
            _keep(jar, text)
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, content

    def _headers(self, body: bytes | None, jar: dict[str, str]) -> dict[str, str]:
        headers = {"User-Agent": AGENT, "Accept-Language": "fr", "Accept": "text/html"}
        if jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Origin"] = self._base
        return headers


def _keep(jar: dict[str, str], text: str) -> None:
    for name, morsel in SimpleCookie(text).items():
        if morsel["max-age"] == "0" or not morsel.value:
            jar.pop(name, None)
        else:
            jar[name] = morsel.value


def _read(url: str, status: int, headers: dict[str, str], content: bytes) -> Page:
    body = content.decode("utf-8", "replace")
    reader = _Reader()
    if headers.get("content-type", "").startswith("text/html"):
        reader.feed(body)
        reader.close()
    return Page(
        url=url,
        status=status,
        headers=headers,
        body=body,
        size=len(content),
        forms=reader.forms,
        links=reader.links,
        parts=reader.parts,
        text=" ".join(" ".join(reader.words).split()),
    )


class _Reader(HTMLParser):
    """Reads the forms, links, parts and words of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.parts: list[str] = []
        self.words: list[str] = []
        self._form: Form | None = None
        self._link: tuple[str, list[str]] | None = None
        self._select: str | None = None
        self._is_hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a form, a link, a member."""
        given = {name: value or "" for name, value in attrs}
        has = {name for name, _ in attrs}
        match tag:
            case "form":
                method = given.get("method", "get").lower()
                self._form = Form(action=given.get("action", ""), method=method)
                self.forms.append(self._form)
            case "a":
                self._link = (given.get("href", ""), [])
            case "select":
                self._select = given.get("name")
            case "input" | "option" | "textarea":
                self._member(tag, given, has)
            case "script" | "style":
                self._is_hidden = True
        self._part(tag, given)

    def handle_endtag(self, tag: str) -> None:
        """Close a form, a link, a list."""
        match tag:
            case "form":
                self._form = None
            case "a" if self._link is not None:
                self.links.append((self._link[0], " ".join(" ".join(self._link[1]).split())))
                self._link = None
            case "select":
                self._select = None
            case "script" | "style":
                self._is_hidden = False

    def handle_data(self, data: str) -> None:
        """Read words."""
        if not self._is_hidden:
            self.words.append(data)
        if self._link is not None:
            self._link[1].append(data)

    def _part(self, tag: str, given: dict[str, str]) -> None:
        if tag == "link" and "stylesheet" in given.get("rel", ""):
            self.parts.append(given["href"])
        elif tag in {"img", "script"} and given.get("src", "").partition(":")[0] != "data":
            self.parts += [given["src"]] if given.get("src") else []

    def _member(self, tag: str, given: dict[str, str], has: set[str]) -> None:
        name = self._select if tag == "option" else given.get("name")
        if self._form is None or not name:
            return
        kind = "option" if tag == "option" else given.get("type", "text").lower()
        value = given.get("value", "on" if kind == "checkbox" else "")
        if kind in {"radio", "checkbox", "option"}:
            self._form.offered.setdefault(name, []).append(value)
            if has & {"checked", "selected"}:
                self._form.values.setdefault(name, []).append(value)
        elif kind not in NOT_TYPED:
            self._form.values.setdefault(name, []).append(value)
