import gzip
import socket
import time

import pytest
import requests
import responses

from connectors.kit.adapter import LeanAdapter, Timeouts
from connectors.kit.addresses import Address
from schemas.errors import (
    PartnerContractBrokenError,
    PartnerMisconfiguredError,
    PartnerRejectedError,
    PartnerUnavailableError,
)
from tests.connectors.kit.raw_server import CLOSE, RawServer, answer

pytestmark = pytest.mark.enable_socket


def test_one_connection_serves_many_calls(face):
    with RawServer(lambda _connection, _request: answer()).running() as server:
        http = face(server)
        for _ in range(5):
            assert http.post("/x", json={"a": 1}).fields()["ok"] is True
        assert server.connections == 1


def test_a_connection_the_peer_closed_while_idle_is_not_used_again(face):
    with RawServer(lambda _connection, _request: answer(headers=["X: 1"])).running() as server:
        http = face(server)
        http.post("/x", json={})
        server.open[0].shutdown(socket.SHUT_RDWR)
        time.sleep(0.05)
        assert http.post("/x", json={}).fields()["ok"] is True
        assert server.connections == 2
        assert len(server.requests) == 2


def dies_on_reuse(connection, request):
    return CLOSE if connection == 1 and request == 2 else answer()


def test_a_read_on_a_kept_connection_that_dies_is_repeated_once_on_a_new_one(face):
    with RawServer(dies_on_reuse).running() as server:
        http = face(server)
        http.get("/x")
        assert http.get("/x").fields()["ok"] is True
        assert server.connections == 2


def test_a_write_with_a_key_on_a_kept_connection_that_dies_is_repeated_once(face):
    with RawServer(dies_on_reuse).running() as server:
        http = face(server)
        http.get("/x")
        assert http.post("/x", json={}, idempotency_key="run:1").fields()["ok"] is True
        assert len(server.requests) == 3


def test_a_write_without_a_key_on_a_kept_connection_that_dies_is_never_repeated(face):
    with RawServer(dies_on_reuse).running() as server:
        http = face(server)
        http.get("/x")
        with pytest.raises(PartnerUnavailableError) as raised:
            http.post("/x", json={})
        assert raised.value.outcome_unknown
        assert len(server.requests) == 2


def test_a_read_is_repeated_once_and_not_twice(face):
    with RawServer(
        lambda connection, request: answer() if request == 1 and connection == 1 else CLOSE
    ).running() as server:
        http = face(server)
        http.get("/x")
        with pytest.raises(PartnerUnavailableError):
            http.get("/x")
        assert server.connections == 2


def test_an_answer_cut_in_its_middle_is_never_repeated_even_for_a_read(face):
    with RawServer(
        lambda _connection, request: answer() if request == 1 else answer(length=99) + b""
    ).running() as server:
        http = face(server)
        http.get("/x")
        with pytest.raises(PartnerUnavailableError):
            http.get("/x")
        assert len(server.requests) == 2


def test_a_chunked_answer_is_read_whole_and_its_connection_kept(face):
    chunked = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'4\r\n{"ok\r\n8\r\n": true}\r\n0\r\nX-Trailer: 1\r\n\r\n'
    )
    with RawServer(lambda *_: chunked).running() as server:
        http = face(server)
        for _ in range(3):
            assert http.get("/x").fields()["ok"] is True
        assert server.connections == 1


def test_interim_answers_are_passed_over(face):
    with RawServer(
        lambda *_: b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer()
    ).running() as server:
        assert face(server).get("/x").fields()["ok"] is True


def test_a_compressed_answer_is_read(face):
    body = gzip.compress(b'{"ok": true}')
    with RawServer(lambda *_: answer(body, headers=["Content-Encoding: gzip"])).running() as server:
        assert face(server).get("/x").fields()["ok"] is True


def test_a_compression_bomb_is_refused(face):
    bomb = gzip.compress(b'"' + b"a" * 5_000_000 + b'"')
    with (
        RawServer(lambda *_: answer(bomb, headers=["Content-Encoding: gzip"])).running() as server,
        pytest.raises(PartnerUnavailableError),
    ):
        face(server).get("/x")


def test_a_body_larger_than_the_cap_is_refused(face):
    with RawServer(lambda *_: answer(b'"' + b"a" * 2000 + b'"')).running() as server:
        assert face(server, cap=3000).get("/x").value()
        with pytest.raises(PartnerUnavailableError):
            face(server, cap=1000).get("/x")


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
    ],
    ids=range(11),
)
def test_garbage_instead_of_an_answer_is_an_unknown_outcome(face, raw):
    with RawServer(lambda *_: raw).running() as server:
        log = []
        with pytest.raises(PartnerUnavailableError) as raised:
            face(server, log=log).post("/x", json={})
        assert raised.value.outcome_unknown
        assert log[-1].outcome == "cut"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 201",
        b"HTTP/1.1 201 Created\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 1",
        b"HTTP/1.1 201 Created\r\nContent-Length: 12\r\n",
    ],
    ids=range(4),
)
def test_an_answer_cut_within_its_head_is_an_unknown_outcome(face, head):
    def script(_connection, _request):
        server.open[-1].sendall(head)
        return CLOSE

    with RawServer(script).running() as server:
        log = []
        with pytest.raises(PartnerUnavailableError) as raised:
            face(server, log=log).post("/x", json={})
        assert raised.value.outcome_unknown
        assert log[-1].outcome == "cut"


