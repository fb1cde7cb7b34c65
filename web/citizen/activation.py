"""Activation: the access code is typed and used up. The page shows nothing of the person."""

import secrets

from flask import Blueprint, make_response, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue

from orchestrator.services.access_codes import Redemption
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
            return _again(form, 422)
        visitor = session.setdefault("visitor", secrets.token_urlsafe(16))
        outcome = services.access_codes.redeem(
            str(form.code.data), session=visitor, network=client_network()
        )
        if outcome is Redemption.REDEEMED:
            session["activated"] = True
            return redirect(url_for("citizen.activated"), 303)
        form.code.errors = [code_sentence(outcome)]
        return _again(form, 429 if outcome is Redemption.TOO_MANY_TRIES else 422)

    @blueprint.get("/code/active")
    def activated() -> ResponseReturnValue:
        if not session.get("activated"):
            return redirect(url_for("citizen.code"), 303)
        return render_template("citizen/activated.html")


def _again(form: AccessCodeForm, status: int) -> ResponseReturnValue:
    form.code.data = "" if status == 429 else form.code.data
    response = make_response(render_template("citizen/code.html", form=form), status)
    if status == 429:
        response.headers["Retry-After"] = "3600"
    return response
