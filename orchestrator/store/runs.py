"""Runs: read whole, moved, parked, signalled, woken by the clock and the sweeper."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, TypeAlias
from uuid import UUID

import psycopg
import structlog
from psycopg.rows import DictRow

from orchestrator.engine.journey import Start
from orchestrator.engine.runs import (
    LEASE,
    ChildEnd,
    LoggedStep,
    Moved,
    Park,
    Run,
    Spawn,
    StoredSignal,
    Transition,
)
from orchestrator.services.ports.signals import Signalled
from orchestrator.services.ports.waking import RunHeldError
from orchestrator.store import children, tasks
from orchestrator.store.cancelling import cancel
from orchestrator.store.committer import Committer
from orchestrator.store.connections import Connection, Database
from orchestrator.store.holding import Holds
from orchestrator.store.notifier import Notifier
from orchestrator.store.transitions import PARENT_TOLD, Parks, Transitions, step_row_id
from orchestrator.store.vault import DataKey, Vault, opened_or_none
from schemas import ids

log = structlog.get_logger()
_LEASE: Final = f"interval '{int(LEASE.total_seconds())} s'"
_READ: Final = """
SELECT r.id, r.journey, r.version, r.status, r.step, r.seq, r.fence, r.signals, r.recoveries,
       r.waiting_for, r.citizen_id, r.data_key_id, r.created_at, r.data, r.wake_at, r.error_code,
       r.cancel_asked, r.pivoted, r.open_children, r.parent_id, r.effect_of, k.wrapped,
       m.type, m.source, m.subject, m.event_id
  FROM run r LEFT JOIN message m ON m.id = r.message_id LEFT JOIN data_key k ON k.id = r.data_key_id
 WHERE r.id = ANY(%b)"""
_LOG: Final = """
SELECT run_id, seq, attempt, name, outcome, output, cause, coalesce(actor, 'worker') AS actor
  FROM step WHERE run_id = ANY(%b) ORDER BY run_id, seq, attempt"""
_PENDING: Final = """
SELECT run_id, id, name, decision, payload FROM signal
 WHERE run_id = ANY(%b) AND consumed_by_seq IS NULL ORDER BY id"""
_SIGNALLED: Final = (
    "SELECT journey, version, ended_at IS NOT NULL AS is_over FROM run WHERE id = %s"
)
_KEY_OF: Final = """
SELECT r.data_key_id, k.wrapped FROM run r JOIN data_key k ON k.id = r.data_key_id WHERE r.id = %s"""
_SIGNAL: Final = f"""
WITH s AS (INSERT INTO signal(id, run_id, name, dedup, payload)
           VALUES (%(sid)s, %(id)s, %(name)s, %(dedup)s, %(payload)s)
           ON CONFLICT (run_id, dedup) DO NOTHING RETURNING run_id, name),
     w AS (SELECT r.id, r.status IN ('waiting_signal', 'waiting_human') AND r.waiting_for = s.name AS wakes
             FROM run r JOIN s ON r.id = s.run_id FOR UPDATE OF r),
     u AS (UPDATE run r SET signals = signals + 1, fence = fence + w.wakes::int,
             status = CASE WHEN w.wakes THEN 'ready' ELSE r.status END,
             wake_at = CASE WHEN w.wakes THEN NULL ELSE wake_at END,
             lease_until = CASE WHEN w.wakes THEN parvis_now() + {_LEASE} ELSE lease_until END
           FROM w WHERE r.id = w.id RETURNING r.id, w.wakes)
INSERT INTO outbox(topic, key) SELECT 'wake', id FROM u WHERE wakes"""
_DUE: Final = f"""
WITH due AS (SELECT id FROM run WHERE wake_at <= parvis_now()
               AND status IN ('waiting_timer', 'waiting_signal', 'waiting_human', 'compensating')
              ORDER BY wake_at LIMIT 100 FOR UPDATE SKIP LOCKED),
     u AS (UPDATE run r SET status = CASE WHEN status = 'compensating' THEN status ELSE 'ready' END,
             wake_at = NULL, fence = fence + 1, lease_until = parvis_now() + {_LEASE}
             FROM due WHERE r.id = due.id RETURNING r.id)
INSERT INTO outbox(topic, key) SELECT 'wake', id FROM u"""
_LATE: Final = f"""
WITH late AS (SELECT id FROM run WHERE status IN ('ready', 'compensating') AND lease_until < parvis_now()
               ORDER BY lease_until LIMIT 100 FOR UPDATE SKIP LOCKED),
     u AS (UPDATE run r SET fence = fence + 1, recoveries = recoveries + 1,
             lease_until = parvis_now() + {_LEASE},
             status = CASE WHEN recoveries >= 5 THEN 'stuck' ELSE r.status END,
             ends_as = CASE WHEN recoveries >= 5 AND r.status = 'compensating'
                            THEN error_code ELSE ends_as END,
             error_code = CASE WHEN recoveries >= 5 THEN 'recoveries' ELSE error_code END
             FROM late WHERE r.id = late.id RETURNING r.id, r.status)
