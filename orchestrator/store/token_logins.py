"""Whose a token is: the login its subject is, of a citizen who is there, through a link that still stands."""

from dataclasses import dataclass
from typing import Final

from identity.linking import LoginKey
from identity.names import REALM_TOKEN, is_franceconnect
from orchestrator.services.ports.portal import TokenCitizen
from orchestrator.store.connections import Database
from orchestrator.store.logins import subject_hash
from schemas.keys import HubKeys
from schemas.logins import Level

# a provider's own link, when the token names one, is what vouches for it
_FIND: Final = """
SELECT l.id, l.citizen_id, l.level, p.level AS link_level
  FROM login l
  JOIN citizen c ON c.id = l.citizen_id AND c.state = 'active' AND c.merged_into IS NULL
  LEFT JOIN login p ON p.citizen_id = l.citizen_id AND p.issuer = l.issuer AND p.alias = %(provider)s
       AND p.valid_to IS NULL
 WHERE l.issuer = %(issuer)s AND l.alias = %(alias)s AND l.subject_hash = %(hash)s
   AND l.valid_to IS NULL
 ORDER BY p.level LIMIT 1"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogins:
    """Finds citizens by the subjects of tokens."""

    database: Database
    keys: HubKeys

    def find(self, issuer: str, subject: str, *, provider: str | None) -> TokenCitizen | None:
        """Return the citizen of a subject, with what the link behind the token is worth.

        None when nobody signs in so, or when the token came through a FranceConnect that was taken
        away from the citizen since.
        """
        key = LoginKey(issuer=issuer, alias=REALM_TOKEN, subject=subject)
        values = {
            "issuer": issuer,
            "alias": REALM_TOKEN,
            "hash": subject_hash(self.keys, key),
            "provider": provider if is_franceconnect(provider) else None,
        }
        row = self.database.one(_FIND, values)
        if row is None or (values["provider"] is not None and row["link_level"] is None):
            return None
        level = row["level"] if row["link_level"] is None else row["link_level"]
        return TokenCitizen(
            login_id=row["id"],
            citizen_id=row["citizen_id"],
            level=Level(level),
            idp_alias=provider,
            proved_at=None,
        )
