"""Activation: the access code is typed and used up. The page shows nothing of the person."""

import secrets

from flask import Blueprint, make_response, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from orchestrator.services.access_codes import Redemption
from web.citizen.forms import AccessCodeForm
from web.citizen.services import CitizenServices
from web.layout.network import client_network


def add_pages(blueprint: Blueprint, services: CitizenServices) -> None:
    """Add the activation page and its end."""

    @blueprint.get("/code")
    def code() -> ResponseReturnValue:
        session.setdefault("visitor", secrets.token_urlsafe(16))
        return render_template("citizen/code.html", form=AccessCodeForm())

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
        form.code.errors = [_sentence(outcome)]
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


def _sentence(outcome: Redemption) -> str:
    if outcome is Redemption.UNREADABLE:
        return str(_("Un code d'accès a 10 lettres et chiffres, par exemple ABCDE-FGHJK."))
    if outcome is Redemption.TOO_MANY_TRIES:
        return str(
            _(
                "Trop d'essais. Réessayez dans une heure, ou demandez à l'accueil de la bibliothèque."
            )
        )
    return str(
        _(
            "Ce code n'ouvre rien : il est mal recopié, déjà utilisé, ou sa date est passée. Vérifiez-le."
        )
    )
