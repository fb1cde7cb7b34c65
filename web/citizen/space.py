"""Mon espace: what is the citizen's, and what they may join to it or take away."""

from uuid import UUID

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from orchestrator.services.access_codes import Redemption
from orchestrator.services.ports.sign_in import Session
from schemas.errors import ConflictError
from schemas.logins import SamlPurpose
from web.citizen.departures import ActForm, away_or, onward_path, prove_first, sign_in_first
from web.citizen.forms import AccessCodeForm
from web.citizen.services import CitizenServices
from web.citizen.sign_in import LeaveForm
from web.citizen.words import code_sentence
from web.layout.network import client_network
from web.layout.saml_views import Doorway


def add_pages(blueprint: Blueprint, services: CitizenServices) -> None:
    """Add the citizen's own pages; each asks for a session first."""
    doorway = Doorway(sign_in=services.sign_in)
    accounts = services.accounts

    @blueprint.get("/mon-espace")
    def space() -> ResponseReturnValue:
        session = doorway.session()
        if session is None:
            return sign_in_first("citizen.space")
        page = render_template(
            "citizen/space.html",
            space=accounts.of(session),
            me=session,
            franceconnect=services.franceconnect,
            has_cards=bool(services.cards.offered()),
            form_leave=LeaveForm(),
            form_act=ActForm(),
        )
        return make_response(page)

    @blueprint.get("/mon-espace/code")
    def space_code() -> ResponseReturnValue:
        if doorway.session() is None:
            return sign_in_first("citizen.space_code")
        return render_template("citizen/space_code.html", form=AccessCodeForm())

    @blueprint.post("/mon-espace/code")
    def space_redeem() -> ResponseReturnValue:
        session = doorway.session()
        if session is None or session.citizen_id is None:
            return sign_in_first("citizen.space_code")
        form = AccessCodeForm()
        if not form.validate():
            return render_template("citizen/space_code.html", form=form), 422
        outcome = accounts.redeem(session, str(form.code.data), network=client_network())
        if outcome is Redemption.REDEEMED:
            return redirect(url_for("citizen.space", code="ajoute"), 303)
        if outcome is Redemption.NOT_PROVED_ENOUGH:
            return prove_first(session, "citizen.space_code")
        form.code.errors = [code_sentence(outcome)]
        status = 429 if outcome is Redemption.TOO_MANY_TRIES else 422
        return render_template("citizen/space_code.html", form=form), status

    @blueprint.post("/mon-espace/relier")
    def link() -> ResponseReturnValue:
        session = doorway.session()
        if session is None or not ActForm().validate():
            return sign_in_first("citizen.space")
        onward = request.args.get("vers")
        return doorway.leave_realm(session, return_path=url_for("citizen.link_on", vers=onward))

    @blueprint.get("/mon-espace/relier/suite")
    def link_on() -> ResponseReturnValue:
        session = doorway.session()
        if session is None:
            return sign_in_first("citizen.space")
        onward = onward_path() if "vers" in request.args else url_for("citizen.space", relie="")
        return away_or(
            lambda: doorway.depart(
                SamlPurpose.LINK,
                return_path=onward,
                session=session,
                provider=_other_way(services, session),
            )
        )

    @blueprint.get("/mon-espace/connexions/<uuid:login_id>")
    def login(login_id: UUID) -> ResponseReturnValue:
        session = doorway.session()
        if session is None:
            return sign_in_first("citizen.space")
        return _login_page(services, session, login_id)

    @blueprint.post("/mon-espace/connexions/<uuid:login_id>/preuve")
    def prove(login_id: UUID) -> ResponseReturnValue:
        session = doorway.session()
        if session is None or not ActForm().validate():
            return sign_in_first("citizen.space")
        back = url_for("citizen.login", login_id=login_id)
        provider = services.franceconnect if _is_franceconnect(services, session) else None
        return away_or(
            lambda: doorway.depart(
                SamlPurpose.UNLINK, return_path=back, session=session, provider=provider
            )
        )

    @blueprint.post("/mon-espace/connexions/<uuid:login_id>/retrait")
    def unlink(login_id: UUID) -> ResponseReturnValue:
        session = doorway.session()
        if session is None or not ActForm().validate():
            return sign_in_first("citizen.space")
        if not accounts.has_just_proved(session):
            return redirect(url_for("citizen.login", login_id=login_id), 303)
        try:
            accounts.unlink(session, login_id)
        except ConflictError:
            return _login_page(services, session, login_id, is_refused=True)
        return redirect(url_for("citizen.space", retire=""), 303)


def _login_page(
    services: CitizenServices, session: Session, login_id: UUID, *, is_refused: bool = False
) -> ResponseReturnValue:
    """Return the page of one login, with the button that takes it away once the person proved who they are."""
    space = services.accounts.of(session)
    found = next((one for one in space.own.logins if one.id == login_id), None)
    if found is None:
        return redirect(url_for("citizen.space"), 303)
    page = render_template(
        "citizen/login.html",
        login=found,
        is_last=len(space.own.logins) < 2,
        is_current=found.alias == session.idp_alias,
        has_proved=services.accounts.has_just_proved(session),
        is_refused=is_refused,
        form=ActForm(),
        franceconnect=services.franceconnect,
    )
    return make_response(page, 409 if is_refused else 200)


def _other_way(services: CitizenServices, session: Session) -> str | None:
    """Return the alias to offer at once: FranceConnect, unless the person came by it."""
    return None if _is_franceconnect(services, session) else services.franceconnect


def _is_franceconnect(services: CitizenServices, session: Session) -> bool:
    return services.franceconnect is not None and session.idp_alias == services.franceconnect
