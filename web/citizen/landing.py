"""The page of a connected poster: where it hangs, what happens, one button. No cookie, no trace."""

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from orchestrator.services.placements import Visit
from orchestrator.services.ports.placements import Placement
from schemas.errors import RateLimitedError
from web.citizen.forms import PostalCodeForm
from web.citizen.services import CitizenServices
from web.layout import languages
from web.layout.network import client_network

_ADVANCE_FETCH = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


def add_pages(blueprint: Blueprint, services: CitizenServices) -> None:
    """Add the landing page, in the two writings a printed link may have, and the report page."""

    @blueprint.get("/A/<token>")
    @blueprint.get("/a/<token>")  # the one that links are made with
    def landing(token: str) -> ResponseReturnValue:
        look = services.placements.look_up(token)
        if look.placement is None:
            return _closed(services, is_known=look.is_known)
        if _is_a_visit():
            services.placements.count(look.placement, _visit())
        page = render_template("citizen/landing.html", placement=look.placement)
        response = make_response(page)
        response.headers["Cache-Control"] = "private, no-cache"
        return response

    @blueprint.get("/affiche-suspecte/<token>")
    def suspicious(token: str) -> ResponseReturnValue:
        placement = _open_or_404(services, token)
        return render_template("citizen/suspicious.html", placement=placement, is_sent=False)

    @blueprint.post("/affiche-suspecte/<token>")
    def report(token: str) -> ResponseReturnValue:
        placement = _open_or_404(services, token)
        services.placements.report(placement, network=client_network())
        return redirect(url_for("citizen.reported", token=placement.token), 303)

    @blueprint.get("/affiche-suspecte/<token>/merci")
    def reported(token: str) -> ResponseReturnValue:
        placement = _open_or_404(services, token)
        return render_template("citizen/suspicious.html", placement=placement, is_sent=True)


def _closed(services: CitizenServices, *, is_known: bool) -> ResponseReturnValue:
    """One page for unknown, withdrawn, expired and suspended: same bytes, same time."""
    if services.placements.too_many_misses(client_network()):
        raise RateLimitedError(600)
    page = render_template("citizen/closed.html", form_finder=PostalCodeForm(formdata=None))
    response = make_response(page, 200 if is_known else 404)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _open_or_404(services: CitizenServices, token: str) -> Placement:
    placement = services.placements.look_up(token).placement
    if placement is None:
        if services.placements.too_many_misses(client_network()):
            raise RateLimitedError(600)
        abort(404)
    return placement


def _is_a_visit() -> bool:
    fetched_ahead = any(request.headers.get(name) for name in _ADVANCE_FETCH)
    return request.method == "GET" and "nostat" not in request.args and not fetched_ahead


def _visit() -> Visit:
    return Visit(
        network=client_network(),
        user_agent=request.headers.get("User-Agent", ""),
        language=languages.current().tag,
    )
