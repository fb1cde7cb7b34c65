"""Who is at the console: whoever the staff realm vouched for, or whoever used the link of an emergency."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from orchestrator.services.ports.sign_in import Session
from orchestrator.services.ports.staff import Role, RoleGrant, StaffRoleRows
from orchestrator.services.sign_in import SignIn
from orchestrator.services.staff_links import StaffLinks
from orchestrator.services.staff_rights import Operation, may

_EMERGENCY: Final = (RoleGrant(role=Role.ADMIN),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """Somebody at the console; ``session`` is None for who came by a link."""

    actor: str = field(repr=False)
    csrf: str = field(repr=False)
    roles: tuple[RoleGrant, ...]
    expires_at: datetime
    session: Session | None = None

    @property
    def is_emergency(self) -> bool:
        """Whether the realm did not vouch for them."""
        return self.session is None

    def may(self, operation: Operation) -> bool:
        """Tell whether their roles open an operation."""
        return may(self.roles, operation)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffEntry:
    """Finds who is at the console by their cookie; roles are read anew for every page."""

    sign_in: SignIn
    links: StaffLinks
    roles: StaffRoleRows

    def staff(self, cookie: str | None) -> Staff | None:
        """Return whose cookie this is, or None."""
        session = self.sign_in.session(cookie)
        if session is not None:
            return Staff(
                actor=session.actor or "",
                csrf=session.csrf,
                roles=tuple(self.roles.of(session.login_id)),
                expires_at=session.expires_at,
                session=session,
            )
        link = self.links.session(cookie)
        if link is None:
            return None
        return Staff(actor=link.actor, csrf=link.csrf, roles=_EMERGENCY, expires_at=link.expires_at)
