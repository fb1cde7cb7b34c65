"""Whose a token is: the login its subject is, of a citizen who is there, through a link that still stands."""

from dataclasses import dataclass
from typing import Final

from identity.linking import LOCAL, LoginKey
from identity.names import REALM_SAML, REALM_TOKEN
from orchestrator.services.ports.portal import TokenCitizen
from orchestrator.store.connections import Database
from orchestrator.store.logins import subject_hash
from schemas.keys import HubKeys
from schemas.logins import Level

# what vouches for a token is the live link of the provider it came through; without its name, any of the
# same account of the realm
_FIND: Final = """
SELECT l.id, l.citizen_id, max(p.level) AS level,
       CASE WHEN bool_or(p.alias = %(local)s) THEN %(local)s WHEN count(*) = 1 THEN min(p.alias) END AS way
  FROM login l
  JOIN citizen c ON c.id = l.citizen_id AND c.state = 'active' AND c.merged_into IS NULL
  JOIN login p ON p.citizen_id = l.citizen_id AND p.realm_account = l.realm_account
       AND p.valid_to IS NULL AND p.alias <> ALL(%(no_method)s)
       AND (%(provider)s::text IS NULL OR p.alias = %(provider)s)
 WHERE l.issuer = %(issuer)s AND l.alias = %(alias)s AND l.subject_hash = %(hash)s
   AND l.valid_to IS NULL
 GROUP BY l.id, l.citizen_id"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogins:
    """Finds citizens by the subjects of tokens."""

    database: Database
    keys: HubKeys

    def find(self, issuer: str, subject: str, *, provider: str | None) -> TokenCitizen | None:
        """Return the citizen of a subject, with what the link behind the token is worth.

        None when nobody signs in so, or when the way the person came was taken away since.
        """
        key = LoginKey(issuer=issuer, alias=REALM_TOKEN, subject=subject)
        values = {
            "issuer": issuer,
            "alias": REALM_TOKEN,
            "hash": subject_hash(self.keys, key),
            "no_method": [REALM_SAML, REALM_TOKEN],
            "provider": provider,
            "local": LOCAL,
        }
        row = self.database.one(_FIND, values)
        if row is None:
            return None
        return TokenCitizen(
            login_id=row["id"],
            citizen_id=row["citizen_id"],
            level=Level(row["level"]),
            idp_alias=provider or row["way"],
            proved_at=None,
        )
