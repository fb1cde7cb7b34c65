"""What the sign-in of staff needs of the store: links that work once, sessions that end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class Role(StrEnum):
    """What a member of staff is in the console."""

    ADMIN = "admin"
    CONNECTOR_MANAGER = "connector_manager"
    LIBRARIAN = "librarian"
    DPO = "dpo"
    OBSERVER = "observer"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleGrant:
    """A role in force, for the whole city or for one territory."""

    role: Role
    territory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRole:
    """A role as somebody grants it to a name of the staff realm."""

    name: str = field(repr=False)
    role: Role
    territory: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedRole:
    """A role granted; ``is_taken`` once somebody signed in under the name."""

    name: str = field(repr=False)
    role: Role
    territory: str | None
    granted_by: str
    granted_at: datetime
    until: datetime | None
    is_taken: bool
    is_over: bool


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


class StaffRoleRows(Protocol):
    """Roles granted to names; every change is written in the journal with it."""

    def grant(self, wanted: WantedRole, *, actor: str) -> bool:
        """Grant a role; False when that name has it for that territory already."""

    def revoke(self, name: str, role: Role | None, *, actor: str) -> int:
        """Take a role of a name back, or all of them; returns how many."""

    def granted(self) -> Sequence[GrantedRole]:
        """Return what is granted and not taken back, by name."""

    def of(self, login_id: UUID) -> Sequence[RoleGrant]:
        """Return the roles in force of whoever signed in so."""
