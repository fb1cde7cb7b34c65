"""Puts the layout into an application: assets, translations, sessions, and hooks per blueprint."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
from flask import Blueprint, Flask, Response, current_app, request
from flask_babel import Babel, format_date
from werkzeug.exceptions import HTTPException

from schemas.errors import ParvisError
from web.layout import assets, languages
from web.layout.addresses import PagePath, as_read
from web.layout.errors import error_page
from web.layout.headers import nonce, secure

TRANSLATIONS: Final = Path(__file__).parent / "translations"
DOMAINS: Final = ("citizen", "console")
_log = structlog.get_logger()
_FORM_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutSettings:
    """What the pages need to know of the installation.

    ``secret_keys`` sign the session cookie, the first one new ones; ``public_url`` decides whether
    cookies are bound to https.
    """

    secret_keys: tuple[bytes, ...] = field(repr=False)
    public_url: str

    @property
    def scheme(self) -> str:
        """Return ``https`` or ``http``."""
        return "https" if self.public_url.lower().startswith("https:") else "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One face: who it belongs to, and how much of an address other sites may learn from it."""

    name: str
    city: Callable[[], str]
    referrer: str = "same-origin"


def install(app: Flask, settings: LayoutSettings) -> None:
    """Prepare an application for the faces; nothing here runs for routes of machines."""
    is_https = settings.scheme == "https"
    app.config.update(
        SECRET_KEY=settings.secret_keys[0],
        SECRET_KEY_FALLBACKS=list(settings.secret_keys[1:]),
        SESSION_COOKIE_NAME="__Host-parvis" if is_https else "parvis",
        SESSION_COOKIE_SECURE=is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        MAX_FORM_MEMORY_SIZE=_FORM_BYTES,
        MAX_FORM_PARTS=200,
        PARVIS_SCHEME=settings.scheme,
    )
    Babel(
        app,
        default_locale="fr",
        default_timezone="Europe/Paris",
        default_domain=";".join(DOMAINS),
        default_translation_directories=";".join([str(TRANSLATIONS)] * len(DOMAINS)),
        locale_selector=languages.locale,
    )
    app.url_map.converters["page"] = PagePath
    app.jinja_env.filters["as_read"] = as_read
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.context_processor(_context)
    app.register_blueprint(assets.blueprint)


def dress(blueprint: Blueprint, face: Face) -> None:
    """Give one blueprint its language, its headers and its error pages."""

    def headers(response: Response) -> Response:
        return secure(response, referrer=face.referrer, scheme=_scheme())

    def failed(error: Exception) -> Response:
        return error_page(error, referrer=face.referrer, scheme=_scheme())

    blueprint.url_defaults(languages.keep_language)
    blueprint.context_processor(lambda: {"face": face, "city": face.city()})
    blueprint.after_request(headers)

    def broke(error: Exception) -> Response:
        _log.error("page failed", endpoint=request.endpoint, error=type(error).__name__)
        return failed(error)

    for kind in (HTTPException, ParvisError):
        blueprint.register_error_handler(kind, failed)
    blueprint.register_error_handler(Exception, broke)


def _scheme() -> str:
    return str(current_app.config["PARVIS_SCHEME"])


def _context() -> dict[str, Any]:
    return {
        "asset_url": assets.asset_url,
        "csp_nonce": nonce,
        "language": languages.current(),
        "languages": languages.offered(),
        "same_page_in": languages.same_page_in,
        "long_date": lambda moment: format_date(moment, "long"),
    }
