"""Roles of staff: granted to a name of the staff realm, taken by whoever first signs in under it.

The realm says who somebody is; what they may do here is ours. A name that the realm gives to somebody
else later brings nothing with it: all that was granted to it must be taken back first, then granted anew.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.services.ports.staff import GrantedRole, Role, StaffRoleRows, WantedRole
from schemas import clock
from schemas.errors import ConflictError, InvalidPayloadError, NotFoundError

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9@._+-]{0,99}")


class RoleHeldError(ConflictError):
    """That name has the role already."""

    title = "Ce compte a déjà ce rôle."


class NoSuchRoleError(NotFoundError):
    """That name has no such role."""

    title = "Ce compte n'a pas ce rôle."


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffRoles:
    """Grants, takes back and lists roles."""

    rows: StaffRoleRows

    def grant(self, wanted: WantedRole, *, territories: Collection[str], actor: str) -> None:
        """Grant a role.

        Raises:
            InvalidPayloadError: a name, a territory or an end that cannot be.
            RoleHeldError: it is held already.
        """
        faults = tuple(_faults(wanted, territories))
        if faults:
            raise InvalidPayloadError(faults)
        if not self.rows.grant(wanted, actor=actor):
            raise RoleHeldError

    def revoke(self, name: str, role: Role | None, *, actor: str) -> int:
        """Take a role back, or all of a name's; it ends at the next page.

        Raises:
            NoSuchRoleError: there was none.
        """
        count = self.rows.revoke(name, role, actor=actor)
        if not count:
            raise NoSuchRoleError
        return count

    def granted(self) -> Sequence[GrantedRole]:
        """Return what is granted and not taken back."""
        return self.rows.granted()


def _faults(wanted: WantedRole, territories: Collection[str]) -> Sequence[tuple[str, str]]:
    faults = []
    if not _NAME.fullmatch(wanted.name):
        rule = "Le nom est celui du compte dans le royaume des agents, en minuscules."
        faults.append(("#/name", rule))
    if wanted.territory is not None and wanted.territory not in territories:
        known = ", ".join(sorted(territories)) or "aucun"
        faults.append(("#/territory", f"Ce territoire n'est pas configuré ; connus : {known}."))
    if wanted.until is not None and wanted.until <= clock.utcnow():
        faults.append(("#/until", "La fin doit être à venir."))
    return faults