def test_an_answer_without_a_length_ends_with_its_connection(face):
    raw = b'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{"ok": true}'

    def script(_connection, _request):
        server.open[-1].sendall(raw)
        return CLOSE

    with RawServer(script).running() as server:
        http = face(server)
        assert http.get("/x").fields()["ok"] is True


def test_a_header_that_would_start_another_is_refused_before_anything_leaves(face):
    with RawServer(lambda *_: answer()).running() as server:
        for value in ("a\r\nX-Admin: 1", "a\nX-Admin: 1", "ŝ"):
            with pytest.raises(PartnerRejectedError):
                face(server).post("/x", headers={"X-Ref": value})
        assert server.requests == []


def test_the_name_and_the_length_are_sent_and_nothing_of_the_environment(face, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with RawServer(lambda *_: answer()).running() as server:
        face(server).post("/x", json={"nom": "Éléonore"})
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        assert f"Host: 127.0.0.1:{server.port}".encode() in head
        assert b"Content-Length: 20" in head
        assert body == '{"nom":"Éléonore"}'.encode()


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        (b"<!DOCTYPE html><p>Maintenance", "text/html", PartnerUnavailableError),
        (b"  <html>", "application/json", PartnerUnavailableError),
        (b"", "application/json", PartnerContractBrokenError),
        (b'{"ok": true}', "text/plain", PartnerContractBrokenError),
        (b'{"ok": tr', "application/json", PartnerContractBrokenError),
        (b'{"ok": NaN}', "application/json", PartnerContractBrokenError),
        ('{"ok": "é"}'.encode("latin-1"), "application/json", PartnerContractBrokenError),
        (b'{"ok": true}', "application/json; charset=iso-8859-1", PartnerContractBrokenError),
        (b"[" * 200_000, "application/json", PartnerContractBrokenError),
        (b"[1]", "application/json", PartnerContractBrokenError),
    ],
    ids=range(10),
)
def test_a_success_that_cannot_be_read_is_never_a_success(face, body, kind, error):
    raw = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with RawServer(lambda *_: raw + body).running() as server:
        read = face(server, cap=1_000_000).get("/x")
        with pytest.raises(error):
            read.fields()


def test_the_adapter_serves_a_plain_requests_session_too():
    with RawServer(lambda *_: answer()).running() as server:
        adapter = LeanAdapter(
            Address("127.0.0.1", server.port, allow_private=True), tls=None, timeouts=Timeouts()
        )
        with requests.Session() as session:
            session.mount("http://", adapter)
            assert session.post(f"{server.url}/x?a=1", data="text").json() == {"ok": True}
            with pytest.raises(requests.exceptions.InvalidURL):
                session.get("http://autre.example.org/x")
        assert server.requests[0].startswith(b"POST /x?a=1 HTTP/1.1\r\n")


def test_responses_mocks_the_adapter_by_naming_its_send(face):
    target = "connectors.kit.adapter.LeanAdapter.send"
    with responses.RequestsMock(target=target) as mocked:
        mocked.post(
            "https://koha.example.org/x",
            json={"ok": True},
            match=[responses.matchers.json_params_matcher({"a": 1})],
        )
        server = type("Server", (), {"port": 443})
        import ssl

        http = face(server, tls=ssl.create_default_context(), host="koha.example.org")
        assert http.post("/x", json={"a": 1}).fields()["ok"] is True


def test_a_failure_that_responses_makes_is_typed_too(face):
    with responses.RequestsMock(target="connectors.kit.adapter.LeanAdapter.send") as mocked:
        mocked.post("http://koha.example.org/x", body=requests.ReadTimeout())
        server = type("Server", (), {"port": 80})
        with pytest.raises(PartnerUnavailableError) as raised:
            face(server, host="koha.example.org").post("/x", json={})
        assert raised.value.outcome_unknown


def test_a_port_where_nobody_listens_is_not_an_unknown_outcome(face):
    with RawServer(lambda *_: answer()).running() as server:
        pass
    log = []
    with pytest.raises(PartnerUnavailableError) as raised:
        face(server, log=log).post("/x", json={})
    assert not raised.value.outcome_unknown
    assert log[-1].outcome == "not_connected:connection"
    assert log[-1].sent_at is None


def test_a_name_that_does_not_exist_is_said_so(face, monkeypatch):
    def nowhere(*_args, **_kwargs):
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    log = []
    server = type("Server", (), {"port": 80})
    with pytest.raises(PartnerUnavailableError):
        face(server, host="absent.example.org", log=log).get("/x")
    assert log[-1].outcome == "not_connected:name"


def test_an_internal_address_behind_a_public_name_is_refused(face, monkeypatch):
    with RawServer(lambda *_: answer()).running() as server:
        loopback = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: loopback)
        with pytest.raises(PartnerMisconfiguredError):
            face(server, host="koha.example.org", allow_private=False).get("/x")
        assert server.connections == 0


def test_a_profile_closed_during_a_call_keeps_no_connection(face):
    with RawServer(lambda *_: answer()).running() as server:
        http = face(server)
        adapter = http._shared.adapter
        adapter.close()
        assert http.get("/x").fields()["ok"] is True
        assert adapter._pool._idle == []
