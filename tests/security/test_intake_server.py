"""The web server itself, over sockets: what is no HTTP, what is slow, what is too large."""

import base64
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from orchestrator.store.connections import Database
from orchestrator.store.vault import Vault
from tests.fakes.partner import EVENT, Answer, as_bytes, event, hmac_key, signature_headers

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.timeout(90),
]
ROOT = Path(__file__).parents[2]
MASTER = bytes(range(32))


@pytest.fixture(scope="module")
def server_database(servers):
    name, url = f"parvis_{secrets.token_hex(6)}", servers.url("18")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {servers.template('18')}")
        yield url.rpartition("/")[0] + "/" + name
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def port(server_database, tmp_path_factory):
    """The port of a web server of two processes with one partner."""
    folder = tmp_path_factory.mktemp("server")
    for name, value in (("master", base64.b64encode(MASTER)), ("cookies", b"c" * 48)):
        (folder / name).write_bytes(value)
        (folder / name).chmod(0o600)
    add_partner(server_database)
    number = free_port()
    environment = {name: value for name, value in os.environ.items() if name[:7] != "PARVIS_"}
    environment |= {
        "PARVIS_MODE": "demo",
        "PARVIS_DATABASE_URL": server_database,
        "PARVIS_MASTER_KEY_FILE": str(folder / "master"),
        "PARVIS_SECRET_KEY_FILE": str(folder / "cookies"),
        "PARVIS_PUBLIC_URL": f"http://127.0.0.1:{number}",
        "PARVIS_BIND": f"127.0.0.1:{number}",
        "PARVIS_DATA_DIR": str(folder),
    }
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--config"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "parvis/gunicorn_conf.py"],
            cwd=ROOT, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            wait_for(number, process)
            yield number
        finally:
            process.terminate()
            process.wait(timeout=40)
    text = (folder / "log").read_text()
    assert "Traceback" not in text
    assert "camille-canary" not in text
    assert "127.0.0.1" not in text


def add_partner(url):
    database = Database(url)
    text = "whsec_" + base64.b64encode(hmac_key().material).decode()
    sealed = Vault([MASTER]).seal_secret("k1", text)
    database.run("INSERT INTO secret(name, sealed) VALUES ('k1', %s)", (sealed,))
    database.run(
        "INSERT INTO partner(id, name, allowed_events, territories) VALUES"
        " ('volt_provence', 'Volt', '{utility.contract_opened.v1}', '{}')"
    )
    database.run(
        "INSERT INTO partner_key(partner_id, key_id, scheme, secret_name)"
        " VALUES ('volt_provence', 'k1', 'v1', 'k1')"
    )
    database.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process):
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            if ask(port, b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").status == 200:
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("the server never became ready")


def ask(port, raw, *, timeout=20):
    """Send bytes and read one answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(raw)
        return read_answer(connection)


def read_answer(connection):
    seen = b""
    while b"\r\n\r\n" not in seen:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionResetError(seen)
        seen += piece
    head, _, body = seen.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    headers = [tuple(text.split(": ", 1)) for text in lines]
    length = int(dict(headers).get("Content-Length", 0))
    while len(body) < length:
        body += connection.recv(65536)
    return Answer(int(line.split()[1]), headers, body[:length])


def request(body, *, headers=None, length=None):
    given = signature_headers("POST", "/v1/events", body) | {"Content-Type": EVENT}
    given |= {"Content-Length": str(len(body) if length is None else length), "Host": "x"}
    lines = [f"{name}: {value}" for name, value in (given | (headers or {})).items()]
    return ("POST /v1/events HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode() + body


def test_a_signed_event_is_committed_before_the_answer(port, server_database):
    sent = event()
    answer = ask(port, request(as_bytes(sent)))
    assert answer.status == 202
    with psycopg.connect(server_database) as connection:
        found = connection.execute("SELECT event_id FROM inbox WHERE event_id = %s", (sent["id"],))
        assert found.fetchone() is not None


def test_a_connection_serves_many_events(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for _ in range(5):
            connection.sendall(request(as_bytes(event())))
            assert read_answer(connection).status == 202


def test_a_skewed_clock_is_told_the_date(port):
    old = signature_headers("POST", "/v1/events", b"{}", ago=4000)
    answer = ask(port, request(b"{}", headers=old))
    assert (answer.status, answer.slug) == (401, "timestamp-skew")
    assert answer["Date"].endswith("GMT")


def test_a_body_in_chunks_is_read(port):
    body = as_bytes(event())
    raw = request(body, headers={"Transfer-Encoding": "chunked"}).partition(b"\r\n\r\n")[0]
    raw = b"\r\n".join(
        line for line in raw.split(b"\r\n") if not line.startswith(b"Content-Length")
    )
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    assert ask(port, raw + b"\r\n\r\n" + chunks).status == 202


def test_chunks_that_cannot_be_read_are_the_callers_fault(port):
    raw = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    answer = ask(port, raw)
    assert answer.status == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_a_body_too_large_is_answered_before_it_is_read(port):
    answer = ask(port, request(b"", length=50_000_000) + b"x" * 100_000)
    assert (answer.status, answer.slug) == (413, "too-large")


def test_a_slow_body_is_given_up_and_its_connection_closed(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request(b"{", length=500))
        started = time.monotonic()
        answer = read_answer(connection)
        assert (answer.status, answer.slug) == (408, "request-timeout")
        assert 8 < time.monotonic() - started < 14
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    "raw",
    [
        b"camille-canary@example.org\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"G\xff\xfeT / HTTP/1.1\r\n\r\n",
        b"GET /camille-canary HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: camille-canary\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nExpect: camille-canary\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_4xx_that_repeats_nothing(port, raw):
    answer = ask(port, raw)
    assert 400 <= answer.status < 500
    assert answer["Content-Type"] == "application/problem+json"
    assert b"canary" not in answer.body


@pytest.mark.parametrize("method", [b"TRACE", b"OPTIONS", b"CONNECT", b"BREW"])
def test_methods_nobody_serves_are_405(port, method):
    answer = ask(port, method + b" /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (answer.status, answer["Allow"]) == (405, "POST")
