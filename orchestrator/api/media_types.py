"""Which content the partner's face reads: structured CloudEvents in UTF-8, batches also in gzip.

Binary mode is refused on purpose: the signature covers the body only, its ``ce-`` headers would not
be signed.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from werkzeug.http import parse_options_header

from schemas.errors import UnsupportedMediaTypeError

EVENT: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
ACCEPTED: Final = {"/v1/events": EVENT, "/v1/events:batch": BATCH}


def check_media_type(environ: Mapping[str, Any], expected: str) -> str:
    """Return the content encoding (empty or ``gzip``) of a body of the expected type.

    Raises:
        UnsupportedMediaTypeError: another type, character set or encoding; or binary mode.
    """
    media_type, charset = _read(environ.get("CONTENT_TYPE", ""))
    if media_type != expected:
        if "HTTP_CE_ID" in environ or "HTTP_CE_SPECVERSION" in environ:
            raise UnsupportedMediaTypeError(
                "Le mode binaire n'est pas accepté : envoyez l'événement en mode structuré."
            )
        sentence = f"Le type de contenu attendu est {expected}."
        raise UnsupportedMediaTypeError(sentence)
    if charset not in ("", "utf-8", "utf8"):
        raise UnsupportedMediaTypeError("Seul le jeu de caractères UTF-8 est accepté.")
    encoding: str = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding in ("", "identity"):
        return ""
    if expected != BATCH:
        raise UnsupportedMediaTypeError("Aucun encodage du contenu n'est accepté à cette adresse.")
    if encoding != "gzip":
        raise UnsupportedMediaTypeError("Seul l'encodage gzip est accepté, une fois.")
    return encoding


@lru_cache(maxsize=64)
def _read(content_type: str) -> tuple[str, str]:
    media_type, parameters = parse_options_header(content_type[:500])
    return media_type.lower(), parameters.get("charset", "").lower()
