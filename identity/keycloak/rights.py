"""The step that gives service accounts their rights: exactly those wanted, in the account and in its tokens.

With Full Scope off, a role granted to an account is in none of its tokens until the client's scope
mappings have it too.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from identity.keycloak import wanted
from identity.keycloak.api import ADMIN_SCOPE
from identity.keycloak.difference import Change, is_marked
from identity.keycloak.objects import Realm, bring_names
from identity.keycloak.wanted import Client, Installation
from schemas.logins import Face


def rights(realm: Realm, ours: Installation, face: Face) -> None:
    """Bring the roles of service accounts, in the account and in its tokens, to exactly the wanted ones."""
    for client in wanted.clients(ours, face):
        found = realm.client(client.name)
        if (
            not client.rights
            or found is None
            or not is_marked(found.get("attributes"), realm.marks)
        ):
            continue
        account = realm.api.get(f"{realm.path}/clients/{found['id']}/service-account-user") or {}
        for owner, roles in client.rights:
            _rights_of(realm, client, found=found, account=account, owner=owner, roles=roles)
        _no_other_rights(realm, client, found=found, account=account)
        if client.name in {wanted.PROVISIONING, wanted.RUNTIME}:
            _admin_scope(realm, client, found)
    _no_admin_groups(realm)


def _rights_of(
    realm: Realm,
    client: Client,
    *,
    found: Mapping[str, Any],
    account: Mapping[str, Any],
    owner: str,
    roles: tuple[str, ...],
) -> None:
    owning = realm.client(owner)
    if owning is None:
        return  # a dry run before the client exists
    models = realm.api.get(f"{realm.path}/clients/{owning['id']}/roles") or []
    by_name = {role["name"]: role for role in models}
    places = {
        "rôles du compte": f"{realm.path}/users/{account['id']}/role-mappings",
        "rôles de ses jetons": f"{realm.path}/clients/{found['id']}/scope-mappings",
    }
    for title, place in places.items():
        path = f"{place}/clients/{owning['id']}"
        bring_names(
            realm,
            f"client {client.name}, {title}",
            wanted=roles,
            found=[role["name"] for role in realm.api.get(path) or []],
            add=partial(_send_roles, realm.api.post, path, by_name),
            remove=partial(_send_roles, realm.api.delete, path, by_name),
        )


def _send_roles(
    send: Callable[[str, object], object],
    path: str,
    by_name: Mapping[str, Any],
    names: list[str],
) -> None:
    send(path, [by_name[name] for name in names])


def _no_other_rights(
    realm: Realm, client: Client, *, found: Mapping[str, Any], account: Mapping[str, Any]
) -> None:
    known = {owner for owner, _ in client.rights}
    path = f"{realm.path}/users/{account['id']}/role-mappings"
    for place, title in (
        (path, "rôles du compte"),
        (f"{realm.path}/clients/{found['id']}/scope-mappings", "rôles de ses jetons"),
    ):
        held = (realm.api.get(place) or {}).get("clientMappings", {})
        for owner, mapping in held.items():
            if owner in known:
                continue
            at, roles = f"{place}/clients/{mapping['id']}", mapping["mappings"]
            realm.act(
                f"client {client.name}, {title}",
                f"{', '.join(role['name'] for role in roles)} de {owner} en trop",
                partial(realm.api.delete, at, roles),
            )


def _admin_scope(realm: Realm, client: Client, found: Mapping[str, Any]) -> None:
    # from 26.8.2 the Admin API refuses a token without it; an older server has no such scope
    there = realm.api.get(f"{realm.path}/client-scopes") or []
    scope = next((one for one in there if one["name"] == ADMIN_SCOPE), None)
    what = f"client {client.name}, portée {ADMIN_SCOPE}"
    if scope is None:
        realm.note(Change.SKIPPED, what, "ce serveur (avant 26.8.2) n'en a pas : rien à faire.")
        return
    path = f"{realm.path}/clients/{found['id']}/default-client-scopes"
    if ADMIN_SCOPE not in {one["name"] for one in realm.api.get(path) or []}:
        realm.act(what, "doit y être par défaut", lambda: realm.api.put(f"{path}/{scope['id']}"))


def _no_admin_groups(realm: Realm, parent: str | None = None) -> None:
    # who may manage users may join a group: a group with an administrator's role is a way up
    at = f"{realm.path}/groups/{parent}/children" if parent else f"{realm.path}/groups"
    for group in realm.api.get(at, briefRepresentation="false", max="10000") or []:
        roles = group.get("clientRoles", {}).get(wanted.MANAGEMENT, [])
        if roles:
            realm.note(
                Change.FOREIGN,
                f"groupe {group['name']}",
                f"il donne {', '.join(roles)}, que {wanted.RUNTIME} pourrait prendre en le "
                "rejoignant : retirez ce rôle du groupe.",
            )
        if group.get("subGroupCount"):
            _no_admin_groups(realm, group["id"])
