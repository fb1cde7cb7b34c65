"""Style sheets, pictures and scripts of the pages, under addresses that change with their content.

Few and small, they are read once per process and compressed in memory.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, abort, request, url_for

_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
blueprint = Blueprint("layout", __name__, template_folder="templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file as it is sent."""

    name: str
    body: bytes
    compressed: bytes
    digest: str
    media_type: str


@cache
def asset(name: str) -> Asset:
    """Return a file of ``static/``; raises LookupError for anything else."""
    path = _FOLDER / name
    media_type = _TYPES.get(path.suffix)
    is_inside = path.resolve().is_relative_to(_FOLDER.resolve())
    if media_type is None or not is_inside or not path.is_file():
        raise LookupError(name)
    body = path.read_bytes()
    return Asset(
        name=name,
        body=body,
        compressed=gzip.compress(body, mtime=0),
        digest=hashlib.sha256(body).hexdigest()[:12],
        media_type=media_type,
    )


def asset_url(name: str) -> str:
    """Return the address of a file, with the mark of its content."""
    return url_for("layout.send_asset", digest=asset(name).digest, name=name)


@blueprint.get("/assets/<digest>/<path:name>")
def send_asset(digest: str, name: str) -> Response:
    """Send one file; for good when the address bears the mark of its content."""
    try:
        found = asset(name)
    except (LookupError, ValueError):
        abort(404)
    is_small = request.accept_encodings.quality("gzip") > 0
    response = Response(found.compressed if is_small else found.body, content_type=found.media_type)
    if is_small:
        response.headers["Content-Encoding"] = "gzip"
    is_current = digest == found.digest
    keep = "public, max-age=31536000, immutable" if is_current else "no-cache"
    response.headers["Cache-Control"] = keep
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