INSERT INTO outbox(topic, key) SELECT 'wake', id FROM u WHERE status <> 'stuck'"""

_ALL: Final = """
WITH held AS (SELECT id FROM run WHERE status IN ('ready', 'compensating') AND wake_at IS NULL
               FOR UPDATE SKIP LOCKED),
     u AS (UPDATE run r SET recoveries = greatest(recoveries, 1)
             FROM held WHERE r.id = held.id RETURNING r.id)
INSERT INTO outbox(topic, key) SELECT 'wake', id FROM u"""


def signal_on(
    connection: Connection,
    run_id: UUID,
    name: str,
    *,
    dedup: str,
    payload: bytes | None = None,
    signal_id: UUID | None = None,
) -> None:
    """Give a run a signal on a connection (and in the transaction) of the caller's.

    A payload is sealed under the run's data key for the row ``signal_id``.
    """
    values = {"id": run_id, "name": name, "dedup": dedup, "payload": payload}
    connection.execute(_SIGNAL, values | {"sid": signal_id or ids.uuid7()})


_Found: TypeAlias = tuple[DictRow, Sequence[DictRow], Sequence[DictRow]]


class _Reads:
    """The batch of runs to read: an outcome is the row with its log and its untaken signals."""

    def write(self, connection: Connection, rows: Sequence[UUID]) -> Sequence[_Found | None]:
        """Read the runs; None marks one that is not there."""
        found = {row["id"]: row for row in connection.execute(_READ, (list(rows),))}
        logs = _by_run(connection, _LOG, [row["id"] for row in found.values() if row["seq"]])
        pending = _by_run(
            connection, _PENDING, [row["id"] for row in found.values() if row["signals"]]
        )
        return [
            (found[run_id], logs[run_id], pending[run_id]) if run_id in found else None
            for run_id in rows
        ]


class _Takes:
    """The batch of runs to take in hand and to let go of: taken first, read afterwards."""

    def __init__(self, reads: _Reads) -> None:
        self.holds = Holds()
        self._reads = reads

    def write(
        self, connection: Connection, rows: Sequence[tuple[UUID, bool]]
    ) -> Sequence[_Found | RunHeldError | None]:
        """Read the runs that are ours now; an error marks one that others have in hand."""
        done = self.holds.write(connection, rows)
        ours = [
            run_id
            for (run_id, is_wanted), is_so in zip(rows, done, strict=True)
            if is_wanted and is_so
        ]
        found = dict(zip(ours, self._reads.write(connection, ours), strict=True)) if ours else {}
        return [
            found.get(run_id) if is_so else RunHeldError()
            for (run_id, _), is_so in zip(rows, done, strict=True)
        ]


def _by_run(
    connection: Connection, sql: LiteralString, run_ids: list[UUID]
) -> Mapping[UUID, list[DictRow]]:
    grouped: dict[UUID, list[DictRow]] = defaultdict(list)
    if run_ids:
        for row in connection.execute(sql, (run_ids,)):
            grouped[row["run_id"]].append(row)
    return grouped


class RunStore:
    """Reads runs whole and moves them, for one process.

    ``reader`` shares reads between runs as ``committer`` shares commits; the committer's own
    connection serves them when there is none.
    """

    def __init__(
        self,
        database: Database,
        committer: Committer,
        vault: Vault,
        notifier: Notifier,
        *,
        reader: Committer | None = None,
    ) -> None:
        self._database = database
        self._reader = reader or committer
        self._reads = _Reads()
        self._takes = _Takes(self._reads)
        self._committer = committer
        self._vault = vault
        self._notifier = notifier
        self._transitions = Transitions()
        self._child_ends = Transitions(PARENT_TOLD)
        self._parks = Parks()

    def read(self, run_id: UUID) -> tuple[Run, DataKey | None] | None:
        """Return a run with its log, its untaken signals and its data key, or None."""
        return self._read(self._reader.put(self._reads, run_id))

    def take(self, run_id: UUID) -> tuple[Run, DataKey | None] | None:
        """Take a run in hand and return it as ``read`` does; nobody else has it until ``leave``.

        Raises:
            RunHeldError: another process has it.
        """
        found = self._reader.put(self._takes, (run_id, True))
        if isinstance(found, RunHeldError):
            raise found
        return self._read(found)

    def leave(self, run_id: UUID) -> None:
        """Let others have a run; waits for nothing."""
        if run_id in self._takes.holds:
            self._reader.tell(self._takes, (run_id, False))

    def _read(self, found: _Found | None) -> tuple[Run, DataKey | None] | None:
        if found is None:
            return None
        row, log, pending = found
        key = self._vault.open_key(row["data_key_id"], row["wrapped"]) if row["wrapped"] else None
        return _run(row, log, pending, key), key

    def transit(
        self, move: Transition, *, seq: int, key: DataKey | None, worker: str
    ) -> Moved | None:
        """Write one transition; returns what it left, or None when the run was moved by others."""
        batch = self._child_ends if move.parent_id else self._transitions
        moved = self._committer.put(batch, (move, seq, key, worker))
        if move.parent_id:
            self._notifier.poke()
        if moved is None:
            return None
        return Moved(fence=moved["fence"], status=moved["status"], consents=moved["consents"])

    def park(self, parked: Park) -> bool:
        """Let a run wait; False when a signal or a cancel came meanwhile, or others moved it."""
        if parked.task is not None:
            return tasks.park_and_ask(self._database, parked, parked.task)
        return self._committer.put(self._parks, parked) is not None

    def spawn(self, wanted: Spawn, *, key: DataKey | None) -> bool:
        """Start the children of a step and let their parent wait; False when others moved it."""
        is_begun = children.spawn(self._database, wanted, key)
        self._notifier.poke()
        return is_begun

    def children(self, parent_id: UUID, step: str, *, key: DataKey | None) -> Sequence[ChildEnd]:
        """Return the latest child of each item of a step."""
        return children.of(self._database, parent_id, step, key)

    def wait_for_children(self, run: Run) -> bool:
        """Let a run that goes back wait until its children ended; False when they all have."""
        return children.await_ends(self._database, run)

    def cancel(self, run_id: UUID, *, actor: str, reason: str | None = None) -> str | None:
        """Ask a run to stop; returns its status afterwards, or None when it is over or unknown.

        A run in a worker's hands goes back at its next transition, a waiting one at once. Asking
        again, or while it already goes back, changes nothing.

        Raises:
            RunStateError: it did something that cannot be taken back, and only goes forward.
        """
        status = cancel(self._database, self._vault, run_id, actor=actor, reason=reason)
        self._notifier.poke()
        return status

    def decide(self, task_id: UUID, decision: str, *, actor: str) -> bool:
        """Answer an open task and wake its run; False when it is closed or offers no such answer."""
        is_taken = tasks.decide(self._database, task_id, decision, actor=actor)
        self._notifier.poke()
        return is_taken

    def signal(
        self, run_id: UUID, name: str, *, dedup: str, payload: Mapping[str, Any] | None = None
    ) -> None:
        """Store a signal once and wake the run when it waits for that name."""
        signal_id = ids.uuid7()
        with self._database.connection() as connection:
            sealed = self._sealed(connection, run_id, signal_id, payload) if payload else None
            signal_on(connection, run_id, name, dedup=dedup, payload=sealed, signal_id=signal_id)
        self._notifier.poke()

    def signalled(self, run_id: UUID) -> Signalled | None:
        """Return what a run is of, for whoever wants to signal it, or None."""
        row = self._database.one(_SIGNALLED, (run_id,))
        return Signalled(**row) if row else None

    def _sealed(
        self, connection: Connection, run_id: UUID, signal_id: UUID, payload: Mapping[str, Any]
    ) -> bytes | None:
        row = connection.execute(_KEY_OF, (run_id,)).fetchone()
        if row is None:
            return None
        return self._vault.open_key(row["data_key_id"], row["wrapped"]).seal_json(
            signal_id, dict(payload)
        )

    def wake_due(self) -> int:
        """Wake the runs whose time has come; returns how many (a page of 100 at most)."""
        return self._database.run(_DUE)

    def sweep_late(self) -> int:
        """Take over the runs whose lease nobody renewed."""
        return self._database.run(_LATE)

    def wake_all(self) -> int:
        """Wake every run under way, because what carried their wakes lost them; returns how many.

        Each is woken as one that somebody may have had in hand; who has it in hand still keeps it.
        """
        try:
            woken = self._database.run(_ALL)
        except psycopg.errors.UndefinedTable:  # before the first migration there is no run
            return 0
        if woken:
            self._notifier.poke()
            log.warning("runs.woken_anew", count=woken)
        return woken

    def next_due(self) -> datetime | None:
        """Return the next moment a run must be woken."""
        row = self._database.one("SELECT min(wake_at) AS at FROM run WHERE wake_at IS NOT NULL")
        return row["at"] if row else None


def _run(
    row: DictRow, log: Sequence[DictRow], pending: Sequence[DictRow], key: DataKey | None
) -> Run:
    data = opened_or_none(key, row["id"], row["data"])
    steps = (
        LoggedStep(
            seq=step["seq"],
            attempt=step["attempt"],
            name=step["name"],
            outcome=step["outcome"],
            actor=step["actor"],
            cause=step["cause"],
            output=opened_or_none(
                key, step_row_id(row["id"], step["seq"], step["attempt"]), step["output"]
            ),
        )
        for step in log
    )
    start = Start(
        type=row["type"] or "",
        source=row["source"] or "",
        subject=row["subject"] or f"event:{row['event_id']}",
        event_id=row["event_id"] or "",
        data=data if isinstance(data, dict) else {},
    )
    signals = (
        StoredSignal(
            id=signal["id"],
            name=signal["name"],
            decision=signal["decision"],
            payload=opened_or_none(key, signal["id"], signal["payload"]),
        )
        for signal in pending
    )
    names = Run.__dataclass_fields__.keys() & row.keys()
    return Run(
        **{name: row[name] for name in names},
        start=start,
        log=tuple(steps),
        pending=tuple(signals),
    )


__all__ = ["RunStore", "signal_on", "step_row_id"]
