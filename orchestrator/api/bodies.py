"""Reading bodies that may be hostile: bounded in bytes, in time, and in what they inflate to.

The server's worker gives no limit to a slow body and drains what an application left unread, so
both are cut here: a deadline on the read, and the receiving side of the connection closed when a
body is given up.
"""

import socket
import zlib
from collections.abc import Mapping
from typing import Any, Final

import gevent
from gunicorn.http.errors import ParseException

from schemas.errors import MalformedError, PayloadTooLargeError, RequestTimeoutError

DEADLINE_SECONDS: Final = 10.0
_LINGER_BYTES, _LINGER_SECONDS = 2 * 1024 * 1024, 2.0
_GZIP: Final = 16 + zlib.MAX_WBITS
_PIECE: Final = 64 * 1024


def read_body(
    environ: Mapping[str, Any], *, at_most: int, deadline: float = DEADLINE_SECONDS
) -> bytes:
    """Return the body of a WSGI request.

    Raises:
        PayloadTooLargeError: more bytes than allowed, announced or sent.
        RequestTimeoutError: it did not come within the deadline.
        MalformedError: shorter than announced, or its chunks are unreadable.
    """
    length = _announced(environ)
    if length == 0:
        return b""
    if length is not None and length > at_most:
        _give_up(environ, linger=True)
        raise PayloadTooLargeError(_over(at_most))
    try:
        with gevent.Timeout(deadline, RequestTimeoutError):
            raw: bytes = environ["wsgi.input"].read(at_most + 1 if length is None else length)
    except RequestTimeoutError:
        _give_up(environ)
        raise
    except (ParseException, OSError, ValueError) as error:
        _give_up(environ)
        raise MalformedError("Le découpage du corps est illisible.") from error
    if len(raw) > at_most:
        _give_up(environ, linger=True)
        raise PayloadTooLargeError(_over(at_most))
    if length is not None and len(raw) < length:
        raise MalformedError("Le corps est plus court qu'annoncé.")
    return raw


def inflate(compressed: bytes, *, at_most: int) -> bytes:
    """Return what one gzip member holds; stops as soon as it holds more than allowed.

    Raises:
        PayloadTooLargeError: it inflates to more.
        MalformedError: it is not one whole gzip member.
    """
    inflater = zlib.decompressobj(_GZIP)
    try:
        raw = inflater.decompress(compressed, at_most + 1)
    except zlib.error as error:
        raise MalformedError("Le corps n'est pas du gzip lisible.") from error
    if len(raw) > at_most:
        raise PayloadTooLargeError(_over(at_most))
    if not inflater.eof or inflater.unused_data:
        raise MalformedError("Le corps n'est pas du gzip lisible.")
    return raw


def _announced(environ: Mapping[str, Any]) -> int | None:
    """Return the announced length, None when the body tells its own end (chunks)."""
    text = environ.get("CONTENT_LENGTH", "")
    if not text:
        return None if environ.get("wsgi.input_terminated") else 0
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise MalformedError("Le corps est plus court qu'annoncé.")
    return int(text)


def _over(at_most: int) -> str:
    return f"Le corps dépasse {at_most // 1024} Kio."


def _give_up(environ: Mapping[str, Any], *, linger: bool = False) -> None:
    """Read no more of this connection; ``linger`` drains a little, so that the answer arrives."""
    connection = environ.get("gunicorn.socket")
    if connection is None:
        return
    if linger:
        _drain(environ["wsgi.input"])
    try:
        connection.shutdown(socket.SHUT_RD)
    except OSError:
        return


def _drain(stream: Any) -> None:
    try:
        with gevent.Timeout(_LINGER_SECONDS, RequestTimeoutError):
            for _ in range(_LINGER_BYTES // _PIECE):
                if not stream.read(_PIECE):
                    return
    except (ParseException, OSError, ValueError, RequestTimeoutError):
        return
