"""In and out of the console: the staff realm, the link that works once, the guard of every page.

Both ways in lead to one cookie. Who came by the realm may do what their roles open; who came by the link
of an emergency is administrator for that session, and every page says so.
"""

from collections.abc import Mapping
from hmac import compare_digest
from types import MappingProxyType
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

from orchestrator.services.sign_in import safe_path
from orchestrator.services.staff_entry import Staff, StaffEntry
from orchestrator.services.staff_rights import Operation
from schemas.errors import IdentityUnavailableError
from schemas.logins import SamlPurpose
from web.layout.forms import PageForm
from web.layout.saml_views import Doorway, add_saml

DOOR: Final = "console.door"
ENTER: Final = "console.enter"
SAML: Final = frozenset({"console.saml_metadata", "console.saml_acs", "console.saml_sls"})
OPEN_TO_ALL: Final = frozenset({DOOR, ENTER, "console.depart"}) | SAML
OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {
        "console.home": Operation.CONSOLE_OPEN,
        "console.runs": Operation.EXCHANGE_READ,
        "console.run": Operation.EXCHANGE_READ,
        "console.connectors": Operation.CONNECTOR_READ,
    }
)
"""What each page is; a page that is not here is nobody's."""
OF_WHOEVER_IS_IN: Final = frozenset({"console.leave", "console.unknown"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class DoorForm(PageForm):
    """The one button of a sign-in link; its token keeps others from signing somebody in."""


def add_guard(blueprint: Blueprint, entry: StaffEntry) -> None:
    """Let nobody in without a session, no form without its token, nobody further than their roles."""
    doorway = Doorway(sign_in=entry.sign_in)

    @blueprint.before_request
    def require_staff() -> ResponseReturnValue | None:
        g.staff = None
        if request.endpoint in OPEN_TO_ALL:
            return None
        staff = entry.staff(request.cookies.get(doorway.session_cookie))
        if staff is None:
            return _not_signed_in(entry)
        g.staff = staff
        typed = request.form.get("csrf", "") if request.method not in _SAFE else staff.csrf
        if not compare_digest(typed.encode(), staff.csrf.encode()):
            return _forged()
        return _refusal(staff)

    blueprint.context_processor(
        lambda: {"staff": g.get("staff"), "may": _may, "home_url": url_for("console.home")}
    )


def _refusal(staff: Staff) -> ResponseReturnValue | None:
    """Return the page for who is known and may not do this, or None."""
    if request.endpoint in OF_WHOEVER_IS_IN:
        return None
    operation = OPERATIONS.get(request.endpoint or "")
    if operation is not None and staff.may(operation):
        return None
    return render_template("console/no_right.html", has_role=bool(staff.roles)), 403


def _may(operation: str) -> bool:
    """Tell templates whether the reader may do something."""
    staff: Staff | None = g.get("staff")
    return staff is not None and staff.may(Operation(operation))


def add_pages(blueprint: Blueprint, entry: StaffEntry) -> None:
    """Add the ways in, the SAML addresses, and the way out."""
    doorway, links = Doorway(sign_in=entry.sign_in), entry.links
    add_saml(blueprint, doorway, under_review="console/no_right.html")
    blueprint.register_error_handler(
        IdentityUnavailableError, lambda _error: _not_signed_in(entry, is_away=True)
    )

    @blueprint.get("/connexion/depart")
    def depart() -> ResponseReturnValue:
        onward = safe_path(request.args.get("vers", url_for("console.home")))
        onward = onward if onward.startswith("/console/") else url_for("console.home")
        return doorway.depart(SamlPurpose.LOGIN, return_path=onward)

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
        if cookie is None:
            return _spent()
        response = current_app.make_response(redirect(url_for("console.home"), 303))
        doorway.keep(response, cookie)
        return response

    @blueprint.post("/sortie")
    def leave() -> ResponseReturnValue:
        staff: Staff = g.staff
        left = url_for("console.home", sortie="")
        if staff.session is not None:
            return doorway.leave(staff.session, return_path=left)
        links.sign_out(request.cookies[doorway.session_cookie])
        response = current_app.make_response(redirect(left, 303))
        doorway.forget(response)
        return response


def _spent() -> ResponseReturnValue:
    return render_template("console/spent.html"), 410


def _not_signed_in(entry: StaffEntry, *, is_away: bool = False) -> Response:
    onward = request.full_path.rstrip("?") if request.method == "GET" and not is_away else None
    page = render_template(
        "console/sign_in.html",
        has_left="sortie" in request.args,
        is_open=entry.sign_in.is_open,
        is_away=is_away and entry.sign_in.is_open,
        onward=None if "sortie" in request.args else onward,
    )
    response = make_response(page, 503 if is_away else 401)
    if is_away:
        response.headers["Retry-After"] = "30"
    else:
        response.headers["WWW-Authenticate"] = "Parvis-Link"
    return response


def _forged() -> ResponseReturnValue:
    return render_template("console/forged.html"), 400
