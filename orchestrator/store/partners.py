"""The rows of partners and of their keys, read whole: they are few and asked for at every request.

A key whose secret is missing or cannot be read is no key: its partner is refused until it is mended,
the others are served.
"""

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.services.ports.partners import Partner, Secrets
from orchestrator.store.connections import Database
from schemas.signatures import VerifyKey, parse_secret

_PARTNERS: Final = """
SELECT p.id, p.name, p.allowed_events,
       coalesce(jsonb_agg(jsonb_build_object('id', k.key_id, 'scheme', k.scheme,
                            'secret', k.secret_name, 'public', k.public_key) ORDER BY k.key_id)
                  FILTER (WHERE k.key_id IS NOT NULL), '[]') AS keys
  FROM partner p
  LEFT JOIN partner_key k ON k.partner_id = p.id
       AND (k.retired_at IS NULL OR k.retired_at > parvis_now())
 WHERE p.retired_at IS NULL OR p.retired_at > parvis_now()
 GROUP BY p.id"""


class PartnerRows:
    """Partners with their live keys (implements ``ports.partners.PartnerBook``)."""

    def __init__(self, database: Database, secrets: Secrets) -> None:
        self._database = database
        self._secrets = secrets

    def partners(self) -> Mapping[str, Partner]:
        """Return every partner that is not retired, with its live keys, by id."""
        rows = self._database.all(_PARTNERS)
        names = {key["secret"] for row in rows for key in row["keys"] if key["secret"]}
        opened = self._secrets.values(names) if names else {}
        return {row["id"]: _partner(row, opened) for row in rows}


def _partner(row: Mapping[str, Any], opened: Mapping[str, str]) -> Partner:
    keys = {key["id"]: _key(key, opened) for key in row["keys"]}
    return Partner(
        id=row["id"],
        name=row["name"],
        allowed_events=frozenset(row["allowed_events"]),
        keys={name: key for name, key in keys.items() if key is not None},
    )


def _key(key: Mapping[str, Any], opened: Mapping[str, str]) -> VerifyKey | None:
    """Return a key that verifies, or None when what is stored is not one of its scheme."""
    text = key["public"] if key["scheme"] == "v1a" else opened.get(key["secret"] or "")
    try:
        read = parse_secret(text) if text else None
    except ValueError:
        return None
    return read if read is not None and read.scheme == key["scheme"] else None
