"""What the journal says of refused sign-ins: how often which rule, lately. Codes only, nobody's."""

import json
from collections import Counter
from typing import Final

from orchestrator.store.connections import Database
from orchestrator.store.vault import ErasedError, Vault

_REFUSED: Final = """
SELECT b.id, b.record, k.id AS key, k.wrapped FROM journal_entry e
  JOIN journal_body b USING (id) JOIN data_key k ON k.id = b.data_key_id
 WHERE e.type = 'identity.refused' AND e.at > parvis_now() - interval '1 day'
 ORDER BY e.id DESC LIMIT 500"""


def refused_lately(database: Database, vault: Vault) -> Counter[tuple[str, str]]:
    """Return how many of the last 500 refusals of a day each face and code has."""
    found: Counter[tuple[str, str]] = Counter()
    for row in database.all(_REFUSED):
        try:
            key = vault.open_key(row["key"], bytes(row["wrapped"]))
            record = json.loads(key.open(row["id"], bytes(row["record"])))
        except ErasedError:
            continue
        found[record["face"], record["code"]] += 1
    return found
