import socket
import threading

import pytest

from mock_partners.wire import Connection

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def ask(client, text, *, reads=1):
    """Send raw bytes and read until `reads` answers or the end."""
    with client.raw() as sock:
        sock.sendall(text)
        received = b""
        while received.count(b"HTTP/1.1 ") < reads or not received.endswith((b"}", b"]", b"\n")):
            more = sock.recv(65536)
            if not more:
                break
            received += more
    return received


def test_a_connection_serves_many_requests(ledger):
    ports = set()
    for number in range(50):
        assert ledger.call("POST", "/lines", body=f"line {number}").status == 201
        ports.add(ledger.connection.sock.getsockname()[1])
    assert len(ports) == 1


def test_head_and_body_leave_in_one_piece(ledger):
    with ledger.raw() as sock:
        sock.sendall(b"GET /lines HTTP/1.1\r\nHost: x\r\n\r\n")
        received = sock.recv(65536)
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.endswith(b"\r\n\r\n[]")


def test_pipelined_requests_are_answered_in_order(ledger):
    one = b"POST /lines HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"
    received = ask(ledger, one + b"a" + one + b"b", reads=2)
    assert received.index(b'"line":"a"') < received.index(b'"line":"b"')


def test_a_chunked_body_is_read_whole(ledger):
    head = b"POST /lines HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b'"line":"abcde"' in ask(ledger, head + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")


def test_a_client_that_waits_for_100_continue_gets_it(ledger):
    with ledger.raw() as sock:
        sock.sendall(
            b"POST /lines HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"ok")
        assert b"201 Created" in sock.recv(65536)


def test_a_body_that_arrives_in_pieces_is_waited_for(ledger):
    with ledger.raw() as sock:
        for piece in (b"POST /lines HT", b"TP/1.1\r\nContent-Len", b"gth: 4\r\n\r\nab", b"cd"):
            sock.sendall(piece)
        assert b'"line":"abcd"' in sock.recv(65536)


@pytest.mark.parametrize(
    "head", [b"GET /lines HTTP/1.0", b"GET /lines HTTP/1.1\r\nConnection: close"]
)
def test_a_client_that_wants_to_leave_is_let_go(ledger, head):
    with ledger.raw() as sock:
        sock.sendall(head + b"\r\n\r\n")
        assert b"Connection: close" in sock.recv(65536)
        assert sock.recv(10) == b""


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /lines\r\n\r\n", b"400"),
        (b"GET /lines HTTP/2.0\r\n\r\n", b"400"),
        (b"GET /lines HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET /lines HTTP/1.1\r\n folded: x\r\n\r\n", b"400"),
        (b"POST /lines HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /lines HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"POST /lines HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"GET /lines HTTP/1.1\r\nx: " + b"y" * 70_000, b"431"),
    ],
)
def test_bytes_that_are_no_request_are_refused_and_the_connection_closed(ledger, text, status):
    received = ask(ledger, text)
    assert received.startswith(b"HTTP/1.1 " + status)
    assert b"Connection: close" in received
    assert ledger.journal() == []


def test_a_client_that_leaves_in_the_middle_harms_nobody(ledger):
    with ledger.raw() as sock:
        sock.sendall(b"POST /lines HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc")
    assert ledger.call("GET", "/lines").json == []


def test_a_head_request_announces_the_body_without_sending_it(ledger):
    reply = ledger.call("HEAD", "/lines")
    assert (reply.status, reply.body) == (404, b"")


def test_repeated_headers_are_joined(ledger_app):
    near, far = socket.socketpair()
    with near, far:
        near.sendall(b"GET / HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\n\r\n")
        # TCP_NODELAY means nothing to a Unix pair: the reader alone is under test
        connection = Connection.__new__(Connection)
        connection._sock, connection._buffer = far, b""
        assert connection.read().headers == {"x-a": "1, 2"}


def test_a_hundred_clients_at_once_are_served_one_by_one(ledger, connect):
    clients = [connect(ledger.server.url) for _ in range(100)]
    counts = []

    def add(client):
        counts.append(client.call("POST", "/lines", body="x").json["count"])

    threads = [threading.Thread(target=add, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == list(range(1, 101))
    assert [entry["seq"] for entry in ledger.journal()] == list(range(1, 101))
