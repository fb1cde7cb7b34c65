"""A better proof of who somebody is, asked of them in the middle of what they do.

Whoever proves too little leaves the realm first, as for another login: the browser may be sent to somebody
the realm knows by another account.
"""

from typing import Final

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from orchestrator.services.ports.sign_in import Session
from schemas.logins import Level, SamlPurpose
from web.citizen.departures import ActForm, away_or, onward_path, sign_in_first
from web.citizen.services import CitizenServices
from web.layout.saml_views import Doorway

_LEVELS: Final = {str(int(one)): one for one in (Level.ACCOUNT_PROVED, Level.STRONG, Level.SEEN)}


def add_pages(blueprint: Blueprint, services: CitizenServices) -> None:
    """Add the page that says which proof is wanted and why, and the way there and back."""
    doorway = Doorway(sign_in=services.sign_in)

    @blueprint.get("/mon-espace/identite")
    def proof() -> ResponseReturnValue:
        session = doorway.session()
        if session is None:
            return sign_in_first("citizen.proof")
        return render_template(
            "citizen/proof.html",
            me=session,
            onward=onward_path(),
            wanted=_wanted(),
            franceconnect=services.franceconnect,
            is_linked=_has_franceconnect(services, session),
            form=ActForm(),
        )

    @blueprint.post("/mon-espace/identite")
    def prove_better() -> ResponseReturnValue:
        session = doorway.session()
        if session is None or not ActForm().validate():
            return sign_in_first("citizen.proof")
        onward = url_for("citizen.prove_on", vers=onward_path(), niveau=int(_wanted()))
        return doorway.leave_realm(session, return_path=onward)

    @blueprint.get("/mon-espace/identite/suite")
    def prove_on() -> ResponseReturnValue:
        session = doorway.session()
        if session is None:
            return sign_in_first("citizen.proof")
        return away_or(
            lambda: doorway.depart(
                SamlPurpose.STEP_UP,
                return_path=onward_path(),
                session=session,
                provider=services.franceconnect,
                level=_wanted(),
            )
        )


def _wanted() -> Level:
    """Return the level asked for; whatever else stands there means a confirmed identity."""
    return _LEVELS.get(request.args.get("niveau", ""), Level.ACCOUNT_PROVED)


def _has_franceconnect(services: CitizenServices, session: Session) -> bool:
    logins = services.accounts.of(session).own.logins
    return any(one.alias == services.franceconnect for one in logins)
