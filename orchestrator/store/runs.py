"""Runs: the fenced transition, parking, signals, timers and the sweeper, each one statement."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from psycopg.rows import DictRow

from orchestrator.engine.journey import Start
from orchestrator.engine.runs import LEASE, LoggedStep, Park, Run, StoredSignal, Transition
from orchestrator.store import effects
from orchestrator.store.committer import Committer
from orchestrator.store.connections import Connection, Database
from orchestrator.store.notifier import Notifier
from orchestrator.store.vault import DataKey, Vault, opened_or_none
from schemas import ids

if TYPE_CHECKING:
    from orchestrator.engine.effects import Effect

_LEASE: Final = f"interval '{int(LEASE.total_seconds())} s'"
_COLUMNS: Final = (
    ("id", "uuid"),
    ("fence", "bigint"),
    ("step", "int"),
    ("goes_to", "text"),
    ("outcome", "text"),
    ("name", "text"),
    ("attempt", "int"),
    ("cause", "text"),
    ("output", "bytea"),
    ("error", "text"),
    ("started_at", "timestamptz"),
    ("ended_at", "timestamptz"),
    ("wake_at", "timestamptz"),
    ("waiting_for", "text"),
    ("error_code", "text"),
    ("citizen_id", "uuid"),
    ("worker", "text"),
)
_READ: Final = """
SELECT r.id, r.journey, r.version, r.status, r.step, r.seq, r.fence, r.signals, r.recoveries,
       r.waiting_for, r.citizen_id, r.data_key_id, r.created_at, r.data, k.wrapped,
       m.type, m.source, m.subject, m.event_id
  FROM run r LEFT JOIN message m ON m.id = r.message_id LEFT JOIN data_key k ON k.id = r.data_key_id
 WHERE r.id = %s"""
_LOG: Final = (
    "SELECT seq, attempt, name, outcome, output FROM step WHERE run_id = %s ORDER BY seq, attempt"
)
_PENDING: Final = (
    "SELECT id, name FROM signal WHERE run_id = %s AND consumed_by_seq IS NULL ORDER BY id"
)
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
             error_code = CASE WHEN recoveries >= 5 THEN 'recoveries' ELSE error_code END
             FROM late WHERE r.id = late.id RETURNING r.id, r.status)
INSERT INTO outbox(topic, key) SELECT 'wake', id FROM u WHERE status <> 'stuck'"""
_BACK: Final = f"""
WITH due AS (SELECT id FROM run WHERE status = 'waiting_timer' AND waiting_for = %(system)s
              ORDER BY created_at LIMIT %(most)s FOR UPDATE SKIP LOCKED),
     u AS (UPDATE run r SET status = 'ready', wake_at = NULL, fence = fence + 1,
             lease_until = parvis_now() + {_LEASE} FROM due WHERE r.id = due.id RETURNING r.id)
INSERT INTO outbox(topic, key) SELECT 'wake', id FROM u"""
_PARK: Final = """
WITH t AS (SELECT * FROM unnest(%(id)s::uuid[], %(fence)s::bigint[], %(signals)s::int[],
             %(goes_to)s::text[], %(waiting_for)s::text[], %(wake_at)s::timestamptz[])
             AS t(id, fence, signals, goes_to, waiting_for, wake_at))
UPDATE run SET status = t.goes_to, waiting_for = t.waiting_for, wake_at = t.wake_at,
       fence = run.fence + 1, updated_at = parvis_now()
  FROM t WHERE run.id = t.id AND run.fence = t.fence AND run.signals = t.signals
   AND NOT run.cancel_asked
RETURNING run.id, run.fence"""


