"""What a comparison of the hub's logins with the realm's accounts needs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPerson:
    """A citizen's live logins by row: accounts of the realm, and links with providers behind it.

    A link is a provider and its subject for FranceConnect, and the account's id for any other provider.
    ``resting`` are those an agent closed by a merge or a replacement: the realm may keep them.
    """

    accounts: Mapping[UUID, str] = field(repr=False)
    links: Mapping[UUID, tuple[str, str]] = field(repr=False)
    resting: frozenset[tuple[str, str]] = field(repr=False)


class RealmAccount(Protocol):
    """An account as the realm has it."""

    @property
    def links(self) -> frozenset[tuple[str, str]]:
        """Its links: provider and the provider's subject."""

    @property
    def is_correlatable(self) -> bool:
        """Whether it has one name at every service."""


class KnownPeople(Protocol):
    """The hub's side."""

    def people(self, issuer: str) -> Iterator[KnownPerson]:
        """Return everybody who signs in through a realm."""


class RealmReading(Protocol):
    """The realm's side."""

    def find(self, account: str) -> RealmAccount | None:
        """Return an account, or None when the realm has none of that id."""
