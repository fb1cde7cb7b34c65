"""A citizen's own things, whoever asks for them: our pages with a session, an application with a token."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from orchestrator.services.access_codes import AccessCodes, Redemption
from orchestrator.services.ports.citizen_space import (
    CitizenSpaceRows,
    CodeHolder,
    ConsentLine,
    LoginChange,
    PreregistrationLine,
    SignedInCodes,
    Unlinking,
)
from orchestrator.services.ports.portal import PortalSpace, TokenCitizen
from orchestrator.services.ports.sign_in import Session
from schemas import clock
from schemas.errors import NotFoundError

RECENT: Final = timedelta(minutes=5)
NEWS: Final = timedelta(days=7)
"""For how long a change of how somebody signs in is told first of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Everything "Mon espace" shows."""

    own: PortalSpace
    preregistrations: Sequence[PreregistrationLine]
    consents: Sequence[ConsentLine]
    login_changes: Sequence[LoginChange]
    has_just_changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CitizenAccounts:
    """Use cases of a signed-in citizen; ``poke`` tells the waker that a run was woken."""

    rows: CitizenSpaceRows
    codes: SignedInCodes
    access_codes: AccessCodes
    poke: Callable[[], None]
    now: Callable[[], datetime] = clock.utcnow

    def of(self, session: Session) -> Space:
        """Return everything that is the citizen's."""
        citizen_id = _citizen(session)
        changes = self.rows.login_changes(citizen_id)
        return Space(
            own=self.rows.space(citizen_id, level=session.level),
            preregistrations=self.rows.preregistrations(citizen_id),
            consents=self.rows.consents(citizen_id),
            login_changes=changes,
            has_just_changed=bool(changes) and self.now() - changes[0].at <= NEWS,
        )

    def redeem(self, session: Session, code: str, *, network: str) -> Redemption:
        """Use an access code up for whoever is signed in."""
        holder = CodeHolder(
            citizen_id=_citizen(session),
            level=session.level,
            who=str(session.id),
            session_id=session.id,
        )
        return self.redeem_for(holder, code, network=network)

    def redeem_for(self, holder: CodeHolder, code: str, *, network: str) -> Redemption:
        """Use an access code up for a citizen."""
        use_up = partial(
            self.codes.redeem,
            citizen_id=holder.citizen_id,
            level=holder.level,
            session_id=holder.session_id,
        )
        outcome = self.access_codes.redeem(code, session=holder.who, network=network, use_up=use_up)
        if outcome is Redemption.REDEEMED:
            self.poke()
        return outcome

    def has_just_proved(self, session: Session) -> bool:
        """Tell whether the person proved who they are within five minutes."""
        return session.proved_at is not None and self.now() - session.proved_at <= RECENT

    def unlink(self, session: Session, login_id: UUID) -> None:
        """Take a login away; the session that asks for it stays.

        Raises:
            NotFoundError: it is not the citizen's.
            ConflictError: it is the last one, or the one that proved this.
        """
        unlinking = Unlinking(
            citizen_id=_citizen(session),
            login_id=login_id,
            session_id=session.id,
            proved_by=session.idp_alias,
        )
        self.rows.unlink(unlinking)

    def close_account(self, session: Session, account_id: UUID) -> None:
        """Close the citizen's place in a service; NotFoundError when it is not theirs."""
        self.rows.close_account(_citizen(session), account_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSpace:
    """The same for an application's calls: what ``ports.portal.Citizens`` asks, but finding who it is."""

    accounts: CitizenAccounts

    def space(self, citizen: TokenCitizen) -> PortalSpace:
        """Return what is the citizen's."""
        return self.accounts.rows.space(citizen.citizen_id, level=citizen.level)

    def redeem(self, citizen: TokenCitizen, code: str, *, network: str) -> Redemption:
        """Use an access code up for the citizen."""
        who = f"login {citizen.login_id}"
        holder = CodeHolder(citizen_id=citizen.citizen_id, level=citizen.level, who=who)
        return self.accounts.redeem_for(holder, code, network=network)

    def close_account(self, citizen: TokenCitizen, account_id: UUID) -> None:
        """Close an account of the citizen."""
        self.accounts.rows.close_account(citizen.citizen_id, account_id)

    def unlink(self, citizen: TokenCitizen, login_id: UUID) -> None:
        """Take a login away."""
        unlinking = Unlinking(
            citizen_id=citizen.citizen_id,
            login_id=login_id,
            session_id=None,
            proved_by=citizen.idp_alias,
        )
        self.accounts.rows.unlink(unlinking)


def _citizen(session: Session) -> UUID:
    if session.citizen_id is None:
        raise NotFoundError
    return session.citizen_id
