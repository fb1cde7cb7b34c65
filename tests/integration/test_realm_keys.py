"""Fetching the realm's keys over HTTP: bounds, redirects, certificates, and the event loop."""

import http.server
import ipaddress
import json
import ssl
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.hashes import SHA256

from identity.jwks import MOST_BYTES, KeySetUnusableError, RealmKeys, fetch, read_keys
from schemas import clock
from schemas.errors import IdentityUnavailableError
from tests.fakes.tokens import private_key, public_jwk

ROOT = Path(__file__).parents[2]
LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
GOOD = json.dumps({"keys": [public_jwk("k1")]}).encode()


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        getattr(self, self.path.strip("/"))()

    def good(self):
        self._send(200, GOOD)

    def away(self):
        self._send(503, b"")

    def elsewhere(self):
        self._send(302, b"", Location="/good")

    def long(self):
        self._send(200, GOOD + b" " * (MOST_BYTES - len(GOOD) + 1))

    def longest(self):
        self._send(200, GOOD + b" " * (MOST_BYTES - len(GOOD)))

    def trickle(self):
        self.send_response(200)
        self.end_headers()
        while not self.server.is_over.wait(0.05):
            self.wfile.write(b" ")

    def silence(self):
        self.server.is_over.wait(30)

    def cut(self):
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"{")

    def _send(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked, self.is_over = [], threading.Event()
        self.scheme = "http"

    def handle_error(self, *_):
        pass  # a caller that gave up

    def url(self, name):
        return f"{self.scheme}://127.0.0.1:{self.server_port}/{name}"


@pytest.fixture
def server():
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.05,))
        thread.start()
        yield serving
        serving.is_over.set()
        serving.shutdown()
        thread.join()


def test_a_set_is_fetched_and_read(server):
    assert list(read_keys(fetch(server.url("good")))) == ["k1"]


def test_an_answer_of_64_kb_is_read_and_one_byte_more_is_not(server):
    assert len(fetch(server.url("longest"))) == MOST_BYTES
    with pytest.raises(KeySetUnusableError):
        fetch(server.url("long"))


@pytest.mark.parametrize("name", ["away", "elsewhere", "cut", "trickle", "silence"])
def test_anything_but_a_whole_answer_in_time_is_the_realm_being_away(server, name):
    began = time.monotonic()
    with pytest.raises((IdentityUnavailableError, KeySetUnusableError)):
        read_keys(fetch(server.url(name), timeout=0.3))
    assert time.monotonic() - began < 15
    assert server.asked == [f"/{name}"]


def test_nobody_listening_is_the_realm_being_away(server):
    url = server.url("good")
    server.server_close()
    with pytest.raises(IdentityUnavailableError):
        fetch(url)


def test_over_tls_the_authority_named_must_have_signed(server, tmp_path):
    certificate = _behind_tls(server, tmp_path)
    assert fetch(server.url("good"), ca_file=certificate) == GOOD
    with pytest.raises(IdentityUnavailableError):
        fetch(server.url("good"))


def test_threads_at_once_cause_one_fetch(server):
    keys, found = RealmKeys(lambda: fetch(server.url("good"))), []
    callers = [threading.Thread(target=lambda: found.append(keys.key("k1").kid)) for _ in range(16)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert (found, server.asked) == (["k1"] * 16, ["/good"])


LOOP = """
from gevent import monkey
monkey.patch_all()
import sys
import gevent
gevent.get_hub().exception_stream = None
from identity.jwks import RealmKeys, fetch

ticks = []

def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0.02)

gevent.spawn(tick)
keys = RealmKeys(lambda: fetch(sys.argv[1]))
callers = [gevent.spawn(keys.key, "k1") for _ in range(50)]
gevent.joinall(callers, timeout=20)
print(len({id(caller.value) for caller in callers}))
silent = RealmKeys(lambda: fetch(sys.argv[2], timeout=1))
ticks.clear()
asked = [gevent.spawn(silent.key, "k1") for _ in range(50)]
gevent.joinall(asked, timeout=20)
print({type(caller.exception).__name__ for caller in asked}, len(ticks) > 20)
"""


def test_on_the_event_loop_callers_share_one_fetch_and_the_loop_goes_on(server):
    run = subprocess.run(
        [sys.executable, "-c", LOOP, server.url("good"), server.url("silence")],
        capture_output=True,
        text=True,
        timeout=25,
        cwd=ROOT,
        check=False,
    )
    assert [line for line in run.stdout.splitlines() if "identity." not in line] == [
        "1",
        "{'IdentityUnavailableError'} True",
    ], run.stderr
    assert server.asked == ["/good", "/silence"]


def _behind_tls(server, folder):
    """Put the server behind a certificate of its own; the path of that certificate."""
    key, name = private_key("tls"), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "t")])
    now = clock.utcnow()
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([LOOPBACK]), critical=False)
    )
    encoding = serialization.Encoding.PEM
    certificate, private = folder / "tls.crt", folder / "tls.key"
    certificate.write_bytes(builder.sign(key, SHA256()).public_bytes(encoding))
    private.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.scheme = "https"
    return certificate
