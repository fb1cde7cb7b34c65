"""FranceConnect's doubles behind a realm of the real Keycloak, and the turning of its keys."""

import base64
import hashlib
import json
import secrets
from contextlib import contextmanager
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from identity.keycloak import Provider, Provisioning
from mock_partners import MockServer, build
from orchestrator.services.ports.sign_in import Descriptor
from schemas import clock
from schemas.logins import Asked, Binding, SamlMessage
from tests.fakes.plain_browser import Held, PlainBrowser, agree
from tests.plugins.keycloak import Realms

SECRET = "an-invented-secret"
FRANCECONNECT, PLUS = "france-connect", "france-connect-plus"
HUB, ELSEWHERE = "https://hub.example.org", "https://elsewhere.example.org"
SECONDS = 60


class Double:
    """A provider shaped like FranceConnect, as one realm knows it."""

    def __init__(self, *, realm_url, alias=FRANCECONNECT, levels=("eidas1",), issuer=None):
        back = f"{realm_url}/broker/{alias}/endpoint"
        self.alias = alias
        self.level = levels[0]
        self.client = f"ville-{alias}"
        self._server = MockServer(
            build(
                "franceconnect",
                {
                    "levels": list(levels),
                    **({"issuer": issuer} if issuer else {}),
                    "clients": {
                        self.client: {
                            "name": "Ville de Démonstration",
                            "secret": SECRET,
                            "redirect_uris": [back],
                            "post_logout_redirect_uris": [f"{back}/logout_response"],
                        }
                    },
                },
            )
        ).start()
        self.url = self._server.url
        self.port = int(self.url.rpartition(":")[2])
        self.behind = f"{self.url}/api/v2"
        self.issuer = issuer or self.behind

    def arm(self, fault, **parameters):
        body = {"fault": fault, **parameters}
        requests.post(f"{self.url}/_mock/faults", json=body, timeout=SECONDS).raise_for_status()

    def clear(self):
        requests.delete(f"{self.url}/_mock/faults", timeout=SECONDS).raise_for_status()

    def reset(self):
        requests.post(f"{self.url}/_mock/reset", timeout=SECONDS).raise_for_status()

    def effects(self):
        """What happened here, in order, by kind."""
        found = requests.get(f"{self.url}/_mock/journal", timeout=SECONDS).json()["entries"]
        return [entry["effect"]["kind"] for entry in found if entry["effect"]]

    def level_is(self, value):
        """Answer with another level than asked, or with none, from now on."""
        change = {"kind": "drop"} if value is None else {"kind": "retype", "value": value}
        self.arm("drift", operation="token", pointer="/id_token/acr", **change)

    def provider(self):
        """The double as our provisioning makes it known to the realm."""
        return Provider(
            alias=self.alias,
            title="FranceConnect+" if self.alias == PLUS else "FranceConnect",
            issuer=self.issuer,
            authorization_url=f"{self.issuer}/authorize",
            token_url=f"{self.behind}/token",
            userinfo_url=f"{self.behind}/userinfo",
            jwks_url=f"{self.behind}/jwks",
            logout_url=f"{self.issuer}/session/end",
            client_id=self.client,
            secret=SECRET,
            digest_key=b"d" * 32,
            scopes="openid identite_pivot preferred_username email",
            acr_values=self.level,
        )

    def close(self):
        self._server.stop()


def citizens_only(server, api, ours):
    """Set the citizens' realm up by our own provisioning; the staff's is not wanted here."""
    report = Provisioning(ours, {ours.citizens: api}).apply()
    assert report.stopped is None, report.stopped
    return Realms(server=server, ours=ours, api=api)


def bare(certificate):
    """A certificate without the lines around it, as Keycloak takes it."""
    return "".join(certificate.decode().split("-----")[2].split())


