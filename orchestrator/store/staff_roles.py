"""Roles of staff: rows granted to names, each change with its journal entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from orchestrator.services.ports.staff import GrantedRole, Role, RoleGrant, WantedRole
from orchestrator.store.connections import Connection, Database
from orchestrator.store.journal import JournalEntry, write
from orchestrator.store.person_keys import new_key
from orchestrator.store.vault import Vault
from schemas import ids

_LIVE: Final = "revoked_at IS NULL AND (until IS NULL OR until > parvis_now())"
# one that ended by itself makes room for the same again
_CLOSE_ENDED: Final = """
UPDATE staff_role SET revoked_at = until, revoked_by = 'system'
 WHERE name = %(name)s AND role = %(role)s AND coalesce(territory, '') = coalesce(%(territory)s, '')
   AND revoked_at IS NULL AND until <= parvis_now() RETURNING login_id"""
_GRANT: Final = """
INSERT INTO staff_role(id, name, login_id, role, territory, granted_by, until)
SELECT %(id)s, %(name)s,
       coalesce(%(former)s::uuid,
                (SELECT h.login_id FROM staff_role h WHERE h.name = %(name)s AND h.login_id IS NOT NULL
                    AND h.revoked_at IS NULL LIMIT 1)),
       %(role)s, %(territory)s, %(actor)s, %(until)s
ON CONFLICT DO NOTHING RETURNING id"""
_REVOKE: Final = """
UPDATE staff_role SET revoked_at = parvis_now(), revoked_by = %(actor)s
 WHERE name = %(name)s AND revoked_at IS NULL AND (%(role)s::text IS NULL OR role = %(role)s)
RETURNING id, login_id, role, territory"""
_GRANTED: Final = """
SELECT name, role, territory, granted_by, granted_at, until, login_id IS NOT NULL AS is_taken,
       coalesce(until <= parvis_now(), false) AS is_over
  FROM staff_role WHERE revoked_at IS NULL ORDER BY name, role, territory NULLS FIRST"""
_OF: Final = f"""
SELECT role, territory FROM staff_role WHERE login_id = %s AND {_LIVE}
 ORDER BY role, territory NULLS FIRST"""
_FORGET: Final = (
    "DELETE FROM staff_role WHERE coalesce(revoked_at, until) < parvis_now() - interval '12 months'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffRoleTable:
    """Implements ``ports.staff.StaffRoleRows``."""

    database: Database
    vault: Vault

    def grant(self, wanted: WantedRole, *, actor: str) -> bool:
        """Grant a role to a name, and to whoever holds other roles under it already."""
        values = {
            "id": ids.uuid7(),
            "name": wanted.name,
            "role": wanted.role.value,
            "territory": wanted.territory,
            "until": wanted.until,
            "actor": actor,
        }
        with self.database.transaction() as connection:
            ended = connection.execute(_CLOSE_ENDED, values).fetchone()
            values["former"] = ended["login_id"] if ended else None
            if connection.execute(_GRANT, values).fetchone() is None:
                return False
            self._tell(connection, "staff.role_granted", actor, values)
            return True

    def revoke(self, name: str, role: Role | None, *, actor: str) -> int:
        """Take a role of a name back, or all of them; returns how many."""
        values = {"name": name, "role": role.value if role else None, "actor": actor}
        with self.database.transaction() as connection:
            gone = connection.execute(_REVOKE, values).fetchall()
            for row in gone:
                self._tell(connection, "staff.role_revoked", actor, row)
            return len(gone)

    def granted(self) -> Sequence[GrantedRole]:
        """Return what is granted and not taken back, by name."""
        rows = self.database.all(_GRANTED)
        return [GrantedRole(**{**row, "role": Role(row["role"])}) for row in rows]

    def of(self, login_id: UUID) -> Sequence[RoleGrant]:
        """Return the roles in force of whoever signed in so."""
        rows = self.database.all(_OF, (login_id,))
        return [RoleGrant(role=Role(row["role"]), territory=row["territory"]) for row in rows]

    def forget_old(self) -> int:
        """Delete what ended more than 12 months ago; returns how many rows went."""
        return self.database.run(_FORGET)

    def _tell(self, connection: Connection, kind: str, actor: str, row: dict[str, object]) -> None:
        """Write what was done in the journal: the row's id, never the name."""
        record = {"role": row["role"], "territory": row["territory"], "grant": str(row["id"])}
        entry = JournalEntry(type=kind, actor_ref=actor, case_ref=str(row["id"]), record=record)
        write(connection, new_key(connection, self.vault, None), entry)
