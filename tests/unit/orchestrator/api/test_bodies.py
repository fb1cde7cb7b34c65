import gzip
import io
import socket

import gevent
import pytest

from orchestrator.api.bodies import inflate, read_body
from schemas.errors import MalformedError, PayloadTooLargeError, RequestTimeoutError


class SlowStream:
    def read(self, _size):
        gevent.sleep(5)
        return b""


class BrokenStream:
    def read(self, _size):
        raise ConnectionResetError


class Connection:
    def __init__(self):
        self.shut = []

    def shutdown(self, how):
        self.shut.append(how)


def environ(stream, length=None, **more):
    values = {"wsgi.input": stream, "CONTENT_LENGTH": "" if length is None else str(length)}
    return values | {"wsgi.input_terminated": True} | more


def test_a_body_is_read_to_its_announced_length():
    assert read_body(environ(io.BytesIO(b"abcdef"), 3), at_most=10) == b"abc"


def test_a_body_in_chunks_is_read_to_its_end():
    assert read_body(environ(io.BytesIO(b"abcdef")), at_most=10) == b"abcdef"


def test_no_length_and_no_chunks_is_no_body():
    no_end = environ(io.BytesIO(b"abc")) | {"wsgi.input_terminated": False}
    assert read_body(no_end, at_most=10) == b""


def test_a_body_announced_too_large_is_not_read():
    stream = io.BytesIO(b"x" * 20)
    with pytest.raises(PayloadTooLargeError):
        read_body(environ(stream, 20), at_most=10)
    assert stream.tell() == 0


def test_a_body_in_chunks_is_cut_where_it_is_too_large():
    stream = io.BytesIO(b"x" * 1000)
    with pytest.raises(PayloadTooLargeError):
        read_body(environ(stream), at_most=10)
    assert stream.tell() == 11


def test_a_slow_body_ends_at_the_deadline_and_its_connection_with_it():
    connection = Connection()
    slow = environ(SlowStream(), 10, **{"gunicorn.socket": connection})
    with pytest.raises(RequestTimeoutError):
        read_body(slow, at_most=10, deadline=0.05)
    assert connection.shut == [socket.SHUT_RD]


def test_a_body_shorter_than_announced_is_malformed():
    with pytest.raises(MalformedError):
        read_body(environ(io.BytesIO(b"ab"), 3), at_most=10)


@pytest.mark.parametrize("length", ["-1", "x", "1" * 30, "\uff11"])
def test_a_length_that_is_no_number_is_malformed(length):
    with pytest.raises(MalformedError):
        read_body(environ(io.BytesIO(b""), length), at_most=10)


def test_a_connection_lost_while_reading_is_the_callers_fault():
    with pytest.raises(MalformedError):
        read_body(environ(BrokenStream(), 3), at_most=10)


def test_inflation_stops_at_the_bound():
    bomb = gzip.compress(b"\0" * 20_000_000)
    with pytest.raises(PayloadTooLargeError):
        inflate(bomb, at_most=1000)
