"""A better proof of who somebody is, asked of them in the middle of what they do.

Who only proved a contact leaves the realm first, as for another login: the browser may be sent to somebody
the realm knows by another account.
"""

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from orchestrator.services.sign_in import safe_path
from schemas.logins import Level, SamlPurpose
from web.citizen.departures import ActForm, away_or, sign_in_first
from web.citizen.services import CitizenServices
from web.layout.saml_views import Doorway


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
            onward=_onward(),
            is_proved=session.level >= Level.ACCOUNT_PROVED,
            franceconnect=services.franceconnect,
            is_linked=any(
                one.alias == services.franceconnect
                for one in services.accounts.of(session).own.logins
            ),
            form=ActForm(),
        )

    @blueprint.post("/mon-espace/identite")
    def prove_better() -> ResponseReturnValue:
        session = doorway.session()
        if session is None or not ActForm().validate():
            return sign_in_first("citizen.proof")
        return doorway.leave_realm(session, return_path=url_for("citizen.prove_on", vers=_onward()))

    @blueprint.get("/mon-espace/identite/suite")
    def prove_on() -> ResponseReturnValue:
        session = doorway.session()
        if session is None:
            return sign_in_first("citizen.proof")
        return away_or(
            lambda: doorway.depart(
                SamlPurpose.STEP_UP,
                return_path=_onward(),
                session=session,
                provider=services.franceconnect,
                level=Level.ACCOUNT_PROVED,
            )
        )


def _onward() -> str:
    return safe_path(request.args.get("vers") or url_for("citizen.space"))