def rotated(api, realm):
    """Give a realm a new signing key before all others; returns what takes it away again."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    document = {
        "name": f"rsa-{secrets.token_hex(4)}",
        "parentId": api.get(f"/{realm}")["id"],
        "providerId": "rsa",  # a key of ours: the server takes seconds to make one
        "providerType": "org.keycloak.keys.KeyProvider",
        "config": {"priority": ["1000"], "privateKey": [secret.decode()]},
    }
    made = api.post(f"/{realm}/components", document)
    return lambda: api.delete(f"/{realm}/components/{made}")


@contextmanager
def doubles(*, realm_url, issuers=None):
    """FranceConnect and FranceConnect+ of one realm, by alias."""
    issuers = issuers or {}
    made = {
        FRANCECONNECT: Double(realm_url=realm_url, issuer=issuers.get(FRANCECONNECT)),
        PLUS: Double(
            realm_url=realm_url, alias=PLUS, levels=("eidas2", "eidas3"), issuer=issuers.get(PLUS)
        ),
    }
    try:
        yield made
    finally:
        for double in made.values():
            double.close()


class OneRealm:
    """The realm's description, fetched when first asked for and whenever somebody doubts it."""

    def __init__(self, url):
        self._url = url
        self._kept = None
        self.fetched = 0

    def current(self):
        return self._kept or self.refresh()

    def is_there(self):
        return True

    def refresh(self):
        answer = requests.get(f"{self._url}/protocol/saml/descriptor", timeout=SECONDS)
        digest = hashlib.sha256(answer.content).digest()
        self.fetched += 1
        self._kept = Descriptor(xml=answer.text, digest=digest, fetched_at=clock.utcnow())
        return self._kept


class Visit:
    """One person with one browser in front of one service provider."""

    def __init__(self, provider):
        self.provider = provider
        self.browser = PlainBrowser(f"{HUB}/", f"{ELSEWHERE}/")
        self.asked = None

    def leave(self, alias=FRANCECONNECT, **asked):
        """Go where the hub sends; the page one is met by, or the hub's own address at once."""
        relay = secrets.token_urlsafe(16)
        departure = self.provider.ask_login(relay_key=relay, provider=alias, **asked)
        self.asked = Asked(request_id=departure.request_id, relay_key=relay)
        return self.browser.open(departure.url)

    def arrive(self, held):
        """What the answer says, once our side has verified it."""
        assert isinstance(held, Held), (held.url, held.words)
        assert held.url.endswith(".example.org/saml/acs")
        assert held.data["RelayState"] == self.asked.relay_key
        return self.provider.read_answer(posted(held, "SAMLResponse"), asked=self.asked)

    def sign_in(self, person, **asked):
        return self.arrive(agree(self.browser, self.leave(**asked), person))

    def sign_out(self, found):
        """Sign out from our side: the departure, and the realm's answer to it."""
        departure = self.provider.ask_logout(
            name_id=found.name_id, session_index=found.session_index, relay_key="r" * 16
        )
        held = self.browser.open(departure.url)
        assert held.url == f"{HUB}/saml/sls"
        return departure, self.provider.read_logout_answer(posted(held, "SAMLResponse"))


def posted(held, name):
    relay = held.data.get("RelayState")
    return SamlMessage(binding=Binding.POST, text=held.data[name], relay_state=relay)


def citizen_token(browser, realm_url):
    """The claims of the citizen's own token, fetched with the browser's session."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    callback = f"{HUB}/portal/callback"
    query = {
        "client_id": "portal-login",
        "response_type": "code",
        "scope": "openid",
        "redirect_uri": callback,
        "code_challenge": challenge.decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    held = browser.open(f"{realm_url}/protocol/openid-connect/auth?{urlencode(query)}")
    form = {
        "grant_type": "authorization_code",
        "client_id": "portal-login",
        "code": parse_qs(urlsplit(held.url).query)["code"][0],
        "redirect_uri": callback,
        "code_verifier": verifier,
    }
    address = f"{realm_url}/protocol/openid-connect/token"
    token = requests.post(address, data=form, timeout=SECONDS).json()["access_token"]
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def second_client(realms):
    """Another service of the same realm, with the same key and another address."""
    ours = realms.client(f"{HUB}/saml/metadata")
    text = json.dumps({name: value for name, value in ours.items() if name != "id"})
    body = json.loads(text.replace(HUB, ELSEWHERE))
    for mapper in body["protocolMappers"]:
        del mapper["id"]
    realms.api.post(f"/{realms.ours.citizens}/clients", body)
