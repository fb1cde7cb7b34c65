"""Fetching a realm's description from servers on a bad day."""

import gzip
import http.server
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from identity.saml.descriptors import fetch
from schemas.errors import IdentityUnavailableError

GOOD = b"<EntityDescriptor/>"


def plain(handler, body=GOOD, status=200, **headers):
    handler.send_response(status)
    for name, value in {"Content-Length": len(body), **headers}.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()
    handler.wfile.write(body)


def drip(handler):
    """A byte now and then: each comes in time, the whole never."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(40):
        handler.wfile.write(b"<")
        handler.wfile.flush()
        time.sleep(0.3)


def cut(handler):
    plain(handler, body=GOOD, Content_Length=5000)
    handler.connection.close()


def bad_chunks(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"zz\r\n<a/>\r\n")
    handler.connection.close()


@contextmanager
def serving(act):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.close_connection = True
            with suppress(OSError):  # whoever asked has gone
                act(self)

        def log_message(self, *_):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/descriptor"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_is_there_is_given_back_as_it_came():
    with serving(plain) as address:
        assert fetch(address) == GOOD


@pytest.mark.parametrize(
    "act",
    [
        lambda handler: plain(handler, status=302, Location="/elsewhere"),
        lambda handler: plain(handler, status=404),
        lambda handler: plain(handler, status=500),
        lambda handler: plain(handler, body=b" " * 256 * 1024 + GOOD),
        drip,
        bad_chunks,
    ],
    ids=["elsewhere", "gone", "broken", "too large", "too slow", "bad chunks"],
)
def test_a_server_on_a_bad_day_has_no_description(act):
    with serving(act) as address:
        begun = time.monotonic()
        with pytest.raises(IdentityUnavailableError):
            fetch(address)
    assert time.monotonic() - begun < 12, "whatever it does, it holds nobody up for long"


def test_a_description_that_was_cut_is_not_taken_for_a_whole_one():
    with serving(cut) as address, pytest.raises(IdentityUnavailableError):
        fetch(address)


def test_nothing_is_unpacked():
    """A few bytes that swell to gigabytes stay a few bytes, which are no description."""
    bomb = gzip.compress(b" " * 10_000_000)
    with serving(lambda handler: plain(handler, body=bomb, Content_Encoding="gzip")) as address:
        assert fetch(address) == bomb


def test_nobody_answers():
    with serving(plain) as address:
        pass
    with pytest.raises(IdentityUnavailableError):
        fetch(address)
