"""The API as one WSGI layer in front of the pages: nothing of theirs weighs on it, nor the reverse.

Addresses of partners and of applications are answered by ``PartnerFace`` and ``PortalFace`` without a
framework; probes, problem pages and the documentation by a small Flask application of their own;
everything else goes on to the pages.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from orchestrator.api import openapi
from orchestrator.api.partner_face import PartnerFace
from orchestrator.api.portal_face import PortalFace
from orchestrator.api.problem_texts import PROBLEMS, Language
from orchestrator.api.problems import language_of, problem_reply
from orchestrator.api.replies import Reply, json_reply
from orchestrator.services.readiness import Readiness
from schemas import events, ids
from schemas.errors import (
    MalformedError,
    MethodNotAllowedError,
    NotFoundError,
    ParvisError,
    PayloadTooLargeError,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PREFIXES: Final = ("/v1/", "/problems/")
_PROBES: Final = frozenset({"/livez", "/readyz", "/startupz"})
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServices:
    """What the API calls; ``public_url`` without a slash at its end.

    ``portal_face`` answers applications, ``issuer`` is the realm whose tokens it reads.
    """

    partner_face: PartnerFace
    readiness: Readiness
    public_url: str
    portal_face: PortalFace | None = None
    issuer: str | None = None


class ApiLayer:
    """A WSGI layer: takes the addresses of the API, hands the others on."""

    def __init__(self, services: ApiServices, pages: "WSGIApplication") -> None:
        faces = (services.partner_face, services.portal_face)
        self._faces = tuple(face for face in faces if face is not None)
        self._open = create_open_api(services).wsgi_app
        self._pages = pages

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        for face in self._faces:
            if face.serves(path):
                return face(environ, start_response)
        if path in _PROBES or path.startswith(_PREFIXES):
            return self._open(environ, start_response)
        return self._pages(environ, start_response)


def install(app: Flask, services: ApiServices) -> None:
    """Put the API in front of an application's pages."""
    app.wsgi_app = ApiLayer(services, app.wsgi_app)  # type: ignore[method-assign]


def create_open_api(services: ApiServices) -> Flask:
    """Return the application of what needs no signature."""
    app = Flask(__name__, static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.config["MAX_CONTENT_LENGTH"] = 0
    app.url_map.strict_slashes = True
    app.url_map.redirect_defaults = False
    app.url_map.merge_slashes = False
    app.jinja_env.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": False}
    _add_probes(app, services.readiness)
    _add_documents(app, services)
    _add_problem_answers(app, services.public_url)
    return app


def _add_probes(app: Flask, readiness: Readiness) -> None:
    started: list[bool] = []

    def livez() -> Response:
        return _response(json_reply({"status": "ok"}))

    def readyz() -> Response:
        faults = readiness.faults()
        if not faults:
            started.append(True) if not started else None
            remarks = readiness.remarks()
            told = {"status": "degraded", "remarks": remarks} if remarks else {"status": "ok"}
            return _response(json_reply(told))
        return _response(json_reply({"status": "unready", "faults": faults}, status=503))

    def startupz() -> Response:
        return _response(json_reply({"status": "ok"})) if started else readyz()

    app.add_url_rule("/livez", view_func=livez)
    app.add_url_rule("/readyz", view_func=readyz)
    app.add_url_rule("/startupz", view_func=startupz)


def _add_documents(app: Flask, services: ApiServices) -> None:
    document = openapi.document(services.public_url, issuer=services.issuer)

    def openapi_json() -> Response:
        response = _response(json_reply(document))
        response.headers["Cache-Control"] = "public, max-age=3600"
        return response

    def docs() -> Response:
        types = [known for known in events.catalogue().values() if not known.is_own_page_only]
        return _page("docs.html", api=document, types=types, problems=PROBLEMS)

    def docs_css() -> Response:
        with app.open_resource("templates/api.css", "r") as file:
            return Response(file.read(), mimetype="text/css")

    def problem(slug: str) -> Response:
        if slug not in PROBLEMS:
            raise NotFoundError
        return _page("problem.html", slug=slug, text=PROBLEMS[slug], first=_language())

    app.add_url_rule("/v1/openapi.json", view_func=openapi_json)
    app.add_url_rule("/v1/docs", view_func=docs)
    app.add_url_rule("/v1/docs/api.css", view_func=docs_css)
    app.add_url_rule("/problems/<slug>", view_func=problem)


def _add_problem_answers(app: Flask, public_url: str) -> None:
    def answer(error: Exception) -> Response:
        request_id = str(ids.uuid7())
        refused = _as_ours(error)
        if refused.status >= 500:
            _log.error("request failed", request_id=request_id, error=type(error).__name__)
        reply = problem_reply(
            refused, public_url=public_url, request_id=request_id, language=_language()
        )
        reply.headers.append(("Parvis-Request-Id", request_id))
        return _response(reply)

    app.register_error_handler(Exception, answer)


def _as_ours(error: Exception) -> ParvisError:
    """Return the error of ours that says what the framework's says."""
    match error:
        case ParvisError():
            return error
        case MethodNotAllowed():
            return MethodNotAllowedError(*sorted(error.valid_methods or ()))
        case HTTPException(code=404):
            return NotFoundError()
        case HTTPException(code=413):
            return PayloadTooLargeError()
        case HTTPException(code=int(code)) if code < 500:
            return MalformedError()
        case _:
            return ParvisError()


def _language() -> Language:
    return language_of(request.headers.get("Accept-Language"))


def _page(template: str, **values: object) -> Response:
    response = Response(render_template(template, **values), mimetype="text/html")
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Vary"] = "Accept-Language"
    return response


def _response(reply: Reply) -> Response:
    return Response(reply.body, status=reply.status, headers=reply.headers)