@lru_cache(maxsize=256)
def transition_sql(kinds: tuple[type, ...]) -> str:
    """Return the batched transition for the kinds of effects that occur in the batch."""
    arrays = ", ".join(f"%({name})s::{kind}[]" for name, kind in _COLUMNS)
    names = ", ".join(name for name, _ in _COLUMNS)
    further = "".join(effects.statement_part(kind) for kind in kinds)
    return f"""
WITH t AS (SELECT * FROM unnest({arrays}) AS t({names})),
     r AS (UPDATE run SET step = t.step, seq = run.seq + 1, fence = run.fence + 1,
             updated_at = parvis_now(), lease_until = parvis_now() + {_LEASE},
             status = CASE WHEN cancel_asked AND run.status = 'ready' AND t.goes_to <> 'done'
                           THEN 'compensating' ELSE t.goes_to END,
             wake_at = CASE WHEN cancel_asked AND run.status = 'ready' THEN NULL ELSE t.wake_at END,
             waiting_for = t.waiting_for, error_code = t.error_code,
             recoveries = CASE WHEN t.outcome = 'ok' THEN 0 ELSE recoveries END,
             citizen_id = coalesce(t.citizen_id, run.citizen_id),
             ended_at = CASE WHEN t.goes_to IN ('done', 'failed', 'compensated', 'cancelled')
                AND (t.goes_to = 'done' OR NOT (cancel_asked AND run.status = 'ready'))
                THEN parvis_now() END
            FROM t WHERE run.id = t.id AND run.fence = t.fence
           RETURNING run.id, run.seq, run.fence, run.status),
     s AS (INSERT INTO step(run_id, seq, attempt, name, outcome, cause, actor, output, error,
                            started_at, ended_at, worker)
           SELECT r.id, r.seq, t.attempt, t.name, t.outcome, t.cause, 'worker', t.output,
                  t.error::jsonb, t.started_at, t.ended_at, t.worker FROM r JOIN t ON t.id = r.id)
     {further}
SELECT id, fence, seq, status FROM r"""


def step_row_id(run_id: UUID, seq: int, attempt: int) -> UUID:
    """Return the id under which a step row's output is sealed."""
    return uuid5(run_id, f"{seq}/{attempt}")


class Transitions:
    """The batch of transitions: each row is (Transition, log position, data key, worker)."""

    def write(self, connection: Connection, rows: Sequence[Any]) -> Sequence[DictRow | None]:
        """Write the transitions; None marks a row that was fenced off."""
        values: dict[str, list[Any]] = {name: [] for name, _ in _COLUMNS}
        made: dict[type, list[tuple[UUID, Effect, DataKey | None]]] = defaultdict(list)
        for move, seq, key, worker in sorted(rows, key=lambda row: row[0].run_id):
            for (name, _), value in zip(_COLUMNS, _values(move, seq, key, worker), strict=True):
                values[name].append(value)
            for effect in move.effects:
                made[type(effect)].append((move.run_id, effect, key))
        kinds = tuple(kind for kind in effects.KINDS if kind in made)
        for kind in kinds:
            values |= effects.parameters(kind, made[kind])
        moved = {row["id"]: row for row in connection.execute(transition_sql(kinds), values)}
        return [moved.get(row[0].run_id) for row in rows]


def _values(move: Transition, seq: int, key: DataKey | None, worker: str) -> Sequence[Any]:
    output = None
    if move.output is not None and key is not None:
        output = key.seal_json(step_row_id(move.run_id, seq, move.attempt), dict(move.output))
    return (
        move.run_id,
        move.fence,
        move.step,
        move.to,
        move.outcome,
        move.name,
        move.attempt,
        move.cause,
        output,
        json.dumps(dict(move.error)) if move.error else None,
        move.started_at,
        move.ended_at,
        move.wake_at,
        move.waiting_for,
        move.error_code,
        move.citizen_id,
        worker,
    )


