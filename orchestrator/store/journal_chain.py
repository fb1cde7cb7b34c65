"""The sealed journal: one sealer gives committed entries their place, and readers follow the chain.

Entries come unsealed from the transactions of what they tell. The sealer holds a lock for its own
transaction, so that places have no gaps and no two processes give the same one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import structlog

from orchestrator.store.connections import Connection, Database
from orchestrator.store.locks import JOURNAL
from schemas.chain import START, Link

MOST_AT_ONCE: Final = 500
LATE_SECONDS: Final = 60
_LOCK: Final = "SELECT pg_try_advisory_xact_lock(%s) AS got"
_HEAD: Final = "SELECT seq, hash FROM journal_entry WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1"
_UNSEALED: Final = """
SELECT id, at, type, actor_ref, subject_ref, case_ref, leaf FROM journal_entry
 WHERE seq IS NULL ORDER BY id LIMIT %s"""
_SEAL: Final = """
UPDATE journal_entry j SET seq = s.seq, prev = s.prev, hash = s.hash
  FROM unnest(%s::uuid[], %s::bigint[], %s::bytea[], %s::bytea[]) AS s(id, seq, prev, hash)
 WHERE j.id = s.id"""
_LATE: Final = """
SELECT count(*) AS n FROM journal_entry
 WHERE seq IS NULL AND at < parvis_now() - make_interval(secs => %s)"""
_PAGE: Final = """
SELECT seq, at, type, actor_ref, subject_ref, case_ref, leaf, prev, hash FROM journal_entry
 WHERE seq > %s ORDER BY seq LIMIT %s"""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of the sealed journal."""

    size: int
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRows:
    """Seals entries and reads the chain."""

    database: Database

    def seal(self) -> int:
        """Seal what was committed since; returns how many entries, 0 while another process does."""
        sealed = 0
        while True:
            with self.database.transaction() as connection:
                done = _seal_page(connection)
            sealed += done
            if done < MOST_AT_ONCE:
                return sealed

    def late(self) -> int:
        """Return how many entries have waited longer than a minute for their seal."""
        row = self.database.one(_LATE, (LATE_SECONDS,))
        return int(row["n"]) if row else 0

    def head(self) -> Head:
        """Return the end of the sealed journal."""
        row = self.database.one(_HEAD)
        return Head(size=row["seq"], hash=bytes(row["hash"])) if row else Head(size=0, hash=START)

    def links(self) -> Iterator[Link]:
        """Yield the sealed entries in order, a page at a time."""
        last = -1
        while True:
            rows = self.database.all(_PAGE, (last, MOST_AT_ONCE))
            for row in rows:
                raw = {name: bytes(row[name] or b"") for name in ("leaf", "prev", "hash")}
                yield Link(**{**row, **raw})
            if len(rows) < MOST_AT_ONCE:
                return
            last = rows[-1]["seq"]


class SealChore:
    """A chore of the timers: seals, and says once when entries wait too long, once when no more do."""

    def __init__(self, rows: JournalRows) -> None:
        self._rows = rows
        self._was_late = False

    def __call__(self) -> None:
        """Seal; entries that were late before it are told whatever came of it."""
        late = self._rows.late()
        if late and not self._was_late:
            _log.error("journal.unsealed", entries=late, seconds=LATE_SECONDS)
        self._was_late = bool(late)
        self._rows.seal()


def _seal_page(connection: Connection) -> int:
    got = connection.execute(_LOCK, (JOURNAL,)).fetchone()
    if not (got and got["got"]):
        return 0
    rows = connection.execute(_UNSEALED, (MOST_AT_ONCE,)).fetchall()
    if not rows:
        return 0
    head = connection.execute(_HEAD).fetchone()
    seq, prev = (head["seq"], bytes(head["hash"])) if head else (0, START)
    links = []
    for row in rows:
        values = {name: value for name, value in row.items() if name != "id"}
        bare = Link(**values | {"leaf": bytes(row["leaf"])}, seq=seq + 1, prev=prev, hash=b"")
        links.append(replace(bare, hash=bare.expected_hash()))
        seq, prev = bare.seq, links[-1].hash
    connection.execute(
        _SEAL,
        (
            [row["id"] for row in rows],
            [link.seq for link in links],
            [link.prev for link in links],
            [link.hash for link in links],
        ),
    )
    return len(rows)


__all__ = ["LATE_SECONDS", "MOST_AT_ONCE", "Head", "JournalRows", "SealChore"]
