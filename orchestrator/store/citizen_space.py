"""What is a signed-in citizen's: their places in services, their logins, what they agreed to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from orchestrator.services.ports.citizen_space import (
    Change,
    ConsentLine,
    LoginChange,
    PreregistrationLine,
    Unlinking,
)
from orchestrator.services.ports.portal import PortalAccount, PortalLogin, PortalSpace
from orchestrator.store import journal, realm_effects
from orchestrator.store.connections import Connection, Database
from orchestrator.store.person_keys import JOURNAL, key_of, pseudonym_of
from orchestrator.store.sessions import end_others_but
from orchestrator.store.vault import Vault
from schemas.errors import ConflictError, NotFoundError
from schemas.logins import Level

_CITIZEN: Final = "SELECT state, language FROM citizen WHERE id = %s"
_ACCOUNTS: Final = """
SELECT a.id, a.service_id, coalesce(s.name, a.service_id) AS name, a.level, a.method, a.opened_at,
       coalesce(p.state, 'linked') AS state
  FROM account a LEFT JOIN service s ON s.id = a.service_id
  LEFT JOIN preregistration p ON p.id = a.preregistration_id
 WHERE a.citizen_id = %s AND a.closed_at IS NULL ORDER BY a.opened_at, a.id"""
_LOGINS: Final = """
SELECT id, alias, method, level, valid_from AS since, last_used_at FROM login
 WHERE citizen_id = %s AND valid_to IS NULL AND alias NOT IN ('realm_saml', 'realm_token')
 ORDER BY valid_from, id"""
_CONSENTS: Final = """
SELECT DISTINCT ON (purpose, r.channel) purpose, r.channel, r.event_type, r.event_time, r.validity_end,
       coalesce(t.title ->> 'fr', purpose) AS title
  FROM consent_record r
  JOIN pseudonym p ON p.pseudonym = r.subject_ref AND p.service = 'journal' AND p.citizen_id = %s
  CROSS JOIN unnest(r.purposes) AS purpose
  LEFT JOIN LATERAL (SELECT title FROM purpose x WHERE x.id = purpose ORDER BY version DESC LIMIT 1) t ON true
 ORDER BY purpose, r.channel, r.event_time DESC, r.record_id DESC"""
_PREREGISTRATIONS: Final = """
SELECT r.state, r.our_ref, r.expires_at, coalesce(l.name, s.name) AS library
  FROM preregistration r LEFT JOIN place l ON l.id = r.place_id LEFT JOIN service s ON s.id = r.service_id
 WHERE r.citizen_id = %s ORDER BY r.created_at, r.id"""
# the first login of a citizen is no change; of a merge both sides see that it was taken back
_LOGIN_CHANGES: Final = """
SELECT at, change, alias FROM (
  SELECT valid_from AS at, 'added' AS change, alias FROM login
   WHERE citizen_id = %(citizen)s AND method <> 'first_login' AND alias NOT IN ('realm_saml', 'realm_token')
  UNION ALL
  SELECT valid_to, CASE closed_reason WHEN 'unlinked' THEN 'taken_away' ELSE 'closed' END, alias FROM login
   WHERE citizen_id = %(citizen)s AND valid_to IS NOT NULL AND alias NOT IN ('realm_saml', 'realm_token')
  UNION ALL
  SELECT merged_at, 'joined', NULL FROM merge WHERE survivor_id = %(citizen)s
  UNION ALL
  SELECT undone_at, 'parted', NULL FROM merge
   WHERE %(citizen)s IN (survivor_id, merged_id) AND undone_at IS NOT NULL) AS changes
 WHERE at > parvis_now() - interval '12 months' ORDER BY at DESC, change LIMIT 10"""
_LOCK: Final = "SELECT id FROM citizen WHERE id = %s FOR UPDATE"
_LOGIN: Final = """
SELECT id, issuer, alias, realm_account FROM login
 WHERE id = %s AND citizen_id = %s AND valid_to IS NULL AND alias NOT IN ('realm_saml', 'realm_token')"""
_OTHER_METHODS: Final = """
SELECT count(*) AS n FROM login
 WHERE citizen_id = %s AND id <> %s AND valid_to IS NULL AND alias NOT IN ('realm_saml', 'realm_token')"""
_CLOSE: Final = """
UPDATE login SET valid_to = parvis_now(), closed_reason = 'unlinked'
 WHERE id = %(id)s OR (citizen_id = %(citizen)s AND valid_to IS NULL AND realm_account = %(account)s
   AND alias IN ('realm_saml', 'realm_token')
   AND NOT EXISTS (SELECT FROM login o WHERE o.citizen_id = %(citizen)s AND o.id <> %(id)s
     AND o.realm_account = %(account)s AND o.valid_to IS NULL
     AND o.alias NOT IN ('realm_saml', 'realm_token')))"""
_UNVOUCH: Final = "UPDATE civil_status SET level = 0 WHERE login_id = %s AND closed_at IS NULL"
_CLOSE_ACCOUNT: Final = """
UPDATE account SET closed_at = parvis_now(), closed_reason = 'citizen'
 WHERE id = %s AND citizen_id = %s AND closed_at IS NULL RETURNING service_id"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CitizenSpaceTable:
    """Implements ``ports.citizen_space.CitizenSpaceRows``."""

    database: Database
    vault: Vault

    def space(self, citizen_id: UUID, *, level: Level) -> PortalSpace:
        """Return what is the citizen's; ``level`` is this sign-in's."""
        row = self.database.one(_CITIZEN, (citizen_id,))
        if row is None:
            raise NotFoundError
        return PortalSpace(
            level=level,
            state=row["state"],
            language=row["language"],
            accounts=[
                PortalAccount(**{**one, "level": Level(one["level"])})
                for one in self.database.all(_ACCOUNTS, (citizen_id,))
            ],
            logins=[
                PortalLogin(**{**one, "level": Level(one["level"])})
                for one in self.database.all(_LOGINS, (citizen_id,))
            ],
        )

    def consents(self, citizen_id: UUID) -> Sequence[ConsentLine]:
        """Return the last word about each purpose and channel."""
        return [ConsentLine(**row) for row in self.database.all(_CONSENTS, (citizen_id,))]

    def preregistrations(self, citizen_id: UUID) -> Sequence[PreregistrationLine]:
        """Return the citizen's pre-registrations, oldest first."""
        rows = self.database.all(_PREREGISTRATIONS, (citizen_id,))
        return [PreregistrationLine(**row) for row in rows]

    def login_changes(self, citizen_id: UUID) -> Sequence[LoginChange]:
        """Return the last changes of how the citizen signs in, newest first."""
        rows = self.database.all(_LOGIN_CHANGES, {"citizen": citizen_id})
        return [LoginChange(**{**row, "change": Change(row["change"])}) for row in rows]

    def unlink(self, unlinking: Unlinking) -> None:
        """Take a login away with what hung on it; the other sessions end.

        Raises:
            NotFoundError: it is not the citizen's.
            ConflictError: it is the last one, or the one that proved this.
        """
        citizen_id = unlinking.citizen_id
        with self.database.transaction() as connection:
            connection.execute(_LOCK, (citizen_id,))
            row = connection.execute(_LOGIN, (unlinking.login_id, citizen_id)).fetchone()
            if row is None:
                raise NotFoundError
            self._check_remains(connection, row["alias"], unlinking)
            account = row["realm_account"]
            values = {"id": row["id"], "citizen": citizen_id, "account": account}
            connection.execute(_CLOSE, values)
            connection.execute(_UNVOUCH, (row["id"],))
            realm_effects.ask(connection, row["id"])
            end_others_but(connection, citizen_id, unlinking.session_id, reason="unlinked")
            self._tell(connection, citizen_id, "identity.unlinked", {"alias": row["alias"]})

    def close_account(self, citizen_id: UUID, account_id: UUID) -> None:
        """Close the citizen's place in a service, as far as the hub is concerned."""
        with self.database.transaction() as connection:
            row = connection.execute(_CLOSE_ACCOUNT, (account_id, citizen_id)).fetchone()
            if row is None:
                raise NotFoundError
            told = {"service": row["service_id"]}
            self._tell(connection, citizen_id, "identity.account_closed", told)

    def _check_remains(self, connection: Connection, alias: str, unlinking: Unlinking) -> None:
        values = (unlinking.citizen_id, unlinking.login_id)
        others = connection.execute(_OTHER_METHODS, values).fetchone()
        if not others or not others["n"]:
            raise ConflictError(
                "C'est votre seule façon de vous connecter : ajoutez-en une autre d'abord."
            )
        if unlinking.proved_by == alias:
            raise ConflictError(
                "Confirmez d'abord votre identité avec la connexion que vous gardez."
            )

    def _tell(
        self, connection: Connection, citizen_id: UUID, kind: str, record: dict[str, str]
    ) -> None:
        entry = journal.JournalEntry(
            type=kind,
            actor_ref="citizen",
            subject_ref=pseudonym_of(connection, citizen_id, JOURNAL),
            record={"action": kind.partition(".")[2], "rule": "citizen", **record},
        )
        journal.write(connection, key_of(connection, self.vault, citizen_id), entry)
