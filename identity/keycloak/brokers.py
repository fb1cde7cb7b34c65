"""The step that brings identity providers behind the citizens' realm."""

from collections.abc import Mapping
from typing import Any

from identity.keycloak import wanted
from identity.keycloak.difference import Change, is_marked
from identity.keycloak.objects import REMOVE, Realm, bring_mappers
from identity.keycloak.providers import Provider
from identity.keycloak.wanted import Installation
from schemas.logins import Face


def providers(realm: Realm, ours: Installation, face: Face) -> None:
    """Bring the identity providers given; without any, those that are there are left alone."""
    if face is Face.CONSOLE or not ours.providers:
        return
    base = f"{realm.path}/identity-provider/instances"
    for provider in ours.providers:
        _provider(realm, ours, provider, base=base)
    known = {provider.alias for provider in ours.providers}
    for found in realm.api.get(base) or []:
        if found["alias"] not in known and is_marked(found.get("config"), realm.marks):
            realm.note(Change.LEFT_OVER, f"fournisseur {found['alias']}", REMOVE)


def _provider(realm: Realm, ours: Installation, provider: Provider, *, base: str) -> None:
    path = f"{base}/{provider.alias}"
    found = realm.api.get(path)
    body = provider.representation(mark=ours.public_url, flow=wanted.FIRST_LOGIN_FLOW)
    secret = {"clientSecret": provider.secret}

    def sent(together: Mapping[str, Any]) -> dict[str, Any]:
        return {**together, "config": {**together["config"], **secret}}

    what = f"fournisseur {provider.alias}"
    is_ours = realm.bring(
        what,
        wanted=body,
        found=found,
        create=lambda: realm.api.post(base, sent(body)),
        update=lambda together: realm.api.put(path, sent(together)),
        mark=(found or {}).get("config", {}),
    )
    if is_ours and (found or not realm.is_dry):
        bring_mappers(realm, what, path=f"{path}/mappers", wanted=provider.mappers())
