"""What the citizens' realm has of people's logins: what it must still be told, and where it differs."""

from typing import Final

import click

from orchestrator.services.ports.realm_effects import OpenEffect
from orchestrator.services.reconciliation import Difference, Differs, Reconciliation
from orchestrator.store.known_people import KnownPeopleReader
from parvis.cli import moments
from parvis.cli.context import Session, answer, as_json, say, session
from parvis.cli.french import FrenchCommand
from parvis.realm_accounts import open_accounts
from parvis.sign_in import realm_of
from schemas.errors import ConfigurationError
from schemas.logins import Face

_STATUS: Final = {
    "waiting": "attend",
    "paused": "en pause, à corriger",
    "stuck": "abandonné, à reprendre",
}
_DIFFERS: Final = {
    Differs.ACCOUNT_GONE: "son compte n'est plus dans Keycloak",
    Differs.LINK_ELSEWHERE: "Keycloak a un lien que Parvis n'a pas : fait ailleurs, ou retrait en attente",
    Differs.LINK_GONE: "Keycloak n'a plus ce lien",
    Differs.ONE_NAME: "le même nom partout (saml.persistent.name.id.for.*) : à supprimer dans Keycloak",
}


@click.command("effects", cls=FrenchCommand)
@click.option("--resume", "is_resumed", is_flag=True, help="Reprend tout de suite ce qui reste.")
@as_json
@session
def effects(session: Session, *, is_resumed: bool, is_json: bool) -> int:
    """Montre ce que Keycloak ne sait pas encore : les connexions retirées dont l'effet attend."""
    rows = session.hub.realm_effects.rows
    if is_resumed:
        rows.resume()
    waiting = rows.open()
    if is_json:
        answer([_effect(each) for each in waiting])
    for each in () if is_json else waiting:
        say(f"{each.id} : {_STATUS[each.status]} depuis le {moments.at(each.asked_at)}")
        say(*([f"    {each.fault}"] if each.fault else []))
    if not waiting and not is_json:
        say("Keycloak sait tout.")
    return int(any(each.status != "waiting" for each in waiting))


@click.command("reconcile", cls=FrenchCommand)
@as_json
@session
def reconcile(session: Session, *, is_json: bool) -> int:
    """Compare les connexions connues de Parvis et celles de Keycloak ; ne corrige rien."""
    hub, issuer = session.hub, realm_of(session.settings, Face.CITIZEN)
    if issuer is None:
        raise ConfigurationError("PARVIS_IDP_URL manque : donnez l'adresse de Keycloak.")
    comparing = Reconciliation(
        people=KnownPeopleReader(database=hub.database, vault=hub.vault),
        realm=open_accounts(session.settings, hub.secrets),
        issuer=issuer,
    )
    count = 0
    for one in comparing.differences():
        count += 1
        if is_json:
            answer({"kind": one.kind, "login": one.login_id, "alias": one.alias})
        else:
            say(_sentence(one))
    if not count and not is_json:
        say("Parvis et Keycloak disent la même chose.")
    return int(count > 0)


def _effect(each: OpenEffect) -> dict[str, object]:
    return {name: getattr(each, name) for name in each.__slots__}


def _sentence(one: Difference) -> str:
    alias = f" ({one.alias})" if one.alias else ""
    return f"connexion {one.login_id}{alias} : {_DIFFERS[one.kind]}"


COMMANDS = (effects, reconcile)
