"""What telling a realm of a login that was taken away needs: the rows that ask for it, and the realm."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A login as the realm knows it: the provider's ``alias`` and ``subject``, and the person's accounts.

    The first account is the one the login came through; the person may have others, and the realm holds
    the link at one of them.
    """

    alias: str
    subject: str = field(repr=False)
    accounts: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealmEffect:
    """A login taken away that the realm must be told of; ``failures`` were before.

    ``link`` is None when there is nothing to tell: the login came back meanwhile, the person was erased,
    or the login was another realm's.
    """

    id: UUID
    failures: int
    link: Link | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEffect:
    """An effect that has not been carried out yet, as people read it."""

    id: UUID
    status: str
    failures: int
    asked_at: datetime
    next_at: datetime
    fault: str | None


class RealmEffectRows(Protocol):
    """What the realm must still be told, committed with the act that asks for it."""

    def claim(self, issuer: str) -> RealmEffect | None:
        """Take the next effect that is due, for two minutes; None when nothing is."""

    def done(self, effect_id: UUID) -> None:
        """Note that the realm was told."""

    def again(self, effect_id: UUID, *, after: timedelta, fault: str) -> None:
        """Note a failure that passes by itself."""

    def pause(self, effect_id: UUID, *, after: timedelta, fault: str) -> None:
        """Note a refusal that a person must mend; it is tried again now and then all the same."""

    def give_up(self, effect_id: UUID, *, fault: str) -> None:
        """Leave it to a person."""

    def open(self) -> Sequence[OpenEffect]:
        """Return what was not carried out yet, oldest first."""

    def resume(self) -> int:
        """Make everything that is open due now, with all its tries; returns how many there are."""


class RealmAccounts(Protocol):
    """The accounts of the citizens' realm."""

    def take_away(self, link: Link) -> None:
        """Delete a link and end the sessions of its account; what is gone already is well.

        Raises:
            IdentityUnavailableError: the realm does not answer: later.
            IdentityRefusedError: a person must mend our account or its rights.
            IdentityContractBrokenError: what answers is not the realm.
        """
