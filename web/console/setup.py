"""Puts the console together: one blueprint, dressed by the layout, behind one guard."""

from flask import Blueprint, Response, abort, request
from flask.typing import ResponseReturnValue

from web.console import doors, pages, problems, reading, runs
from web.console.services import ConsoleServices
from web.layout import Face, dress


def create_blueprint(services: ConsoleServices) -> Blueprint:
    """Return the console's pages, wired to their services."""
    blueprint = Blueprint("console", __name__, template_folder="templates", url_prefix="/console")
    blueprint.after_request(_keep_links_to_ourselves)  # runs after the headers of ``dress``
    dress(blueprint, Face(name="console", city=services.city))
    problems.add_answers(blueprint)
    doors.add_guard(blueprint, services.entry)
    doors.add_pages(blueprint, services.entry)
    pages.add_pages(blueprint, services)
    runs.add_pages(blueprint, services.runs)
    reading.add_filters(blueprint)
    blueprint.add_url_rule("/<path:rest>", view_func=unknown, methods=["GET", "POST"])
    return blueprint


def unknown(rest: str) -> ResponseReturnValue:
    """Answer for every other address under the console, signed in or not, alike."""
    del rest
    abort(404)


def _keep_links_to_ourselves(response: Response) -> Response:
    """A sign-in link is a secret in an address: no other request may tell it."""
    if request.endpoint in {doors.DOOR, doors.ENTER}:
        response.headers["Referrer-Policy"] = "no-referrer"
    return response
