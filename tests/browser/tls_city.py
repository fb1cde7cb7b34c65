"""The hub, a real Keycloak and FranceConnect's doubles, each under a name of its own over TLS.

Ports do not make a site: cookies and redirects show their faults only between names. The names are on
loopback for the browser (``--host-resolver-rules``) and for this process.
"""

import secrets
import socket
import threading
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from unittest import mock

import requests
from werkzeug.serving import make_server

from identity.keycloak import Installation
from parvis.bootstrap import open_hub
from parvis.identity_keys import SamlKeys
from parvis.settings import Settings
from parvis.wsgi import create_app
from tests.fakes.tls_site import Authority, TlsSite
from tests.integration.brokered import FRANCECONNECT, PLUS, bare, citizens_only, doubles
from tests.plugins.hub import KEYS

HUB, IDP = "hub.test", "idp.test"
PROVIDERS = {FRANCECONNECT: "fc.test", PLUS: "fcplus.test"}
NAMES = (HUB, IDP, *PROVIDERS.values())


@contextmanager
def city(*, keycloak, api, database_url, folder):
    """Everything, ready for a browser that trusts ``authority``."""
    with ExitStack() as stack:
        stack.enter_context(names_on_loopback())
        authority = Authority()
        (folder / "ca.pem").write_bytes(authority.pem)
        site = TlsSite(authority, folder, dict.fromkeys(NAMES, 0))
        stack.callback(site.close)
        realm = f"citizens-{secrets.token_hex(4)}"
        hub = open_hub(_settings(site, folder, database_url=database_url, realm=realm))
        stack.callback(hub.database.close)
        site.routes[IDP] = int(keycloak.url.rpartition(":")[2])
        issuers = {alias: f"{site.url(name)}/api/v2" for alias, name in PROVIDERS.items()}
        behind = stack.enter_context(
            doubles(realm_url=f"{site.url(IDP)}/realms/{realm}", issuers=issuers)
        )
        for alias, name in PROVIDERS.items():
            site.routes[name] = behind[alias].port
        SamlKeys(hub.secrets, public_url=site.url(HUB)).make(actor="essai")
        certificate = hub.secrets.values(("saml_certificate",))["saml_certificate"].encode()
        ours = Installation(
            public_url=site.url(HUB),
            citizens=realm,
            staff=f"{realm}-staff",
            certificate=bare(certificate),
            providers=tuple(double.provider() for double in behind.values()),
        )
        realms = citizens_only(keycloak, api, ours)
        # the first answer takes longer than the hub waits for one
        requests.get(f"{realms.citizens}/protocol/saml/descriptor", timeout=60)
        site.routes[HUB] = stack.enter_context(_serving(create_app(hub)))
        yield SimpleNamespace(
            hub=hub,
            site=site,
            authority=authority,
            realms=realms,
            franceconnect=behind[FRANCECONNECT],
            plus=behind[PLUS],
            url=site.url(HUB),
            realm_url=f"{site.url(IDP)}/realms/{realm}",
        )


@contextmanager
def names_on_loopback():
    """Make this process find the names on loopback, as the browser is told to."""
    real = socket.getaddrinfo

    def found(host, *rest, **more):
        return real("127.0.0.1" if host in NAMES else host, *rest, **more)

    with mock.patch.object(socket, "getaddrinfo", found):
        yield


def _settings(site, folder, *, database_url, realm):
    for name, content in KEYS.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    return Settings.read(
        {
            "PARVIS_MODE": "demo",
            "PARVIS_DATABASE_URL": database_url,
            "PARVIS_MASTER_KEY_FILE": str(folder / "master.key"),
            "PARVIS_SECRET_KEY_FILE": str(folder / "secret.key"),
            "PARVIS_PUBLIC_URL": site.url(HUB),
            "PARVIS_DATA_DIR": str(folder),
            "PARVIS_IDP_URL": site.url(IDP),
            "PARVIS_IDP_REALM": realm,
            "PARVIS_IDP_STAFF_REALM": f"{realm}-staff",
            "PARVIS_IDP_CA_FILE": str(folder / "ca.pem"),
        }
    )


@contextmanager
def _serving(app):
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
