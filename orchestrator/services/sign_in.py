"""Signing in and out, for citizens and for staff: one conversation with a realm at a time.

Nothing is remembered by a process. A conversation is a row bound to the browser that began it; an answer
is taken in once, by one transaction that decides who it is and opens the session.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from orchestrator.services.ports.sign_in import (
    FLOOD,
    Arrival,
    AtRealm,
    Outcome,
    SamlRequest,
    ServiceProvider,
    Session,
    SessionOpening,
    SessionRows,
    SignInRows,
)
from schemas import ids
from schemas.errors import IdentityUnavailableError, RateLimitedError, SamlRefusedError
from schemas.keys import HubKeys, keyed_digest
from schemas.logins import Asked, Departure, Face, Level, SamlMessage, SamlPurpose, SignedIn

HOME: Final = "/"
SESSION_LASTS: Final = timedelta(hours=12)
LONGEST_PATH: Final = 512
LONGEST_RELAY: Final = 80
MOST_BAD_ANSWERS: Final = 5
_FORCED: Final = frozenset({SamlPurpose.STEP_UP, SamlPurpose.LINK, SamlPurpose.UNLINK})
_UNOPENED: Final = frozenset({Outcome.UNDER_REVIEW, Outcome.UNPROVED})
_LONGEST_COOKIE: Final = 64
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What an answer led to: the cookie of a new session, if one was opened, and where to go on.

    ``at_realm`` is the realm's own session, which is there whatever we made of the answer.
    """

    cookie: str | None
    return_path: str
    outcome: Outcome
    at_realm: AtRealm


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """The use cases of one face.

    ``provider_now`` returns the service provider with the keys of now; while it returns None nobody can
    sign in and everything else works.
    """

    face: Face
    provider_now: Callable[[], ServiceProvider | None]
    rows: SignInRows
    sessions: SessionRows
    keys: HubKeys

    @property
    def is_open(self) -> bool:
        """Whether a realm is configured for this face."""
        return self.provider_now() is not None

    def metadata(self) -> bytes:
        """Return our description for the realm; raises IdentityUnavailableError when there is none."""
        return self._provider().metadata()

    # --- in ---------------------------------------------------------------------------------------

    def begin(
        self,
        *,
        browser: str,
        purpose: SamlPurpose,
        return_path: str,
        session: Session | None = None,
        provider: str | None = None,
        level: Level = Level.DECLARED,
    ) -> Departure:
        """Begin a conversation; returns where the browser goes.

        ``browser`` is the value of the cookie made for this trip; ``session`` is required for every
        purpose but a first sign-in.

        Raises:
            IdentityUnavailableError: no realm, or one that does not answer.
        """
        if not self._provider().is_there():
            raise IdentityUnavailableError
        relay_key = secrets.token_urlsafe(24)
        is_forced = purpose in _FORCED
        departure = self._provider().ask_login(
            relay_key=relay_key, provider=provider, is_forced=is_forced
        )
        request = SamlRequest(
            id=departure.request_id,
            face=self.face,
            relay_key=relay_key,
            browser=self._digest(b"trip", browser),
            idp=self._provider().idp(),
            purpose=purpose,
            level_wanted=level,
            is_forced=is_forced,
            return_path=safe_path(return_path),
            session_id=session.id if session else None,
        )
        self.rows.depart(request)
        return departure

    def arrive(self, message: SamlMessage, *, browser: str | None, network: str = "") -> Arrived:
        """Take an answer of the realm in; ``network`` is what refusals are counted by.

        Raises:
            SamlRefusedError: it is not trusted, or not this browser's; journalled.
            RateLimitedError: not trusted either, and too many came from there to write each down.
            IdentityUnavailableError: no realm is known.
        """
        try:
            return self._arrive(message, browser, network)
        except SamlRefusedError as error:
            raise self._told(error, network) from error

    def _told(self, error: SamlRefusedError, network: str) -> SamlRefusedError | RateLimitedError:
        """Write a refusal in the log and the journal, within bounds; returns it with its case."""
        case = str(ids.uuid7())
        if not self.rows.refused(error.code, case, network=network):
            return RateLimitedError(int(FLOOD.total_seconds()))
        _log.warning("identity.refused", face=self.face, reason=error.code, case=case)
        return SamlRefusedError(error.code, case=case)

    def _arrive(self, message: SamlMessage, browser: str | None, network: str) -> Arrived:
        asked = self._asked(message)
        answer = self._read(message, asked)
        cookie = secrets.token_urlsafe(32)
        opening = SessionOpening(
            digest=self._digest(b"session", cookie),
            csrf=secrets.token_urlsafe(32),
            lasts=SESSION_LASTS,
        )
        outcome = self.rows.arrive(
            Arrival(
                asked=asked,
                answer=answer,
                browser=self._digest(b"trip", browser or ""),
                opening=opening,
            )
        )
        _log.info("identity.arrived", face=self.face, outcome=outcome.value)
        if outcome is Outcome.UNPROVED:
            self._told(SamlRefusedError("unproved"), network)
        return Arrived(
            cookie=None if outcome in _UNOPENED else cookie,
            return_path=safe_path(asked.return_path),
            outcome=outcome,
            at_realm=AtRealm(name_id=answer.name_id, session_index=answer.session_index),
        )

    def _read(self, message: SamlMessage, asked: SamlRequest) -> SignedIn:
        """Verify an answer; a conversation bears a few bad ones, then it is over."""
        try:
            return self._provider().read_answer(
                message, asked=Asked(request_id=asked.id, relay_key=asked.relay_key)
            )
        except SamlRefusedError:
            self.rows.failed(asked.id, at_most=MOST_BAD_ANSWERS)
            raise

    def _asked(self, message: SamlMessage) -> SamlRequest:
        relay_key = message.relay_state or ""
        known = self.rows.asked(relay_key) if 0 < len(relay_key) <= LONGEST_RELAY else None
        if known is None or known.face is not self.face or known.purpose is SamlPurpose.LOGOUT:
            raise SamlRefusedError("unknown_request")
        return known

    def session(self, cookie: str | None) -> Session | None:
        """Return the live session of a cookie, or None."""
        if not cookie or len(cookie) > _LONGEST_COOKIE or not cookie.isascii():
            return None
        return self.sessions.find(self._digest(b"session", cookie))

    # --- out --------------------------------------------------------------------------------------

    def leave(self, session: Session, *, browser: str, return_path: str = HOME) -> Departure | None:
        """End a session here, then return where the browser goes to end it at the realm.

        None when the realm cannot be told: this session is ended all the same.
        """
        there = self.sessions.at_realm(session.id)
        self.sessions.end(session.id, reason="signed_out")
        return self._ask_logout(there, session.id, browser=browser, return_path=return_path)

    def leave_realm(self, session: Session, *, browser: str, return_path: str) -> Departure | None:
        """End the session at the realm and keep ours: somebody else may then sign in there."""
        there = self.sessions.at_realm(session.id)
        return self._ask_logout(there, session.id, browser=browser, return_path=return_path)

    def part(self, arrived: Arrived, *, browser: str, return_path: str) -> Departure | None:
        """End the realm's session behind an answer that opened none here."""
        return self._ask_logout(arrived.at_realm, None, browser=browser, return_path=return_path)

    def _ask_logout(
        self, there: AtRealm | None, session_id: UUID | None, *, browser: str, return_path: str
    ) -> Departure | None:
        provider = self.provider_now()
        if provider is None or there is None:
            return None
        relay_key = secrets.token_urlsafe(24)
        try:
            departure = provider.ask_logout(
                name_id=there.name_id, session_index=there.session_index, relay_key=relay_key
            )
        except IdentityUnavailableError:
            return None
        request = SamlRequest(
            id=departure.request_id,
            face=self.face,
            relay_key=relay_key,
            browser=self._digest(b"trip", browser),
            idp=provider.idp(),
            purpose=SamlPurpose.LOGOUT,
            level_wanted=Level.DECLARED,
            is_forced=False,
            return_path=safe_path(return_path),
            session_id=session_id,
        )
        self.rows.depart(request)
        return departure

    def logout(self, message: SamlMessage, *, network: str = "") -> str:
        """End the sessions that the realm names; returns where the browser goes with our answer.

        Raises:
            SamlRefusedError: the request is not trusted, or came before; journalled.
            RateLimitedError: so did too many from there.
        """
        provider = self._provider()
        try:
            asked = provider.read_logout(message)
        except SamlRefusedError as error:
            raise self._told(error, network) from error
        if not self.rows.seen(asked):
            raise self._told(SamlRefusedError("replay"), network)
        ended = self.sessions.end_named(asked.name_id, asked.session_index)
        _log.info("identity.logged_out", face=self.face, ended=ended)
        return provider.answer_logout(asked)

    def logout_answered(
        self, message: SamlMessage, *, browser: str | None, network: str = ""
    ) -> str:
        """Return where the browser goes on after a logout; an answer we do not trust proves nothing.

        Nothing depends on it: our session was ended before we asked.
        """
        try:
            answer = self._provider().read_logout_answer(message)
        except SamlRefusedError as error:
            self._told(error, network)
            return HOME
        except IdentityUnavailableError:
            return HOME
        hashed = self._digest(b"trip", browser or "")
        return safe_path(self.rows.answered(answer.in_response_to, browser=hashed) or HOME)

    def _provider(self) -> ServiceProvider:
        provider = self.provider_now()
        if provider is None:
            raise IdentityUnavailableError
        return provider

    def _digest(self, use: bytes, value: str) -> bytes:
        return keyed_digest(self.keys.session, self.face.encode(), use, value.encode())


def safe_path(path: str) -> str:
    """Return a path of ours, or the first page: never another site's address."""
    is_ours = (
        path.startswith("/")
        and not path.startswith(("//", "/\\"))
        and len(path) <= LONGEST_PATH
        and path.isprintable()
        and "\\" not in path
    )
    return path if is_ours else HOME
