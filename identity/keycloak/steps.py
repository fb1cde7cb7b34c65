"""The steps of setting up a realm, in their order; each one reads, compares and brings what is missing.

A step that was cut short is simply run again. In a dry run an object whose owner does not exist yet
is not looked for.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from identity.keycloak import wanted
from identity.keycloak.difference import Change, is_marked
from identity.keycloak.objects import REMOVE, Realm, bring_mappers
from identity.keycloak.wanted import Client, Installation
from schemas.logins import Face

_CONTACT: Final = ("email", "firstName", "lastName")
_LINKS_ROLE: Final = "manage-account"


def the_realm(realm: Realm, ours: Installation, face: Face) -> bool:
    """Bring the realm itself; False when the rest of it is not to be looked at."""
    body = wanted.realm(ours, face)
    found = realm.api.get(realm.path)
    realm.bring(
        f"royaume {realm.name}",
        wanted=body,
        found=found,
        create=lambda: realm.api.post("", body),
        update=lambda together: realm.api.put(realm.path, together),
        mark=(found or {}).get("attributes", {}),
    )
    if found is None:
        return not realm.is_dry
    return is_marked(found.get("attributes"), realm.marks)


def profile(realm: Realm, ours: Installation, face: Face) -> None:
    """Declare civil status, which only administrators and mappers may write; ask nobody for an e-mail."""
    if face is Face.CONSOLE:
        return
    path = f"{realm.path}/users/profile"
    found = realm.api.get(path) or {}
    there = {attribute["name"]: attribute for attribute in found.get("attributes", [])}
    body, is_altered = dict(there), False
    for attribute in wanted.profile_attributes(ours):
        name = attribute["name"]
        before = len(realm.findings)
        realm.bring(
            f"profil, champ {name}",
            wanted=attribute,
            found=there.get(name),
            create=lambda: None,
            update=lambda _: None,  # the profile is sent whole, below
            mark=there.get(name, {}).get("annotations") or {},
        )
        told = realm.findings[before:]
        if told and told[-1].change is not Change.FOREIGN:
            body[name], is_altered = {**there.get(name, {}), **attribute}, True
    for name in _CONTACT:
        if body.get(name, {}).get("required"):
            body[name] = {key: value for key, value in body[name].items() if key != "required"}
            realm.note(Change.CHANGED, f"profil, champ {name}", "ne doit pas être obligatoire")
            is_altered = True
    if found.get("unmanagedAttributePolicy") != "ADMIN_VIEW":
        realm.note(Change.CHANGED, "profil", "attributs non déclarés : lecture des administrateurs")
        is_altered = True
    if is_altered and not realm.is_dry:
        sent = {"attributes": list(body.values()), "unmanagedAttributePolicy": "ADMIN_VIEW"}
        realm.api.put(path, {**found, **sent})


def account_console(realm: Realm, face: Face) -> None:
    """Keep citizens from linking and unlinking logins behind our back: that is done on our pages."""
    if face is Face.CONSOLE:
        return
    role = realm.api.get(realm.path)["defaultRole"]
    path = f"{realm.path}/roles-by-id/{role['id']}/composites"
    risky = [one for one in realm.api.get(path) or [] if one["name"] == _LINKS_ROLE]
    if risky:
        detail = f"{_LINKS_ROLE} permettrait de lier et délier sans passer par Parvis"
        realm.act("rôles de tous les usagers", detail, lambda: realm.api.delete(path, risky))
    action = f"{realm.path}/authentication/required-actions/idp_link"
    found = realm.api.get(action)
    if found and found.get("enabled"):
        off = {**found, "enabled": False}
        realm.act("action idp_link", "doit être éteinte", lambda: realm.api.put(action, off))


def scopes(realm: Realm, ours: Installation, face: Face) -> None:
    """Bring the client scope that callers of the API carry."""
    if face is Face.CONSOLE:
        return
    there = {scope["name"]: scope for scope in realm.api.get(f"{realm.path}/client-scopes") or []}
    for body, mappers in wanted.scopes(ours):
        found, what = there.get(body["name"]), f"portée {body['name']}"
        models = [mapper.representation() for mapper in mappers]
        whole = {**body, "protocolMappers": models}
        is_ours = realm.bring(
            what,
            wanted=body,
            found=found,
            create=partial(realm.api.post, f"{realm.path}/client-scopes", whole),
            update=lambda together: realm.api.put(
                f"{realm.path}/client-scopes/{together['id']}", _without_mappers(together)
            ),
            mark=(found or {}).get("attributes", {}),
        )
        if is_ours and found:
            path = f"{realm.path}/client-scopes/{found['id']}/protocol-mappers/models"
            bring_mappers(realm, what, path=path, wanted=models)
    _left_over(realm, "portée", there.values(), {body["name"] for body, _ in wanted.scopes(ours)})


def clients(realm: Realm, ours: Installation, face: Face) -> None:
    """Bring each client with its mappers, roles and default scopes."""
    for client in wanted.clients(ours, face):
        if not _client(realm, client):
            continue
        found = realm.client(client.name)
        if found is None:
            continue
        path = f"{realm.path}/clients/{found['id']}"
        if client.mappers or found["protocol"] == "saml":
            models = [mapper.representation() for mapper in client.mappers]
            at = f"{path}/protocol-mappers/models"
            bring_mappers(realm, f"client {client.name}", path=at, wanted=models)
        _roles(realm, client, path)
        _default_scopes(realm, client, path)
    known = {client.name for client in wanted.clients(ours, face)}
    _left_over(realm, "client", realm.clients().values(), known)


def _without_mappers(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "protocolMappers"}


def _left_over(realm: Realm, kind: str, there: Any, known: set[str]) -> None:
    for found in there:
        name = found.get("clientId") or found["name"]
        if name not in known and is_marked(found.get("attributes"), realm.marks):
            realm.note(Change.LEFT_OVER, f"{kind} {name}", REMOVE)


def _client(realm: Realm, client: Client) -> bool:
    found = realm.client(client.name)
    models = [mapper.representation() for mapper in client.mappers]
    whole = {**client.body, "protocolMappers": models} if models else client.body
    return realm.bring(
        f"client {client.name}",
        wanted=client.body,
        found=found,
        create=lambda: realm.api.post(f"{realm.path}/clients", whole),
        update=lambda together: realm.api.put(
            f"{realm.path}/clients/{together['id']}", _without_mappers(together)
        ),
        mark=(found or {}).get("attributes", {}),
    )


def _roles(realm: Realm, client: Client, path: str) -> None:
    if not client.roles:
        return
    there = {role["name"]: role for role in realm.api.get(f"{path}/roles") or []}
    for name, description in client.roles:
        body = {"name": name, "description": description}
        realm.bring(
            f"client {client.name}, rôle {name}",
            wanted=body,
            found=there.get(name),
            create=partial(realm.api.post, f"{path}/roles", body),
            update=lambda together: realm.api.put(
                f"{path}/roles/{quote(together['name'], safe='')}", together
            ),
        )


def _default_scopes(realm: Realm, client: Client, path: str) -> None:
    if not client.scopes:
        return
    there = {scope["name"] for scope in realm.api.get(f"{path}/default-client-scopes") or []}
    ids = {scope["name"]: scope["id"] for scope in realm.api.get(f"{realm.path}/client-scopes")}
    for name in client.scopes:
        if name not in there and (name in ids or realm.is_dry):
            realm.act(
                f"client {client.name}",
                f"la portée {name} doit y être par défaut",
                partial(realm.api.put, f"{path}/default-client-scopes/{ids.get(name)}"),
            )
