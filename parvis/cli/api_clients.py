"""Applications that call the API with a token of the realm: put in service, disabled, listed."""

from collections.abc import Sequence

import click

from orchestrator.services.api_clients import SCOPES, ApiClients
from orchestrator.services.ports.api_clients import ApiClient, ClientKind, WantedClient
from orchestrator.store.api_clients import ApiClientTable
from parvis.cli.context import Session, answer, as_json, say, session
from parvis.cli.french import FrenchGroup, MistypedError
from schemas.errors import InvalidPayloadError

_ALL_SCOPES = sorted({scope for scopes in SCOPES.values() for scope in scopes})


@click.group("api-clients", cls=FrenchGroup)
def api_clients() -> None:
    """Les applications qui appellent l'API avec un jeton de Keycloak."""


@api_clients.command("add")
@click.argument("client", metavar="CLIENT")
@click.option("--application", required=True, help="Application de la ville, par exemple portail.")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in ClientKind]),
    required=True,
    help="application : son propre jeton ; citizen : les jetons des citoyens connectés par elle.",
)
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(_ALL_SCOPES),
    multiple=True,
    help="Droit accordé (par défaut : tous ceux de ce genre de client).",
)
@as_json
@session
def add(  # noqa: PLR0913 - one argument per option
    session: Session,
    *,
    client: str,
    application: str,
    kind: str,
    scopes: tuple[str, ...],
    is_json: bool,
) -> None:
    """Met en service un client de Keycloak."""
    wanted = WantedClient(
        client_id=client, application=application, kind=ClientKind(kind), scopes=scopes
    )
    clients = _use_cases(session)
    try:
        clients.add(wanted, actor=session.actor)
    except InvalidPayloadError as error:
        raise MistypedError(" ".join(sentence for _, sentence in error.errors)) from error
    _show([row for row in clients.listed() if row.client_id == client], is_json=is_json)


@api_clients.command("disable")
@click.argument("client", metavar="CLIENT")
@session
def disable(session: Session, *, client: str) -> None:
    """Met un client hors service : ses jetons sont refusés dans la seconde."""
    _use_cases(session).disable(client, actor=session.actor)
    say(f"{client} : hors service.")


@api_clients.command("list")
@as_json
@session
def list_(session: Session, *, is_json: bool) -> None:
    """Liste les clients et leurs droits."""
    _show(_use_cases(session).listed(), is_json=is_json)


def _use_cases(session: Session) -> ApiClients:
    hub = session.hub
    return ApiClients(rows=ApiClientTable(database=hub.database, vault=hub.vault))


def _show(clients: Sequence[ApiClient], *, is_json: bool) -> None:
    if is_json:
        answer([_as_plain(client) for client in clients])
        return
    for client in clients:
        state = "hors service" if client.disabled_at else "en service"
        rights = ", ".join(sorted(client.scopes))
        say(f"{client.client_id} ({client.application}, {client.kind}) : {rights} ; {state}")


def _as_plain(client: ApiClient) -> dict[str, object]:
    return {
        "client_id": client.client_id,
        "application": client.application,
        "kind": client.kind.value,
        "scopes": sorted(client.scopes),
        "added_by": client.added_by,
        "added_at": client.added_at,
        "disabled_at": client.disabled_at,
    }


COMMANDS = (api_clients,)
