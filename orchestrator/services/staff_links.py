"""Staff sign-in by a link that works once: the console's door while there is no other.

The token of a link and the cookie of a session exist on the reader's side only; the tables hold
keyed digests. Opening a link shows a button and nothing more, so that a preview does not use it up.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from orchestrator.services.ports.staff import NewSession, StaffRows, StaffSession
from schemas.keys import HubKeys, keyed_digest

LINK_LASTS: Final = timedelta(minutes=15)
IDLE: Final = timedelta(minutes=30)
SESSION_LASTS: Final = timedelta(hours=12)
_LONGEST: Final = 64
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffLinks:
    """Makes links, turns one into a session, and looks after sessions."""

    rows: StaffRows
    keys: HubKeys

    def create(self, actor: str) -> str:
        """Return the path of a new link for ``actor``; it works once, within 15 minutes."""
        token = secrets.token_urlsafe(32)
        self.rows.add_link(self._digest(b"console link", token), actor=actor, lasts=LINK_LASTS)
        _log.info("staff.link_made")
        return f"/console/entree/{token}"

    def is_live(self, token: str) -> bool:
        """Tell whether a link may still be used; changes nothing."""
        return _may_be_ours(token) and self.rows.is_live(self._digest(b"console link", token))

    def redeem(self, token: str) -> str | None:
        """Use a link up and return the cookie of the session it opens, None when it is spent."""
        if not _may_be_ours(token):
            return None
        cookie = secrets.token_urlsafe(32)
        session = NewSession(
            digest=self._digest(b"console session", cookie),
            csrf=secrets.token_urlsafe(32),
            lasts=SESSION_LASTS,
        )
        actor = self.rows.redeem(self._digest(b"console link", token), session)
        _log.info("staff.signed_in" if actor else "staff.link_refused")
        return cookie if actor else None

    def session(self, cookie: str | None) -> StaffSession | None:
        """Return the session of a cookie: at most 30 minutes idle, 12 hours in all."""
        if not cookie or not _may_be_ours(cookie):
            return None
        return self.rows.session(self._digest(b"console session", cookie), idle=IDLE)

    def sign_out(self, cookie: str) -> None:
        """End the session of a cookie."""
        if _may_be_ours(cookie):
            self.rows.end(self._digest(b"console session", cookie))

    def forget_ended(self) -> int:
        """Delete what nobody can use any more; returns how many rows went."""
        return self.rows.forget_ended(idle=IDLE)

    def _digest(self, use: bytes, value: str) -> bytes:
        return keyed_digest(self.keys.session, use, value.encode())


def _may_be_ours(value: str) -> bool:
    return 0 < len(value) <= _LONGEST and value.isascii()
