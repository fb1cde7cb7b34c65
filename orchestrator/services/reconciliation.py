"""Do the realm and the hub say the same of people's logins? Differences are listed, nothing is repaired.

The hub's table is the truth, the realm's links are its image; what differs is for a person to judge, and no
e-mail address or name is ever looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from identity.names import is_franceconnect
from orchestrator.services.ports.reconciliation import KnownPeople, KnownPerson, RealmReading


class Differs(StrEnum):
    """How the two differ."""

    ACCOUNT_GONE = "account_gone"
    LINK_ELSEWHERE = "link_elsewhere"
    LINK_GONE = "link_gone"
    ONE_NAME = "one_name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that differs, told by the hub's own row of a login."""

    kind: Differs
    login_id: UUID
    alias: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """Compares both sides, one person at a time."""

    people: KnownPeople
    realm: RealmReading
    issuer: str

    def differences(self) -> Iterator[Difference]:
        """Return what differs; ParvisError when the realm cannot be read."""
        for person in self.people.people(self.issuer):
            yield from self._of(person)

    def _of(self, person: KnownPerson) -> Iterator[Difference]:
        known = frozenset(person.links.values()) | person.resting
        held: set[tuple[str, str]] = set()
        for login_id, account in person.accounts.items():
            found = self.realm.find(account)
            if found is None:
                yield Difference(kind=Differs.ACCOUNT_GONE, login_id=login_id)
                continue
            links = {
                (alias, subject if is_franceconnect(alias) else account)
                for alias, subject in found.links
            }
            held |= links
            if found.is_correlatable:
                yield Difference(kind=Differs.ONE_NAME, login_id=login_id)
            for alias, _ in sorted(links - known):
                yield Difference(kind=Differs.LINK_ELSEWHERE, login_id=login_id, alias=alias)
        for login_id, link in person.links.items():
            if link not in held:
                yield Difference(kind=Differs.LINK_GONE, login_id=login_id, alias=link[0])


__all__ = ["Difference", "Differs", "Reconciliation"]
