"""The pace of systems with a limit of calls a second: one row each, shared by all processes.

A row holds the moment at which the next call is free. Who has calls to make takes the next moments
of the row in one statement, for all calls that wait in its process; those that are not free soon get
a place in the queue instead, so that each comes again once, at its turn, and nobody polls.
"""

from typing import Final

from orchestrator.services.ports.pacing import Turns
from orchestrator.store.connections import Database

_CLAIM: Final = """
WITH old AS (SELECT rate, free_at, queue_at FROM pace WHERE profile = %(profile)s FOR UPDATE),
     c AS (SELECT parvis_now() AS now, %(rate)s::float8 AS rate,
                  greatest(0, extract(epoch FROM free_at - parvis_now()) * rate / %(rate)s) AS free,
                  greatest(0, extract(epoch FROM queue_at - parvis_now()) * rate / %(rate)s) AS queue
             FROM old),
     g AS (SELECT now, rate, free, queue, least(%(wanted)s,
                  greatest(0, ceil((%(soon)s - free) * rate)))::int AS given FROM c),
     q AS (SELECT *, free + given / rate AS next, greatest(queue, free + given / rate) AS place FROM g)
UPDATE pace p SET rate = %(rate)s, free_at = q.now + make_interval(secs => q.next),
       queue_at = q.now + make_interval(secs => q.place + (%(wanted)s - q.given) / q.rate)
  FROM q WHERE p.profile = %(profile)s
RETURNING q.given, q.free::float8 AS first_in, q.place::float8 AS place_in"""
_BEGIN: Final = """
INSERT INTO pace(profile, rate, free_at, queue_at)
VALUES (%(profile)s, %(rate)s, parvis_now(), parvis_now()) ON CONFLICT DO NOTHING"""


class PaceRows:
    """Implements ``ports.pacing.Paces``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, profile: str, *, rate: int, wanted: int, soon: float) -> Turns:
        """Take turns of a system, and places in its queue for what is not free soon."""
        values = {"profile": profile, "rate": rate, "wanted": wanted, "soon": soon}
        row = self._database.one(_CLAIM, values)
        while row is None:
            self._database.run(_BEGIN, values)
            row = self._database.one(_CLAIM, values)
        return Turns(**row)
