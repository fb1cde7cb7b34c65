"""What a realm publishes, fetched within bounds: its description, its keys."""

from pathlib import Path

import requests
from urllib3.exceptions import HTTPError

from schemas import clock
from schemas.errors import IdentityUnavailableError

_PIECE = 16 * 1024


def fetch_document(
    url: str, *, at_most: int, seconds: float, ca_file: Path | None = None, accept: str = "*/*"
) -> bytes:
    """Return what an address holds, within the time in all, from that address only and as it comes.

    One byte more than ``at_most`` says that there is more: it is not read.

    Raises:
        IdentityUnavailableError: it cannot be reached, is too slow or answers with anything but success.
    """
    until = clock.monotonic() + seconds
    try:
        with requests.Session() as session:
            session.trust_env = False  # neither a proxy nor a password of the machine's
            answer = session.get(
                url,
                timeout=seconds,
                verify=str(ca_file) if ca_file else True,
                allow_redirects=False,
                stream=True,
                headers={"Accept": accept, "Accept-Encoding": "identity"},
            )
            with answer:
                if answer.status_code != 200:
                    raise IdentityUnavailableError
                return _read(answer, at_most, until)
    except (requests.RequestException, HTTPError, OSError) as error:
        raise IdentityUnavailableError from error


def _read(answer: requests.Response, at_most: int, until: float) -> bytes:
    """Read piece by piece: a body that trickles would outlast the timeout of each piece."""
    body = bytearray()
    while piece := answer.raw.read1(_PIECE, decode_content=False):
        body += piece
        if len(body) > at_most:
            break
        if clock.monotonic() > until:
            raise IdentityUnavailableError
    return bytes(body[: at_most + 1])
