"""Activation: the access code is typed and used up. The page shows nothing of the person."""

import secrets

from flask import Blueprint, make_response, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue

from orchestrator.services.access_codes import Redemption
from orchestrator.services.ports.sign_in import Session as SignedInAs
from web.citizen.departures import prove_first
from web.citizen.forms import AccessCodeForm
from web.citizen.services import CitizenServices
from web.citizen.words import code_sentence
from web.layout.network import client_network
from web.layout.saml_views import Doorway


def add_pages(blueprint: Blueprint, services: CitizenServices) -> None:
    """Add the activation page and its end."""

    @blueprint.get("/code")
    def code() -> ResponseReturnValue:
        if Doorway(sign_in=services.sign_in).session() is not None:
            return redirect(url_for("citizen.space_code"), 303)
        session.setdefault("visitor", secrets.token_urlsafe(16))
        return render_template(
            "citizen/code.html", form=AccessCodeForm(), can_sign_in=services.sign_in.is_open
        )

    @blueprint.post("/code")
    def redeem() -> ResponseReturnValue:
        form = AccessCodeForm()
        if not form.validate():
            return _again(services, form, 422)
        citizen = _citizen(services)
        outcome = _redeemed(services, str(form.code.data), citizen)
        if outcome is Redemption.REDEEMED and citizen is not None:
            return redirect(url_for("citizen.space", code="ajoute"), 303)
        if outcome is Redemption.NOT_PROVED_ENOUGH and citizen is not None:
            return prove_first(citizen, "citizen.space_code")
        if outcome is Redemption.REDEEMED:
            session["activated"] = True
            return redirect(url_for("citizen.activated"), 303)
        form.code.errors = [code_sentence(outcome)]
        return _again(services, form, 429 if outcome is Redemption.TOO_MANY_TRIES else 422)

    @blueprint.get("/code/active")
    def activated() -> ResponseReturnValue:
        if not session.get("activated"):
            return redirect(url_for("citizen.code"), 303)
        return render_template("citizen/activated.html")


def _citizen(services: CitizenServices) -> SignedInAs | None:
    """Return who is signed in; the page may have been open since before the sign-in."""
    found = Doorway(sign_in=services.sign_in).session()
    return found if found is not None and found.citizen_id is not None else None


def _redeemed(services: CitizenServices, code: str, citizen: SignedInAs | None) -> Redemption:
    """Use a code up: for the citizen's own space when somebody is signed in, for nobody otherwise."""
    network = client_network()
    if citizen is not None:
        return services.accounts.redeem(citizen, code, network=network)
    visitor = session.setdefault("visitor", secrets.token_urlsafe(16))
    return services.access_codes.redeem(code, session=visitor, network=network)


def _again(services: CitizenServices, form: AccessCodeForm, status: int) -> ResponseReturnValue:
    form.code.data = "" if status == 429 else form.code.data
    can_sign_in = services.sign_in.is_open and _citizen(services) is None
    page = render_template("citizen/code.html", form=form, can_sign_in=can_sign_in)
    response = make_response(page, status)
    if status == 429:
        response.headers["Retry-After"] = "3600"
    return response
