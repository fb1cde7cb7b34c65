"""Our two authentication flows: what a citizen meets at a first login, and what staff must show.

A flow that was altered is never mended in place, which would leave a moment with half a flow: a new
one is built beside it, everything that used the old one is bound to it, then the old one goes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from identity.keycloak import wanted
from identity.keycloak.api import AdminApi
from identity.keycloak.difference import MARK, Change
from identity.keycloak.objects import NOT_OURS, Realm
from identity.keycloak.wanted import Installation
from schemas import ids
from schemas.logins import Face

REQUIRED: Final = "REQUIRED"
ALTERNATIVE: Final = "ALTERNATIVE"
CONDITIONAL: Final = "CONDITIONAL"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a flow: an authenticator, or steps under a title."""

    what: str
    requirement: str
    steps: tuple["Step", ...] = ()

    @property
    def is_group(self) -> bool:
        """Whether it is only a title over steps."""
        return bool(self.steps)


FIRST_LOGIN: Final = (
    Step(
        "person",
        REQUIRED,
        (
            Step("idp-create-user-if-unique", ALTERNATIVE),
            Step(
                "existing account",
                ALTERNATIVE,
                (
                    Step("idp-confirm-link", REQUIRED),
                    Step("idp-username-password-form", REQUIRED),
                    Step(
                        "second factor",
                        CONDITIONAL,
                        (
                            Step("conditional-user-configured", REQUIRED),
                            Step("auth-otp-form", REQUIRED),
                        ),
                    ),
                ),
            ),
        ),
    ),
)
"""No review of the profile (a citizen would type an e-mail nobody proved), no proof by e-mail (an
identity could use another's), no link without signing in to the existing account."""

SECOND_FACTOR: Final = (
    Step("auth-cookie", ALTERNATIVE),
    Step(
        "forms",
        ALTERNATIVE,
        (Step("auth-username-password-form", REQUIRED), Step("auth-otp-form", REQUIRED)),
    ),
)
"""A one-time password is not optional: who has none yet sets it up at the first login."""

Shape = tuple[tuple[int, str, str], ...]


def shape(steps: tuple[Step, ...], level: int = 0) -> Shape:
    """Return a flow as lines of (level, authenticator or nothing, requirement)."""
    lines: list[tuple[int, str, str]] = []
    for step in steps:
        lines.append((level, "" if step.is_group else step.what, step.requirement))
        lines.extend(shape(step.steps, level + 1))
    return tuple(lines)


def found_shape(api: AdminApi, realm: str, alias: str) -> Shape:
    """Return the lines of a flow as the server has it."""
    found = api.get(f"/{realm}/authentication/flows/{quote(alias)}/executions") or []
    return tuple(
        (int(line["level"]), str(line.get("providerId", "")), str(line["requirement"]))
        for line in found
    )


def description(mark: str) -> str:
    """Return what a flow of ours is described by: flows have no attributes to carry a mark."""
    return f"{MARK}={mark}"


def the_flow(realm: Realm, ours: Installation, face: Face) -> None:
    """Bring our flow of this realm, and bind the staff's one."""
    alias = wanted.FIRST_LOGIN_FLOW if face is Face.CITIZEN else wanted.STAFF_FLOW
    steps = FIRST_LOGIN if face is Face.CITIZEN else SECOND_FACTOR
    there = realm.api.get(f"{realm.path}/authentication/flows") or []
    found = next((flow for flow in there if flow["alias"] == alias), None)
    if found is None:
        realm.note(Change.CREATED, f"parcours de connexion {alias}")
        if realm.is_dry:
            return
        build(realm.api, realm.name, alias, steps=steps, mark=ours.public_url)
    elif found.get("description") not in {description(mark) for mark in realm.marks}:
        realm.note(Change.FOREIGN, f"parcours de connexion {alias}", NOT_OURS)
        return
    else:
        _mend_flow(realm, ours, found, steps=steps)
    if face is Face.CONSOLE:
        _bind_browser(realm, alias)


def build(api: AdminApi, realm: str, alias: str, *, steps: tuple[Step, ...], mark: str) -> None:
    """Make a whole flow under a name that is free."""
    body = {
        "alias": alias,
        "description": description(mark),
        "providerId": "basic-flow",
        "topLevel": True,
        "builtIn": False,
    }
    api.post(f"/{realm}/authentication/flows", body)
    token = ids.new_token()[:6]
    _add(api, realm, alias, steps=steps, token=token)
    _require(api, realm, alias, steps=steps)


def _add(api: AdminApi, realm: str, alias: str, *, steps: tuple[Step, ...], token: str) -> None:
    base = f"/{realm}/authentication/flows/{quote(alias)}/executions"
    for step in steps:
        if not step.is_group:
            api.post(f"{base}/execution", {"provider": step.what})
            continue
        named = f"{alias} {step.what} {token}"  # names are unique in the realm, old flows included
        kind = {"type": "basic-flow", "provider": "basic-flow", "description": ""}
        api.post(f"{base}/flow", {"alias": named, **kind})
        _add(api, realm, named, steps=step.steps, token=token)


def _require(api: AdminApi, realm: str, alias: str, *, steps: tuple[Step, ...]) -> None:
    # a step is born disabled, whatever it was sent with
    path = f"/{realm}/authentication/flows/{quote(alias)}/executions"
    lines: list[dict[str, Any]] = api.get(path) or []
    for line, (_, _, requirement) in zip(lines, shape(steps), strict=True):
        api.put(path, {**line, "requirement": requirement})


def _mend_flow(
    realm: Realm, ours: Installation, found: Mapping[str, Any], *, steps: tuple[Step, ...]
) -> None:
    alias, mark = str(found["alias"]), ours.public_url
    is_same = found_shape(realm.api, realm.name, alias) == shape(steps)
    if is_same and found["description"] == description(mark):
        return
    realm.act(
        f"parcours de connexion {alias}",
        "ses étapes ont été changées : il est refait",
        lambda: _replace_flow(realm, found, steps=steps, mark=mark),
    )


def _replace_flow(
    realm: Realm, found: Mapping[str, Any], *, steps: tuple[Step, ...], mark: str
) -> None:
    alias, base = str(found["alias"]), f"{realm.path}/authentication/flows"
    fresh = f"{alias} nouveau"
    for flow in realm.api.get(base) or []:
        if flow["alias"] == fresh:  # left by a run that was cut short, bound to nothing
            realm.api.delete(f"{base}/{flow['id']}")
    build(realm.api, realm.name, fresh, steps=steps, mark=mark)
    _rebind(realm, before=alias, after=fresh)
    realm.api.delete(f"{base}/{found['id']}")
    made = next(flow for flow in realm.api.get(base) if flow["alias"] == fresh)
    realm.api.put(f"{base}/{made['id']}", {**made, "alias": alias})


def _rebind(realm: Realm, *, before: str, after: str) -> None:
    body = realm.api.get(realm.path)
    if body.get("browserFlow") == before:
        realm.api.put(realm.path, {**body, "browserFlow": after})
    base = f"{realm.path}/identity-provider/instances"
    for provider in realm.api.get(base) or []:
        if provider.get("firstBrokerLoginFlowAlias") == before:
            changed = {**provider, "firstBrokerLoginFlowAlias": after}
            realm.api.put(f"{base}/{provider['alias']}", changed)


def _bind_browser(realm: Realm, alias: str) -> None:
    body = realm.api.get(realm.path)
    if body.get("browserFlow") != alias:
        realm.act(
            f"royaume {realm.name}",
            f"la connexion doit suivre {alias}",
            lambda: realm.api.put(realm.path, {**body, "browserFlow": alias}),
        )
