"""Who has a run in hand: a lock of the connection that reads, which ends with its process.

A wake may come to two workers while both live: the broker gives it to another one when a connection
breaks, the relay publishes it again when it is in doubt. The fence lets one of them write, but both would
have made the call, and a system that knows no key would have done it twice. The lock costs no commit.
A connection that breaks is opened again with the locks of all that is in hand; who was quicker has them.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from orchestrator.store.connections import Connection

_TAKE: Final = "SELECT k, pg_try_advisory_lock(k) AS is_ours FROM unnest(%b::bigint[]) AS t(k)"
_FREE: Final = "SELECT count(pg_advisory_unlock(k)) FROM unnest(%b::bigint[]) AS t(k)"


class Holds:
    """The runs this process has in hand."""

    def __init__(self) -> None:
        self._wanted: set[UUID] = set()
        self._held: set[UUID] = set()
        self._connection: Connection | None = None

    def __contains__(self, run_id: UUID) -> bool:
        return run_id in self._wanted

    def write(self, connection: Connection, rows: Sequence[tuple[UUID, bool]]) -> list[bool]:
        """Take runs (True) and let go of runs (False); returns, row by row, whether it is so now."""
        if connection is not self._connection:
            self._connection, self._held = connection, set()
        for run_id, is_wanted in rows:
            (self._wanted.add if is_wanted else self._wanted.discard)(run_id)
        if over := self._held - self._wanted:
            connection.execute(_FREE, ([lock_of(run_id) for run_id in over],))
            self._held -= over
        if wanted := self._wanted - self._held:
            locks = {lock_of(run_id): run_id for run_id in wanted}
            taken = connection.execute(_TAKE, (list(locks),))
            self._held |= {locks[row["k"]] for row in taken if row["is_ours"]}
            self._wanted &= self._held
        return [(run_id in self._held) is is_wanted for run_id, is_wanted in rows]


def lock_of(run_id: UUID) -> int:
    """Return the number of a run's lock: the random half of its id, always negative."""
    return int.from_bytes(run_id.bytes[8:], "big", signed=True)