class Parks:
    """The batch of runs that begin to wait for a signal; an outcome is the new fence or None."""

    def write(self, connection: Connection, rows: Sequence[Park]) -> Sequence[int | None]:
        """Park the rows; None marks one that a signal overtook or that was fenced off."""
        taken = sorted(rows, key=lambda row: row.run_id)
        values = {
            "id": [row.run_id for row in taken],
            "fence": [row.fence for row in taken],
            "signals": [row.signals for row in taken],
            "goes_to": [row.to for row in taken],
            "waiting_for": [row.waiting_for for row in taken],
            "wake_at": [row.wake_at for row in taken],
        }
        parked = {row["id"]: row["fence"] for row in connection.execute(_PARK, values)}
        return [parked.get(row.run_id) for row in rows]


def signal_on(
    connection: Connection, run_id: UUID, name: str, *, dedup: str, payload: bytes | None = None
) -> None:
    """Give a run a signal on a connection (and in the transaction) of the caller's."""
    values = {"sid": ids.uuid7(), "id": run_id, "name": name, "dedup": dedup, "payload": payload}
    connection.execute(_SIGNAL, values)


class RunStore:
    """Reads runs whole and moves them, for one process."""

    def __init__(
        self, database: Database, committer: Committer, vault: Vault, notifier: Notifier
    ) -> None:
        self._database = database
        self._committer = committer
        self._vault = vault
        self._notifier = notifier
        self._transitions = Transitions()
        self._parks = Parks()

    def read(self, run_id: UUID) -> tuple[Run, DataKey | None] | None:
        """Return a run with its log, its untaken signals and its data key, or None."""
        with self._database.connection() as connection:
            row = connection.execute(_READ, (run_id,)).fetchone()
            if row is None:
                return None
            log = connection.execute(_LOG, (run_id,)).fetchall() if row["seq"] else []
            pending = connection.execute(_PENDING, (run_id,)).fetchall() if row["signals"] else []
        key = self._vault.open_key(row["data_key_id"], row["wrapped"]) if row["wrapped"] else None
        return _run(row, log, pending, key), key

    def transit(
        self, move: Transition, *, seq: int, key: DataKey | None, worker: str
    ) -> tuple[int, str] | None:
        """Write one transition; returns (fence, status), or None when the run was moved by others."""
        moved = self._committer.put(self._transitions, (move, seq, key, worker))
        return (moved["fence"], moved["status"]) if moved else None

    def park(self, parked: Park) -> bool:
        """Let a run wait for a signal; False when one came meanwhile."""
        return self._committer.put(self._parks, parked) is not None

    def signal(
        self, run_id: UUID, name: str, *, dedup: str, payload: Mapping[str, Any] | None = None
    ) -> None:
        """Store a signal once and wake the run when it waits for that name."""
        sealed = json.dumps(dict(payload)).encode() if payload else None
        with self._database.connection() as connection:
            signal_on(connection, run_id, name, dedup=dedup, payload=sealed)
        self._notifier.poke()

    def wake_due(self) -> int:
        """Wake the runs whose time has come; returns how many (a page of 100 at most)."""
        return self._database.run(_DUE)

    def sweep_late(self) -> int:
        """Take over the runs whose lease nobody renewed."""
        return self._database.run(_LATE)

    def wake_waiting_for(self, system: str, *, most: int) -> int:
        """Wake the oldest runs that wait for a system which is back."""
        woken = self._database.run(_BACK, {"system": system, "most": most})
        if woken:
            self._notifier.poke()
        return woken

    def next_due(self) -> datetime | None:
        """Return the next moment a run must be woken."""
        row = self._database.one("SELECT min(wake_at) AS at FROM run WHERE wake_at IS NOT NULL")
        return row["at"] if row else None

    def versions_under_way(self) -> set[tuple[str, int]]:
        """Return the (journey, version) pairs that runs under way name."""
        rows = self._database.all(
            "SELECT DISTINCT journey, version FROM run WHERE ended_at IS NULL"
        )
        return {(row["journey"], row["version"]) for row in rows}


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
    names = Run.__dataclass_fields__.keys() & row.keys()
    return Run(
        **{name: row[name] for name in names},
        start=start,
        log=tuple(steps),
        pending=tuple(StoredSignal(id=signal["id"], name=signal["name"]) for signal in pending),
    )
