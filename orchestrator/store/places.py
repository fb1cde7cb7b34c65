"""Where the row of an act stands when its run may be in a worker's hands.

It stands behind the last one written, at the same place of the log, so that the place the worker is
about to write stays free. Why somebody acted is sealed for that row with the run's data; a run whose
data key is gone takes no reason any more.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from orchestrator.store.connections import Connection
from orchestrator.store.transitions import step_row_id
from orchestrator.store.vault import DataKey, ErasedError, Vault

_PLACE: Final = """
SELECT r.seq, r.data_key_id, k.wrapped, 1 + coalesce((SELECT max(attempt) FROM step
         WHERE run_id = r.id AND seq = r.seq), 0) AS attempt
  FROM run r LEFT JOIN data_key k ON k.id = r.data_key_id WHERE r.id = %s FOR UPDATE OF r"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The place of the next act in a run's log, and the key of its data while there is one."""

    row_id: UUID
    seq: int
    attempt: int
    key: DataKey | None

    def sealed(self, reason: str | None) -> bytes | None:
        """Seal a reason for the row; None when there is none, or nothing to seal it with."""
        if reason is None or self.key is None:
            return None
        return self.key.seal_json(self.row_id, {"reason": reason})


def held_place(connection: Connection, vault: Vault, run_id: UUID) -> Place | None:
    """Lock a run until the caller's transaction ends and return its place; None for no such run."""
    row = connection.execute(_PLACE, (run_id,)).fetchone()
    if row is None:
        return None
    seq, attempt = row["seq"], row["attempt"]
    key = opened_key(vault, row["data_key_id"], row["wrapped"])
    return Place(row_id=step_row_id(run_id, seq, attempt), seq=seq, attempt=attempt, key=key)


def opened_key(vault: Vault, key_id: UUID | None, wrapped: bytes | None) -> DataKey | None:
    """Return the data key of a run, or None when it has none or it does not open any more."""
    if key_id is None or wrapped is None:
        return None
    try:
        return vault.open_key(key_id, wrapped)
    except ErasedError:
        return None


__all__ = ["Place", "held_place", "opened_key"]
