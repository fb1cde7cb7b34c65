"""A library card joined to a citizen through an application: the use case of our page, behind a token.

The card's PIN goes through once and is kept nowhere; what is answered is no oracle about cards.
"""

from dataclasses import dataclass
from typing import Final

from orchestrator.services.library_cards import AUTHENTICATE, WITHIN, LibraryCards
from orchestrator.services.ports.library_cards import CardHolder, CardOutcome, TypedCard
from orchestrator.services.ports.portal import TokenCitizen
from schemas.errors import (
    ConflictError,
    InvalidPayloadError,
    PartnerUnavailableError,
    ProofNeededError,
    RateLimitedError,
)

_NOT_OFFERED: Final = "Ce service ne relie pas de carte."
_WRONG: Final = "Cette carte et ce code ne vont pas ensemble."
_EXPIRED: Final = "Le code de cette carte a expiré : la bibliothèque en donne un autre."
_ANOTHER_PLACE: Final = "La personne a déjà une autre inscription dans ce service."
_UNDER_REVIEW: Final = "Un agent doit d'abord regarder ce dossier."
_AGAIN_SECONDS: Final = 60
_CARD, _PIN, _SERVICE = "#/card", "#/pin", "#/service"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalCards:
    """Joins cards for the citizens of tokens."""

    cards: LibraryCards

    def link(self, citizen: TokenCitizen, card: TypedCard) -> None:
        """Join the record behind a card to the citizen.

        Wrong cards are counted by card and by login, not by network: an application calls for all its
        citizens from one place, and one who guesses must not lock out the others.

        Raises:
            ProofNeededError: the library wants a better proof of the person.
            InvalidPayloadError: no library that checks cards, a card and a PIN that do not go together,
                or a PIN that expired.
            RateLimitedError: too many wrong ones.
            ConflictError: another place is there already, or somebody else holds the record.
            PartnerUnavailableError: the library does not answer; no try was counted.
        """
        if all(library.id != card.service_id for library in self.cards.offered()):
            raise InvalidPayloadError(((_SERVICE, _NOT_OFFERED),))
        who = f"login {citizen.login_id}"
        holder = CardHolder(citizen_id=citizen.citizen_id, level=citizen.level, who=who)
        match self.cards.link_for(card, holder=holder, network=who):
            case CardOutcome.LINKED:
                return
            case CardOutcome.NOT_PROVED_ENOUGH:
                raise ProofNeededError("level")
            case CardOutcome.WRONG:
                raise InvalidPayloadError(((_CARD, _WRONG),))
            case CardOutcome.EXPIRED:
                raise InvalidPayloadError(((_PIN, _EXPIRED),))
            case CardOutcome.TOO_MANY_TRIES:
                raise RateLimitedError(int(WITHIN.total_seconds()))
            case CardOutcome.ALREADY_THERE:
                raise ConflictError(_ANOTHER_PLACE)
            case CardOutcome.UNDER_REVIEW:
                raise ConflictError(_UNDER_REVIEW)
            case CardOutcome.UNAVAILABLE:
                raise PartnerUnavailableError(
                    card.service_id, AUTHENTICATE, retry_after=_AGAIN_SECONDS
                )


__all__ = ["PortalCards"]
