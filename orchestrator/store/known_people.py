"""Everybody who signs in through a realm, page by page, with what the realm should have of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from identity.linking import LOCAL
from identity.names import REALM_SAML, REALM_TOKEN
from orchestrator.services.ports.reconciliation import KnownPerson
from orchestrator.store.connections import Database
from orchestrator.store.vault import ErasedError, Vault

_FIRST: Final = UUID(int=0)
_PAGE: Final = """
SELECT DISTINCT citizen_id FROM login
 WHERE issuer = %s AND citizen_id > %s AND valid_to IS NULL ORDER BY citizen_id LIMIT 200"""
_LOGINS: Final = """
SELECT l.id, l.citizen_id, l.alias, l.subject, l.valid_to, k.id AS key_id, k.wrapped
  FROM login l JOIN data_key k ON k.id = l.data_key_id
 WHERE l.issuer = %s AND l.citizen_id = ANY(%s) AND l.alias <> %s
   AND (l.valid_to IS NULL OR l.closed_reason IN ('merged', 'replaced')) ORDER BY l.id"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPeopleReader:
    """Implements ``ports.reconciliation.KnownPeople``."""

    database: Database
    vault: Vault

    def people(self, issuer: str) -> Iterator[KnownPerson]:
        """Return everybody who signs in through a realm; nothing is held open between two pages."""
        after = _FIRST
        while page := self.database.all(_PAGE, (issuer, after)):
            citizens = [row["citizen_id"] for row in page]
            logins: dict[UUID, list[Mapping[str, Any]]] = defaultdict(list)
            for row in self.database.all(_LOGINS, (issuer, citizens, REALM_SAML)):
                logins[row["citizen_id"]].append(row)
            for citizen_id in citizens:
                yield self._person(logins[citizen_id])
            after = citizens[-1]

    def _person(self, rows: Iterable[Mapping[str, Any]]) -> KnownPerson:
        accounts: dict[UUID, str] = {}
        links: dict[UUID, tuple[str, str]] = {}
        resting: set[tuple[str, str]] = set()
        for row in rows:
            subject, alias = self._opened(row), str(row["alias"])
            if subject is None or alias == LOCAL:
                continue
            if row["valid_to"] is not None:
                resting.add((alias, subject))
            elif alias == REALM_TOKEN:
                accounts[row["id"]] = subject
            else:
                links[row["id"]] = (alias, subject)
        return KnownPerson(accounts=accounts, links=links, resting=frozenset(resting))

    def _opened(self, row: Mapping[str, Any]) -> str | None:
        try:
            key = self.vault.open_key(row["key_id"], bytes(row["wrapped"]))
            return key.open(row["id"], bytes(row["subject"])).decode()
        except ErasedError:
            return None
