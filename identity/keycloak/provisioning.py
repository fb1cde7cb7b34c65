"""Both realms brought to what this installation wants: read, compare, bring, read again.

Idempotent and resumable: a second run changes nothing, a run that was cut short is run again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from identity.keycloak import brokers, flows, rights, steps
from identity.keycloak.api import MASTER, AdminApi
from identity.keycloak.difference import Change, Finding
from identity.keycloak.objects import Realm
from identity.keycloak.wanted import Installation
from schemas.errors import (
    IdentityContractBrokenError,
    IdentityRefusedError,
    IdentityUnavailableError,
    ParvisError,
)
from schemas.logins import Face

STEPS: Final[tuple[tuple[str, Callable[[Realm, Installation, Face], None]], ...]] = (
    ("profil", steps.profile),
    ("comptes", lambda realm, _, face: steps.account_console(realm, face)),
    ("portées", steps.scopes),
    ("clients", steps.clients),
    ("parcours de connexion", flows.the_flow),
    ("fournisseurs", brokers.providers),
    ("droits", rights.rights),
)
_RESERVED: Final = (
    f"le royaume {MASTER} est réservé à Keycloak, et usagers et agents ont chacun le leur : "
    "changez PARVIS_IDP_REALM ou PARVIS_IDP_STAFF_REALM."
)
_OPEN: Final = (Change.CREATED, Change.CHANGED)


@dataclass(frozen=True, slots=True)
class Stopped:
    """Where a run stopped, and why."""

    step: str
    error: ParvisError


@dataclass(frozen=True, slots=True)
class Report:
    """What differed, in the order it was found; ``stopped`` when the run did not reach its end."""

    findings: tuple[Finding, ...]
    stopped: Stopped | None = None

    def of(self, *changes: Change) -> tuple[Finding, ...]:
        """Return the findings of some kinds."""
        return tuple(finding for finding in self.findings if finding.change in changes)

    @property
    def untouched(self) -> tuple[Finding, ...]:
        """Objects of others in the way, which a person must look at."""
        return self.of(Change.FOREIGN)

    @property
    def is_as_wanted(self) -> bool:
        """Whether nothing differs; what this server cannot have does not count."""
        return self.stopped is None and all(
            finding.change is Change.SKIPPED for finding in self.findings
        )


class Provisioning:
    """Sets up the realms; ``apis`` gives for each realm who speaks to it."""

    def __init__(self, ours: Installation, apis: Mapping[str, AdminApi]) -> None:
        if MASTER in {ours.citizens, ours.staff} or ours.citizens == ours.staff:
            raise IdentityRefusedError(_RESERVED)
        self._ours = ours
        self._apis = apis

    def check(self) -> Report:
        """Tell what differs; nothing is sent but reads."""
        return self._run(is_dry=True)

    def apply(self) -> Report:
        """Bring what differs, then read everything again: what was not kept is an error."""
        done = self._run(is_dry=False)
        if done.stopped is not None:
            return done
        unkept = self._run(is_dry=True)
        return Report(done.findings, unkept.stopped or _unkept(unkept.of(*_OPEN)))

    def _run(self, *, is_dry: bool) -> Report:
        findings: list[Finding] = []
        for face in Face:
            name = self._ours.realm(face)
            if name not in self._apis:
                continue
            realm = Realm(
                api=self._apis[name],
                name=name,
                marks=self._ours.marks,
                is_dry=is_dry,
                findings=findings,
            )
            stopped = self._face(realm, face)
            if stopped is not None:
                return Report(tuple(findings), stopped)
        return Report(tuple(findings))

    def _face(self, realm: Realm, face: Face) -> Stopped | None:
        step = "royaume"
        try:
            if not steps.the_realm(realm, self._ours, face):
                return None
            for step, bring in STEPS:  # noqa: B007 - told when it stops
                bring(realm, self._ours, face)
            if self._ours.reads_our_metadata and not realm.is_dry:
                # it keeps a description for a day: a new certificate would be strange to it
                realm.api.post(f"{realm.path}/clear-keys-cache", None)
        except (
            IdentityUnavailableError,
            IdentityRefusedError,
            IdentityContractBrokenError,
        ) as error:
            return Stopped(f"{realm.name}, {step}", error)
        except (KeyError, TypeError, AttributeError, StopIteration) as error:
            detail = f"une réponse n'a pas la forme attendue ({type(error).__name__})."
            broken = IdentityContractBrokenError(detail)
            broken.__cause__ = error
            return Stopped(f"{realm.name}, {step}", broken)
        return None


def _unkept(findings: Iterable[Finding]) -> Stopped | None:
    names = ", ".join(f"{finding.realm} : {finding.what}" for finding in findings)
    if not names:
        return None
    detail = f"Keycloak a accepté sans le garder : {names}. Cette version agit autrement."
    return Stopped("relecture", IdentityContractBrokenError(detail))
