"""Security headers of every page; the same policy for both faces.

Scripts run by nonce only, nothing is fetched from elsewhere, no page is framed, and markup reaches
the document through one named policy (``trusted-types``). Styles come from files: no inline style.
"""

import secrets
from typing import Final

from flask import Response, g

_POLICY: Final = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types htmx"
)
_PERMISSIONS: Final = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
_HSTS: Final = "max-age=63072000; includeSubDomains"


def nonce() -> str:
    """Return this answer's nonce, made when first asked for."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    return str(g.nonce)


def secure(response: Response, *, referrer: str, scheme: str) -> Response:
    """Put the security headers on an answer; a view may have set ``Cache-Control`` itself."""
    headers = response.headers
    headers["Content-Security-Policy"] = _POLICY.format(nonce=nonce())
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = referrer
    headers["Permissions-Policy"] = _PERMISSIONS
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers.setdefault("Cache-Control", "no-store")
    if scheme == "https":
        headers["Strict-Transport-Security"] = _HSTS
    return response
