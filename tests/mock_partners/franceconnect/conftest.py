"""A service and a browser of the provider."""

import html
import re
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

CLIENT = "an-invented-client"
SECRET = "an-invented-secret"
BACK = "https://idp.example.org/realms/parvis/broker/france-connect/endpoint"
NONCE, STATE = "n" * 64, "s" * 64
GOOD = {
    "client_id": CLIENT,
    "redirect_uri": BACK,
    "response_type": "code",
    "scope": "openid identite_pivot preferred_username email",
    "acr_values": "eidas1",
    "nonce": NONCE,
    "state": STATE,
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Service:
    """One service with one browser in front of the provider."""

    def __init__(self, client):
        self.client = client
        self.cookie = ""
        self.issuer = f"{client.server.url}/api/v2"

    def get(self, path):
        reply = self.client.call("GET", path, headers={"Cookie": self.cookie})
        return self._kept(reply)

    def post(self, path, **form):
        headers = {**FORM, "Cookie": self.cookie}
        return self._kept(self.client.call("POST", path, body=urlencode(form), headers=headers))

    def ask(self, **changes):
        values = {name: text for name, text in {**GOOD, **changes}.items() if text is not ...}
        return self.get(f"/api/v2/authorize?{urlencode(values)}")

    def arrive(self, person="marseille", **changes):
        """Choose a person: the page of consent."""
        page = self.ask(**changes)
        if page.status == 303:  # the browser's session knows who
            return self.get(page.headers["location"])
        chosen = self.post(actions(page)[0], person=person)
        return self.get(chosen.headers["location"]) if chosen.status == 303 else chosen

    def code(self, person="marseille", **changes):
        return back(self.post(actions(self.arrive(person, **changes))[0], choice="continue"))[
            "code"
        ]

    def redeem(self, code, **changes):
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": BACK,
            "client_id": CLIENT,
            "client_secret": SECRET,
            **changes,
        }
        return self.post("/api/v2/token", **form)

    def tokens(self, person="marseille", **changes):
        return self.redeem(self.code(person, **changes)).json

    def userinfo(self, token):
        headers = {"Authorization": f"Bearer {token}"}
        return self.client.call("GET", "/api/v2/userinfo", headers=headers)

    def told(self, person="marseille", **changes):
        """What the user information says of a person, its signature verified."""
        token = self.tokens(person, **changes)["access_token"]
        return self.verified(self.userinfo(token).body.decode())

    def verified(self, token):
        keys = KeySet.import_key_set(self.client.call("GET", "/api/v2/jwks").json)
        return jwt.decode(token, keys, algorithms=["RS256"]).claims

    def turn(self, seconds):
        now = self.client.call("GET", "/_mock/clock").json["now"]
        later = datetime.fromisoformat(now) + timedelta(seconds=seconds)
        self.client.call("PUT", "/_mock/clock", {"now": later.isoformat()})

    def _kept(self, reply):
        crumb = reply.headers.get("set-cookie")
        if crumb is not None:
            self.cookie = crumb.partition(";")[0]
        return reply


def actions(page):
    """The addresses the forms of a page post to, in order."""
    return [html.unescape(each) for each in re.findall(r'action="([^"]+)"', page.body.decode())]


def back(reply):
    """What is sent back to the service."""
    assert reply.status == 303, reply.body
    address = urlsplit(reply.headers["location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == BACK
    return dict(parse_qsl(address.query))


@pytest.fixture
def start_service(start_kind):
    def started(**changes):
        return Service(start_kind("franceconnect", **changes))

    return started


@pytest.fixture
def service(start_service):
    return start_service()
