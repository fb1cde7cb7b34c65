"""A library card joined to a citizen's space, proved by the password that the library itself checks.

The password goes through once and is kept nowhere. Libraries lock a card after some failures, so wrong
tries are limited per card too: nobody locks a neighbour's card from here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from orchestrator.services.access_codes import bucket_of
from orchestrator.services.ports.library import Attempts, Limit
from orchestrator.services.ports.library_cards import (
    CardHolder,
    CardOutcome,
    CardRows,
    ProvedRecord,
    TypedCard,
)
from orchestrator.services.ports.running import PartnerGateway, ServiceRef
from orchestrator.services.ports.sign_in import Session
from schemas import ids
from schemas.commands import Command
from schemas.errors import PartnerError
from schemas.keys import HubKeys
from schemas.logins import Level
from schemas.receipts import Exchange, Receipt

AUTHENTICATE: Final = "authenticate"
PURPOSE: Final = "library.card"
WITHIN: Final = timedelta(hours=1)
_GUESSES: Final = frozenset({CardOutcome.WRONG, CardOutcome.EXPIRED})
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLimits:
    """How many wrong cards are borne in an hour."""

    per_card: int = 3
    per_session: int = 5
    per_network: int = 10
    overall: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryCards:
    """Joins cards; ``libraries`` are those of the city, ``keep`` notes what was exchanged, without bodies."""

    libraries: Callable[[], Sequence[ServiceRef]]
    gateway: PartnerGateway
    rows: CardRows
    attempts: Attempts
    keys: HubKeys
    keep: Callable[[str, Sequence[Exchange]], None]
    limits: CardLimits = CardLimits()

    def offered(self) -> Sequence[ServiceRef]:
        """Return the libraries whose system can check a card."""
        return [each for each in self.libraries() if self.gateway.can(each, AUTHENTICATE)]

    def link(self, card: TypedCard, *, session: Session, network: str) -> CardOutcome:
        """Join the record behind a card to the citizen who is signed in."""
        holder = CardHolder(
            citizen_id=session.citizen_id,
            level=session.level,
            who=str(session.id),
            session_id=session.id,
        )
        return self.link_for(card, holder=holder, network=network)

    def link_for(self, card: TypedCard, *, holder: CardHolder, network: str) -> CardOutcome:
        """Join the record behind a card to its holder, once the library said it is theirs.

        The try is counted before the library is asked and given back unless the card was wrong.
        """
        library = next((each for each in self.offered() if each.id == card.service_id), None)
        if holder.citizen_id is None or holder.level < Level.CONTACT_PROVED:
            return CardOutcome.NOT_PROVED_ENOUGH
        if library is None:
            return CardOutcome.UNAVAILABLE
        limits = self._limits(card, holder.who, network)
        if self.attempts.take(limits):
            return CardOutcome.TOO_MANY_TRIES
        receipt = self._asked(library, card)
        outcome = _verdict(receipt)
        if outcome not in _GUESSES:
            self.attempts.give_back(limits)
        if receipt is None or receipt.external_ref is None:
            return outcome
        reference = receipt.external_ref
        return self.rows.link(
            ProvedRecord(
                citizen_id=holder.citizen_id,
                service_id=library.id,
                reference=reference,
                level=holder.level,
                session_id=holder.session_id,
            )
        )

    def _asked(self, library: ServiceRef, card: TypedCard) -> Receipt | None:
        """Return what the library says, or None when it cannot be asked now."""
        log: list[Exchange] = []
        command = Command(
            key=f"{ids.uuid7()}:card",
            operation=AUTHENTICATE,
            data={"card_number": card.number, "password": card.password},
            pseudonym="",
            purpose=PURPOSE,
            binding=library.binding,
        )
        try:
            return self.gateway.call(library, command, log)
        except PartnerError as error:
            _log.warning("card.not_checked", service=library.id, error=type(error).__name__)
            return None
        finally:
            self.keep("card", log)

    def _limits(self, card: TypedCard, session: str, network: str) -> tuple[Limit, ...]:
        asked = (
            ("card.card", f"{card.service_id} {card.number}", self.limits.per_card),
            ("card.session", session, self.limits.per_session),
            ("card.network", network, self.limits.per_network),
            ("card.overall", "", self.limits.overall),
        )
        return tuple(bucket_of(self.keys, *one, within=WITHIN) for one in asked)


def _verdict(receipt: Receipt | None) -> CardOutcome:
    if receipt is None:
        return CardOutcome.UNAVAILABLE
    if receipt.data.get("is_proved") is True and receipt.external_ref is not None:
        return CardOutcome.LINKED
    return CardOutcome.EXPIRED if receipt.data.get("is_expired") else CardOutcome.WRONG


__all__ = ["CardLimits", "CardOutcome", "LibraryCards", "TypedCard"]
