"""The runs put aside, with the failure that put them there: what lists, groups and replays stand on."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestrator.services.ports.operations import FailureKey

# the last row written by a worker tells the failure, when it was a failed try
FAILED: Final = """
SELECT r.id, r.fence, r.journey, r.version, r.error_code, r.created_at, r.updated_at,
       CASE WHEN f.name IS NULL THEN r.step END AS position, f.name, f.error_class, f.detail
  FROM run r LEFT JOIN LATERAL (
         SELECT l.name, l.error ->> 'class' AS error_class, left(l.error ->> 'detail', 120) AS detail
           FROM (SELECT name, outcome, error FROM step
                  WHERE run_id = r.id AND coalesce(actor, 'worker') = 'worker'
                  ORDER BY seq DESC, attempt DESC LIMIT 1) l
          WHERE l.outcome IN ('error', 'timeout', 'unknown')) f ON true
 WHERE r.status = 'stuck'"""
SAME: Final = """
f.journey = k.journey AND f.version = k.version AND f.position IS NOT DISTINCT FROM k.position
   AND f.name IS NOT DISTINCT FROM k.name AND f.error_class IS NOT DISTINCT FROM k.error_class
   AND f.detail IS NOT DISTINCT FROM k.detail AND f.error_code IS NOT DISTINCT FROM k.error_code"""
KEYS: Final = """
unnest(%(journey)s::text[], %(version)s::int[], %(position)s::int[], %(name)s::text[],
       %(error_class)s::text[], %(detail)s::text[], %(error_code)s::text[])
    AS k(journey, version, position, name, error_class, detail, error_code)"""


def arrays(keys: Sequence[FailureKey]) -> dict[str, list[Any]]:
    """Return the keys as the arrays that ``KEYS`` unnests."""
    return {name: [getattr(key, name) for key in keys] for name in FailureKey.__dataclass_fields__}


def key_of(row: Mapping[str, Any]) -> FailureKey:
    """Return the failure that a row of ``FAILED`` tells."""
    return FailureKey(**{name: row[name] for name in FailureKey.__dataclass_fields__})
