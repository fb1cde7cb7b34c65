"""Clients of a realm: whether there is one, and the secrets of those we made, kept by Keycloak alone."""

from identity.keycloak.api import AdminApi
from identity.keycloak.difference import is_marked
from schemas.errors import IdentityRefusedError


def client_known(api: AdminApi, realm: str, name: str) -> bool:
    """Tell whether a realm has a client of that name."""
    found = api.get(f"/{realm}/clients", clientId=name) or []
    return any(one["clientId"] == name for one in found)


def client_secret(
    api: AdminApi, realm: str, name: str, *, mark: str, is_renewed: bool = False
) -> str:
    """Return the secret of a client of ours, after making a new one if so asked.

    Raises:
        IdentityRefusedError: there is no such client of ours, or it has no secret.
    """
    found = api.get(f"/{realm}/clients", clientId=name) or []
    client = next((one for one in found if one["clientId"] == name), None)
    if client is None or not is_marked(client.get("attributes"), {mark}):
        fault = f"le royaume {realm} n'a pas de client « {name[:60]} » fait par Parvis."
        raise IdentityRefusedError(fault)
    path = f"/{realm}/clients/{client['id']}/client-secret"
    if is_renewed:
        api.post(path, None)
    value = (api.get(path) or {}).get("value")
    if client.get("clientAuthenticatorType") != "client-secret" or not value:
        fault = f"le client « {name[:60]} » s'identifie par ses clés : il n'a pas de secret."
        raise IdentityRefusedError(fault)
    return str(value)
