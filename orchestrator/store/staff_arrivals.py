"""A staff member's answer of the staff realm: their login, the roles granted to their name, a session.

A role is granted to a name before anybody signed in under it. The first login under that name takes what
was granted; a name given to somebody else later has nothing.
"""

from dataclasses import dataclass
from typing import Final

from identity import names
from identity.linking import Claim, LoginKey
from orchestrator.services.ports.sign_in import Arrival, Outcome
from orchestrator.store import journal, logins
from orchestrator.store.arrivals import sealed_name, session_values
from orchestrator.store.connections import Connection
from orchestrator.store.logins import Bond, LoginRow, Sealing
from orchestrator.store.person_keys import new_key
from orchestrator.store.sessions import open_session
from orchestrator.store.vault import Vault
from schemas.errors import SamlRefusedError
from schemas.keys import HubKeys
from schemas.logins import Face, Level, SamlPurpose

_TAKE: Final = """
UPDATE staff_role SET login_id = %(login)s
 WHERE name = %(name)s AND login_id IS NULL AND revoked_at IS NULL
   AND NOT EXISTS (SELECT FROM staff_role o WHERE o.name = %(name)s AND o.login_id <> %(login)s
                      AND o.revoked_at IS NULL)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffArrivals:
    """Takes in answers of the staff realm."""

    vault: Vault
    keys: HubKeys

    def take(self, connection: Connection, arrival: Arrival) -> Outcome:
        """Open a session for whoever the staff realm vouches for; what they may do is in their roles."""
        name = arrival.answer.value(names.USERNAME)
        if not name or arrival.asked.purpose is not SamlPurpose.LOGIN:
            raise SamlRefusedError("username")
        login = self._login(connection, arrival)
        connection.execute(_TAKE, {"login": login.id, "name": name})
        values = session_values(arrival, self.keys)
        values |= {
            "face": Face.CONSOLE,
            "actor": name,
            "login": login.id,
            "citizen": None,
            "alias": names.STAFF_SAML,
            "level": Level.ACCOUNT_PROVED,
        }
        values["name"] = sealed_name(
            connection, self.vault, login.id, values["id"], arrival.answer.name_id
        )
        open_session(connection, values)
        self._tell(connection, login)
        return Outcome.SIGNED_IN

    def _login(self, connection: Connection, arrival: Arrival) -> LoginRow:
        key = LoginKey(
            issuer=arrival.answer.issuer, alias=names.STAFF_SAML, subject=arrival.answer.name_id
        )
        claim = Claim(
            keys=(key,), account=key.subject, level=Level.ACCOUNT_PROVED, alias=names.STAFF_SAML
        )
        logins.lock_claim(connection, self.keys, claim)
        known = logins.known_logins(connection, self.keys, claim)
        if known:
            logins.mark_used(connection, known)
            return known[0]
        sealing = Sealing(
            vault=self.vault, keys=self.keys, data_key=new_key(connection, self.vault, None)
        )
        bond = Bond(
            citizen_id=None,
            level=Level.ACCOUNT_PROVED,
            method="first_login",
            account=key.subject,
        )
        return logins.add_login(connection, sealing, key, bond)

    def _tell(self, connection: Connection, login: LoginRow) -> None:
        entry = journal.JournalEntry(
            type="staff.signed_in",
            actor_ref=f"staff:{login.id}",
            record={"action": "signed_in", "alias": names.STAFF_SAML},
        )
        journal.write(connection, new_key(connection, self.vault, None), entry)
