"""Applications with tokens at a hub as it is started in production: two web processes, keys that change."""

import http.server
import json
import socket
import threading

import pytest
import requests

from orchestrator.services.api_clients import ApiClients
from orchestrator.services.ports.api_clients import ClientKind, WantedClient
from orchestrator.store.api_clients import ApiClientTable
from tests.fakes.tokens import (
    application_claims,
    claims,
    header,
    private_key,
    public_jwk,
    signed,
)
from tests.plugins.hub import until

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(120)]
CERTS = "/realms/parvis/protocol/openid-connect/certs"


class Keys(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked += self.path == CERTS
        if self.server.is_away or self.path != CERTS:
            self.send_error(503)
            return
        body = json.dumps({"keys": [public_jwk(name) for name in self.server.names]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Realm(http.server.ThreadingHTTPServer):
    """Publishes keys; ``asked`` counts how often."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Keys)
        self.names, self.asked, self.is_away = ["k1"], 0, False
        self.url = f"http://127.0.0.1:{self.server_port}"

    def token(self, make=application_claims, *, key="k1", **changes):
        told = make(iss=f"{self.url}/realms/parvis", **changes)
        return signed(told, header(kid=key), key=private_key(key))


@pytest.fixture
def realm():
    with Realm() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.05,))
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def hub(process, realm, database, vault):
    """Two web processes in front of the realm, with the portal in service; their address."""
    clients = ApiClients(rows=ApiClientTable(database=database, vault=vault))
    for client, kind in (("portal", ClientKind.APPLICATION), ("portal-login", ClientKind.CITIZEN)):
        wanted = WantedClient(client_id=client, application="portail", kind=kind, scopes=())
        clients.add(wanted, actor="cli:test")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = process(
        "serve",
        PARVIS_BIND=f"127.0.0.1:{port}",
        PARVIS_WEB_PROCESSES="2",
        PARVIS_DRAIN_SECONDS="0",
        PARVIS_IDP_URL=realm.url,
    )
    address = f"http://127.0.0.1:{port}"
    until(lambda: answered(address, "/readyz") == 200, "a web server that is ready", seconds=40)
    yield address
    assert "Traceback" not in running.log.read_text()


def answered(address, path, token=None):
    """The status of one request on a connection of its own: either process may take it."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return requests.request("GET", address + path, headers=headers, timeout=20).status_code
    except (requests.ConnectionError, requests.Timeout):
        return None


def test_two_processes_serve_tokens_through_a_change_of_keys_and_a_realm_that_is_away(hub, realm):
    old = realm.token()
    first = {answered(hub, "/v1/services", old) for _ in range(40)}
    assert first == {200}
    assert realm.asked <= 2
    assert answered(hub, "/v1/me", realm.token(claims)) == 403
    assert answered(hub, "/v1/me", "x.y.z") == 401

    realm.names = ["k2", "k1"]
    new = realm.token(key="k2")
    found = {answered(hub, "/v1/services", token) for token in [old, new] * 20}
    assert found <= {200, 401}
    assert {answered(hub, "/v1/services", old) for _ in range(20)} == {200}

    realm.is_away = True
    assert {answered(hub, "/v1/services", old) for _ in range(20)} == {200}
    asked = realm.asked
    flood = [realm.token(key=f"invented-{number}") for number in range(5)]
    assert {answered(hub, "/v1/services", token) for token in flood * 8} == {401}
    assert realm.asked - asked <= 2
