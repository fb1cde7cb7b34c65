"""What the sign-in of staff needs of the store: links that work once, sessions that end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffSession:
    """A staff member's open session; ``csrf`` is the token its forms carry."""

    actor: str
    csrf: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A session about to be opened: the digest of its cookie and how long it may last."""

    digest: bytes
    csrf: str
    lasts: timedelta


class StaffRows(Protocol):
    """Sign-in links and sessions; neither a token nor a cookie is ever stored."""

    def add_link(self, digest: bytes, *, actor: str, lasts: timedelta) -> None:
        """Keep a link."""

    def is_live(self, digest: bytes) -> bool:
        """Tell whether a link may still be used."""

    def redeem(self, digest: bytes, session: NewSession) -> str | None:
        """Use a live link up and open the session, both or neither; returns its actor."""

    def session(self, digest: bytes, *, idle: timedelta) -> StaffSession | None:
        """Return a session that is neither ended nor idle for too long, and note it was seen."""

    def end(self, digest: bytes) -> None:
        """Close a session."""

    def forget_ended(self, *, idle: timedelta) -> int:
        """Delete the sessions and links nobody can use any more; returns how many rows went."""
