"""Members of staff: what their account of the staff realm may do in the console."""

from collections.abc import Sequence
from datetime import datetime

import click

from orchestrator.services.ports.staff import GrantedRole, Role, WantedRole
from orchestrator.services.staff_roles import StaffRoles
from orchestrator.store.staff_roles import StaffRoleTable
from parvis.cli import moments
from parvis.cli.context import Session, answer, as_json, say, session
from parvis.cli.french import FrenchGroup, MistypedError, UnfitValueError
from schemas.errors import InvalidPayloadError

_ROLES = click.Choice([role.value for role in Role])
_NAME = click.argument("name", metavar="COMPTE")


@click.group(cls=FrenchGroup)
def users() -> None:
    """Les agents et leurs rôles dans la console."""


@users.command("grant")
@_NAME
@click.argument("role", metavar="RÔLE", type=_ROLES)
@click.option("--territory", metavar="T", help="Pour un seul territoire.")
@click.option("--until", metavar="DATE", help="Jusqu'à cette date, heure de Paris.")
@session
def grant(
    session: Session, *, name: str, role: str, territory: str | None, until: str | None
) -> None:
    """Donne un rôle au compte COMPTE du royaume des agents."""
    wanted = WantedRole(
        name=name, role=Role(role), territory=territory, until=_moment(until) if until else None
    )
    territories = session.hub.offer.current().territories if territory else ()
    try:
        _use_cases(session).grant(wanted, territories=territories, actor=session.actor)
    except InvalidPayloadError as error:
        raise MistypedError(" ".join(sentence for _, sentence in error.errors)) from error
    say(f"{name} : {role}, dès sa prochaine page ou sa première connexion.")


@users.command("revoke")
@_NAME
@click.argument("role", metavar="[RÔLE]", type=_ROLES, required=False)
@session
def revoke(session: Session, *, name: str, role: str | None) -> None:
    """Retire un rôle, ou tous ; l'effet est immédiat."""
    count = _use_cases(session).revoke(name, Role(role) if role else None, actor=session.actor)
    say(f"{name} : {count} rôle{'s' if count > 1 else ''} en moins.")


@users.command("list")
@as_json
@session
def list_(session: Session, *, is_json: bool) -> None:
    """Liste les rôles donnés."""
    _show(_use_cases(session).granted(), is_json=is_json)


def _use_cases(session: Session) -> StaffRoles:
    hub = session.hub
    return StaffRoles(rows=StaffRoleTable(database=hub.database, vault=hub.vault))


def _moment(text: str) -> datetime:
    try:
        return moments.moment_of(text)
    except ValueError as error:
        raise UnfitValueError("une date, par exemple 2027-06-30", param_hint="--until") from error


def _show(granted: Sequence[GrantedRole], *, is_json: bool) -> None:
    if is_json:
        answer([_as_plain(row) for row in granted])
        return
    for row in granted:
        where = f" ({row.territory})" if row.territory else ""
        state = "fini" if row.is_over else "en service" if row.is_taken else "jamais connecté"
        until = f", jusqu'au {moments.at(row.until)}" if row.until else ""
        say(f"{row.name} : {row.role}{where}{until} ; {state}")


def _as_plain(row: GrantedRole) -> dict[str, object]:
    return {name: getattr(row, name) for name in GrantedRole.__dataclass_fields__}


COMMANDS = (users,)
