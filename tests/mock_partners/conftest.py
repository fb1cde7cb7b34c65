"""A small HTTP client, a way to start any mock, and a mock of nothing in particular for the common parts."""

import http.client
import json
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mock_partners import MockServer, build
from mock_partners.clock import MockClock
from mock_partners.desk import Desk
from mock_partners.faults import RECEIVING
from mock_partners.wire import Answer, json_answer

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """One kept connection to one address."""

    def __init__(self, url):
        address = urlsplit(url)
        self.address = (address.hostname, address.port)
        self.connection = http.client.HTTPConnection(*self.address, timeout=5)

    def call(self, method, path, document=None, *, headers=None, body=None):
        headers = dict(headers or {})
        if document is not None:
            body = json.dumps(document).encode()
            headers.setdefault("Content-Type", "application/json")
        self.connection.request(method, path, body=body, headers=headers)
        answer = self.connection.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(status=answer.status, headers=names, body=answer.read())

    def arm(self, fault, **params):
        reply = self.call("POST", "/_mock/faults", {"fault": fault, **params})
        assert reply.status == 200, reply.body
        return reply

    def clear(self):
        assert self.call("DELETE", "/_mock/faults").status == 200

    def journal(self):
        return self.call("GET", "/_mock/journal").json["entries"]

    def effects(self):
        return [entry["effect"] for entry in self.journal() if entry["effect"] is not None]

    def raw(self):
        return socket.create_connection(self.address, timeout=5)

    def close(self):
        self.connection.close()


class Ledger:
    """Keeps lines of text; `POST /lines` adds one, `GET /lines` lists them, `POST /login` logs in."""

    operations = frozenset({"add", "list", "login", "unknown"})
    error_bodies: Mapping = {500: {"error": "the ledger is torn"}}

    def __init__(self, clock):
        self.clock = clock
        self.reset()

    def reset(self):
        self.lines, self.is_open = [], True

    def operation(self, request):
        names = {("POST", "/lines"): "add", ("GET", "/lines"): "list", ("POST", "/login"): "login"}
        return names.get((request.method, request.path), "unknown")

    def answer(self, request):
        operation = self.operation(request)
        if operation == "login":
            self.is_open = True
            return json_answer(200, {"open": True})
        if not self.is_open:
            return json_answer(401, {"error": "log in"})
        if operation == "add":
            line = request.body.decode()
            self.lines.append(line)
            effect = {"kind": "line.added", "id": len(self.lines)}
            body = {"line": line, "count": len(self.lines), "at": self.clock.now().isoformat()}
            return json_answer(201, body, effect=effect, reference=line)
        return json_answer(200, self.lines) if operation == "list" else Answer(status=404)

    def revoked(self, request):
        return json_answer(403, {"error": "no longer welcome"})

    def lose_sessions(self):
        self.is_open = False

    def views(self):
        return {"lines": lambda request: {"lines": self.lines}}


@pytest.fixture
def start():
    """Start an app, or a mock by kind with changed settings; give a client of it."""
    with ExitStack() as stack:

        def started(app, **ports):
            server = stack.enter_context(MockServer(app, **ports))
            client = Client(server.url)
            stack.callback(client.close)
            client.server = server
            return client

        yield started


@pytest.fixture
def connect():
    """More connections to an address, closed at the end."""
    with ExitStack() as stack:

        def connected(url):
            client = Client(url)
            stack.callback(client.close)
            return client

        yield connected


@pytest.fixture
def settings_of():
    def read(kind):
        return json.loads((HERE / kind / "settings.json").read_text())

    return read


@pytest.fixture
def start_kind(start, settings_of):
    def started(kind, **changes):
        return start(build(kind, {**settings_of(kind), **changes}))

    return started


@pytest.fixture
def ledger_app():
    clock = MockClock()
    return Desk(Ledger(clock), faults=RECEIVING | {"session_lost"}, clock=clock)


@pytest.fixture
def ledger(start, ledger_app):
    return start(ledger_app)
