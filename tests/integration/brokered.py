"""FranceConnect's doubles behind a realm of the real Keycloak, and the turning of its keys."""

import secrets
from contextlib import contextmanager

import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from identity.keycloak import Provider, Provisioning
from mock_partners import MockServer, build
from tests.plugins.keycloak import Realms

SECRET = "an-invented-secret"
FRANCECONNECT, PLUS = "france-connect", "france-connect-plus"
SECONDS = 30


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
            title="FranceConnect",
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
