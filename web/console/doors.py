"""In and out of the console: the link that works once, the guard of every page, the way out."""

from hmac import compare_digest
from typing import Final

from flask import (
    Blueprint,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from orchestrator.services.staff_links import StaffLinks
from web.layout.forms import PageForm

DOOR: Final = "console.door"
ENTER: Final = "console.enter"
OPEN_TO_ALL: Final = frozenset({DOOR, ENTER})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class DoorForm(PageForm):
    """The one button of a sign-in link; its token keeps others from signing somebody in."""


def cookie_name() -> str:
    """Return the name of the staff's cookie, bound to https wherever there is https."""
    return "__Host-parvis_staff" if _is_https() else "parvis_staff"


def add_guard(blueprint: Blueprint, links: StaffLinks) -> None:
    """Let nobody in without a session, and no form without its session's token."""

    @blueprint.before_request
    def require_staff() -> ResponseReturnValue | None:
        g.staff = None
        if request.endpoint in OPEN_TO_ALL:
            return None
        session = links.session(request.cookies.get(cookie_name()))
        if session is None:
            return _not_signed_in()
        g.staff = session
        typed = request.form.get("csrf", "") if request.method not in _SAFE else session.csrf
        if not compare_digest(typed.encode(), session.csrf.encode()):
            return _forged()
        return None

    blueprint.context_processor(lambda: {"staff": g.get("staff")})


def add_pages(blueprint: Blueprint, links: StaffLinks) -> None:
    """Add the page of a sign-in link, its button, and the way out."""

    @blueprint.get("/entree/<token>")
    def door(token: str) -> ResponseReturnValue:
        if not links.is_live(token):
            return _spent()
        return render_template("console/door.html", form=DoorForm(), token=token)

    @blueprint.post("/entree/<token>")
    def enter(token: str) -> ResponseReturnValue:
        form = DoorForm()
        if not form.validate():
            return render_template("console/door.html", form=form, token=token), 422
        cookie = links.redeem(token)
        return _spent() if cookie is None else _with_cookie(cookie)

    @blueprint.post("/sortie")
    def leave() -> ResponseReturnValue:
        links.sign_out(request.cookies[cookie_name()])
        response = redirect(url_for("console.home", sortie=""), 303)
        response.delete_cookie(cookie_name(), secure=_is_https(), httponly=True, samesite="Lax")
        return response


def _with_cookie(cookie: str) -> Response:
    response = redirect(url_for("console.home"), 303)
    response.set_cookie(cookie_name(), cookie, secure=_is_https(), httponly=True, samesite="Lax")
    return response


def _spent() -> ResponseReturnValue:
    return render_template("console/spent.html"), 410


def _not_signed_in() -> ResponseReturnValue:
    page = render_template("console/sign_in.html", has_left="sortie" in request.args)
    response = make_response(page, 401)
    response.headers["WWW-Authenticate"] = "Parvis-Link"
    return response


def _forged() -> ResponseReturnValue:
    return render_template("console/forged.html"), 400


def _is_https() -> bool:
    return bool(current_app.config["PARVIS_SCHEME"] == "https")
