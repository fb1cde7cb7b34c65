"""A citizen's own things through an application: the use cases of our pages, behind a token.

The API creates nobody. Whoever never signed in on our pages is refused, and what belongs to somebody
else is not there.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from identity.linking import session_level
from identity.tokens import level_proved
from orchestrator.services.access_codes import LOCKED_FOR, Redemption
from orchestrator.services.api_access import Caller
from orchestrator.services.ports.portal import (
    Citizens,
    CitizensOfTokens,
    PortalSpace,
    TokenCitizen,
)
from schemas import clock
from schemas.errors import (
    AccessRefusedError,
    ConflictError,
    InvalidPayloadError,
    LoginFirstError,
    ProofNeededError,
    RateLimitedError,
    RecentSignInNeededError,
)
from schemas.logins import Level

RECENT: Final = timedelta(minutes=5)
_OPENS_NOTHING: Final = "Ce code n'ouvre rien : il est inconnu, déjà utilisé ou expiré."
_UNREADABLE: Final = "Un code d'accès a 10 caractères, par exemple ABCDE-FGHJK."


_NOT_YET: Final = "Ce code est bon, la préinscription est en cours : recommencez dans un instant."
_ALREADY_THERE: Final = "La personne a déjà sa place dans ce service."
_UNDER_REVIEW: Final = "Un agent doit d'abord regarder ce dossier."
_NO_WAY: Final = "way_unknown"


class CodeNotYetError(ConflictError):
    """The code is good and its run is in hand."""

    retry_after = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CitizenPortal:
    """What an application may do for the citizen of a token."""

    tokens: CitizensOfTokens
    citizens: Citizens
    now: Callable[[], datetime] = clock.utcnow

    def citizen(self, caller: Caller) -> TokenCitizen:
        """Return the citizen of a token.

        Raises:
            LoginFirstError: nobody known signs in under this subject.
            ProofNeededError: this sign-in proved nothing of the person.
        """
        claims = caller.claims
        if claims.subject is None:
            raise LoginFirstError("unknown_citizen")
        found = self.tokens.find(claims.issuer, claims.subject, provider=claims.idp_alias)
        if found is None:
            raise LoginFirstError("unknown_citizen")
        level = session_level(level_proved(claims), found.level)
        if level < Level.CONTACT_PROVED:
            raise ProofNeededError
        return replace(found, level=level, proved_at=claims.authenticated_at)

    def space(self, citizen: TokenCitizen) -> PortalSpace:
        """Return what is the citizen's."""
        return self.citizens.space(citizen)

    def redeem(self, citizen: TokenCitizen, code: str) -> None:
        """Use an access code up for the citizen.

        Wrong codes are counted by login, not by network: an application calls for all its citizens
        from one place, and one who guesses must not lock out the others.

        Raises:
            InvalidPayloadError: no code can look so, or this one opens nothing.
            RateLimitedError: too many wrong ones.
            ProofNeededError: a good code, which stays good: the service wants a better proof.
            ConflictError: a good code, which stays good: not now, or not for this citizen.
        """
        network = f"login {citizen.login_id}"
        match self.citizens.redeem(citizen, code, network=network):
            case Redemption.UNREADABLE:
                raise InvalidPayloadError((("#/code", _UNREADABLE),))
            case Redemption.REFUSED:
                raise InvalidPayloadError((("#/code", _OPENS_NOTHING),))
            case Redemption.TOO_MANY_TRIES:
                raise RateLimitedError(int(LOCKED_FOR.total_seconds()))
            case Redemption.NOT_YET:
                raise CodeNotYetError(_NOT_YET)
            case Redemption.ALREADY_THERE:
                raise ConflictError(_ALREADY_THERE)
            case Redemption.NOT_PROVED_ENOUGH:
                raise ProofNeededError("level")
            case Redemption.UNDER_REVIEW:
                raise ConflictError(_UNDER_REVIEW)

    def close_account(self, citizen: TokenCitizen, account_id: UUID) -> None:
        """Close an account of the citizen, who proved who they are within five minutes."""
        self._check_recent(citizen)
        self.citizens.close_account(citizen, account_id)

    def unlink(self, citizen: TokenCitizen, login_id: UUID) -> None:
        """Take a login of the citizen away, who proved who they are within five minutes."""
        self._check_recent(citizen)
        if citizen.idp_alias is None:  # it could be the very login that proved this
            raise AccessRefusedError(_NO_WAY)
        self.citizens.unlink(citizen, login_id)

    def _check_recent(self, citizen: TokenCitizen) -> None:
        proved_at = citizen.proved_at
        if proved_at is None or self.now() - proved_at > RECENT:
            raise RecentSignInNeededError(int(RECENT.total_seconds()))
