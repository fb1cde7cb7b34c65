"""Signing in and out as citizens see it: the choice of a way in, the trip, the way out everywhere."""

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from schemas.errors import IdentityUnavailableError
from schemas.logins import SamlPurpose
from web.citizen.departures import onward_path
from web.citizen.services import CitizenServices
from web.layout.forms import PageForm
from web.layout.saml_views import Doorway, add_saml


class LeaveForm(PageForm):
    """The one button that ends a session everywhere."""


def add_pages(blueprint: Blueprint, services: CitizenServices) -> None:
    """Add the way in, the way out and the SAML addresses."""
    doorway = Doorway(sign_in=services.sign_in)
    add_saml(
        blueprint,
        doorway,
        under_review="citizen/under_review.html",
        unproved=lambda onward: url_for("citizen.unproved", vers=onward),
    )

    @blueprint.get("/connexion")
    def sign_in() -> ResponseReturnValue:
        onward = onward_path()
        if doorway.session() is not None:
            return redirect(onward, 303)
        return _choice(services, onward)

    @blueprint.get("/connexion/depart")
    def depart() -> ResponseReturnValue:
        onward = onward_path()
        wants = request.args.get("avec") == "franceconnect"
        provider = services.franceconnect if wants else None
        try:
            return doorway.depart(SamlPurpose.LOGIN, return_path=onward, provider=provider)
        except IdentityUnavailableError:
            return _choice(services, onward, is_away=True)

    @blueprint.get("/connexion/preuve")
    def unproved() -> ResponseReturnValue:
        return render_template(
            "citizen/unproved.html",
            onward=onward_path(),
            is_signed_in=doorway.session() is not None,
            franceconnect=services.franceconnect,
        )

    @blueprint.post("/deconnexion")
    def leave() -> ResponseReturnValue:
        session = doorway.session()
        if session is None:
            return redirect(url_for("citizen.left"), 303)
        if not LeaveForm().validate():
            return redirect(url_for("citizen.space"), 303)
        return doorway.leave(session, return_path=url_for("citizen.left"))

    @blueprint.get("/au-revoir")
    def left() -> ResponseReturnValue:
        return render_template("citizen/left.html")


def _choice(
    services: CitizenServices, onward: str, *, is_away: bool = False
) -> ResponseReturnValue:
    """Return the page with the ways in; it says so when there is none for the moment."""
    page = render_template(
        "citizen/sign_in.html",
        onward=onward,
        is_open=services.sign_in.is_open,
        is_away=is_away,
        franceconnect=services.franceconnect,
    )
    response = make_response(page, 503 if is_away else 200)
    if is_away:
        response.headers["Retry-After"] = "30"
    return response
