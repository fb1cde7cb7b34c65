"""The acts of people on runs, each one fenced statement with the row that names who did it.

A run that begins again takes the message of the old one along; what is sealed is sealed anew, since
a payload opens under its own row only. The reason of an act is sealed too: a run whose data key is
gone keeps none, its row says who and when. Codes not yet used and the pre-registration follow the new
run, so that a code somebody holds still reaches whoever waits for it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from orchestrator.engine.runs import ENDED, LEASE
from orchestrator.services.ports.operations import Act, ActDone, LogLine, NewRun, RunHead
from orchestrator.store.connections import Database
from orchestrator.store.effects import RUN_ENDED
from orchestrator.store.notifier import Notifier
from orchestrator.store.places import opened_key
from orchestrator.store.transitions import PARENT_TOLD, step_row_id
from orchestrator.store.vault import DataKey, ErasedError, Vault, opened_or_none
from schemas.errors import RunErasedError, RunKeyHeldError

_LEASE: Final = f"interval '{int(LEASE.total_seconds())} s'"
_HEAD: Final = """
SELECT r.id, r.journey, r.version, r.status, r.step, r.seq, r.fence, r.error_code, r.waiting_for,
       r.wake_at, r.cancel_asked, r.pivoted, r.parent_id, coalesce(r.effect_of, r.id) AS effect_of,
       r.ends_as, r.data_key_id, k.wrapped
  FROM run r LEFT JOIN data_key k ON k.id = r.data_key_id WHERE r.id = %s"""
_LOG: Final = (
    "SELECT seq, attempt, name, outcome, cause FROM step WHERE run_id = %s ORDER BY seq, attempt"
)
_ACTS: Final = """
SELECT s.seq, s.attempt, s.name, s.cause, s.actor, s.output, s.started_at AS at, r.data_key_id, k.wrapped
  FROM step s JOIN run r ON r.id = s.run_id LEFT JOIN data_key k ON k.id = r.data_key_id
 WHERE s.run_id = %s AND s.actor IS NOT NULL AND s.actor <> 'worker' ORDER BY s.seq, s.attempt"""
_ALLOWED: Final = """ AND (%(replay)s::uuid IS NULL OR EXISTS (
              SELECT FROM replay_item i JOIN replay p ON p.id = i.replay_id
               WHERE i.replay_id = %(replay)s AND i.run_id = %(id)s AND i.state = 'pending'
                 AND p.state = 'running'))"""
# the run, the row that tells the act, and the tasks that it settles
_MOVED: Final = f"""
     r AS (UPDATE run SET status = %(to)s, step = %(step)s, seq = seq + 1, fence = fence + 1,
             recoveries = least(recoveries, 1), wake_at = NULL, waiting_for = NULL, error_code = %(code)s,
             updated_at = parvis_now(), lease_until = parvis_now() + {_LEASE},
             ended_at = CASE WHEN %(to)s = ANY(%(ended)s) THEN parvis_now() END
            WHERE id = %(id)s AND fence = %(fence)s AND status = %(status)s{_ALLOWED}
           RETURNING id, seq, status, parent_id, ended_at, journey, error_code),
     s AS (INSERT INTO step(run_id, seq, name, outcome, cause, actor, output, started_at, ended_at)
           SELECT id, seq, %(name)s, %(outcome)s, %(cause)s, %(actor)s, %(reason)s,
                  parvis_now(), parvis_now() FROM r),
     h AS (UPDATE human_task SET closed_at = parvis_now(), decision = %(cause)s, decided_by = %(actor)s
            FROM r WHERE human_task.run_id = r.id AND human_task.closed_at IS NULL),
     told AS (INSERT INTO outbox(topic, key, payload)
              SELECT '{RUN_ENDED}', id, jsonb_build_object('data', jsonb_build_object('run_id', id,
                       'journey', journey, 'outcome', coalesce(error_code, status)))
                FROM r WHERE ended_at IS NOT NULL)"""
_ACT: Final = f"""
WITH {_MOVED.lstrip()}{PARENT_TOLD},
     i AS (UPDATE replay_item SET state = 'done', acted_at = parvis_now()
            FROM r WHERE replay_id = %(replay)s AND run_id = r.id),
     o AS (INSERT INTO outbox(topic, key) SELECT 'wake', id FROM r WHERE ended_at IS NULL)
SELECT id FROM r"""
_SOURCE: Final = """
SELECT r.data, r.message_id, r.data_key_id, k.wrapped, m.id IS NOT NULL AS is_kept
  FROM run r LEFT JOIN data_key k ON k.id = r.data_key_id LEFT JOIN message m ON m.id = r.message_id
 WHERE r.id = %s"""
_OUTPUTS: Final = "SELECT seq, attempt, output FROM step WHERE run_id = %s AND output IS NOT NULL"
_FROM_OVER: Final = """
     old AS (SELECT id FROM run WHERE id = %(old)s AND fence = %(old_fence)s AND ended_at IS NOT NULL
              FOR UPDATE)"""
_BEGIN: Final = f"""
     n AS (INSERT INTO run(id, journey, version, key, message_id, citizen_id, data_key_id, data, step,
                           seq, lease_until, forked_from, fork_step, effect_of, pivoted)
           SELECT %(new)s, q.journey, %(version)s, q.key, q.message_id,
                  CASE WHEN %(done)s > 0 THEN q.citizen_id END, q.data_key_id, %(data)s, %(done)s,
                  %(rows)s, parvis_now() + {_LEASE}, q.id, %(done)s + 1, %(effect_of)s,
                  %(pivoted)s
             FROM old JOIN run q ON q.id = old.id RETURNING id, message_id),
     c AS (INSERT INTO step(run_id, seq, name, outcome, cause, actor, output, started_at, ended_at,
                            worker)
           SELECT n.id, t.new_seq, s.name, s.outcome, s.cause, s.actor, t.output, s.started_at,
                  s.ended_at, 'copied'
             FROM n, unnest(%(seqs)s::int[], %(attempts)s::int[], %(new_seqs)s::int[],
                            %(outputs)s::bytea[]) AS t(seq, attempt, new_seq, output)
             JOIN step s ON s.run_id = %(old)s AND s.seq = t.seq AND s.attempt = t.attempt),
     b AS (INSERT INTO step(run_id, seq, name, outcome, cause, actor, started_at, ended_at)
           SELECT id, %(rows)s, %(begins)s, 'deferred', %(because)s, %(by)s, parvis_now(),
                  parvis_now() FROM n),
     g AS (UPDATE inbox x SET run_id = n.id FROM n JOIN message m ON m.id = n.message_id
            WHERE x.source = m.source AND x.event_id = m.event_id AND x.run_id = %(old)s),
     p AS (UPDATE preregistration x SET run_id = n.id FROM n WHERE x.run_id = %(old)s),
     a AS (UPDATE access_code x SET run_id = n.id FROM n
            WHERE x.run_id = %(old)s AND x.redeemed_at IS NULL),
     o AS (INSERT INTO outbox(topic, key) SELECT 'wake', id FROM n)
SELECT id FROM n"""


class RunActTable:
    """Implements ``ports.operations.RunActs``."""

    def __init__(self, database: Database, vault: Vault, notifier: Notifier) -> None:
        self._database = database
        self._vault = vault
        self._notifier = notifier

    def head(self, run_id: UUID) -> RunHead | None:
        """Return a run as it stands, or None."""
        with self._database.connection() as connection:
            row = connection.execute(_HEAD, (run_id,)).fetchone()
            log = connection.execute(_LOG, (run_id,)).fetchall() if row else []
        if row is None:
            return None
        key = opened_key(self._vault, row.pop("data_key_id"), row.pop("wrapped"))
        lines = [LogLine(**line) for line in log]
        return RunHead(**row, log=lines, keeps_reasons=key is not None)

    def act(self, act: Act) -> bool:
        """Write an act; False when the run was moved by others meanwhile."""
        key = self._key(act.head.id) if act.reason else None
        moved = self._database.one(_ACT, self._values(act, key))
        if moved is not None:
            self._notifier.poke()
        return moved is not None

    def begin(self, wanted: NewRun) -> bool:
        """Begin a new run; see the port for the errors."""
        source = self._database.one(_SOURCE, (wanted.head.id,))
        key = self._opened(source)
        if source is None or key is None or not source["is_kept"]:
            raise RunErasedError("Le message d'origine n'est plus conservé.")
        values = self._new(wanted, source, key)
        first = _FROM_OVER
        if wanted.closes is not None:
            values |= self._values(wanted.closes, key)
            first = f"{_MOVED},\n     old AS (SELECT id FROM r)"
        try:
            begun = self._database.one(f"WITH {first.lstrip()},{_BEGIN}", values)
        except psycopg.errors.UniqueViolation as error:
            raise RunKeyHeldError("Attendez qu'elle finisse, ou arrêtez-la d'abord.") from error
        if begun is not None:
            self._notifier.poke()
        return begun is not None

    def acts(self, run_id: UUID) -> Sequence[ActDone]:
        """Return what people did to a run, oldest first."""
        return [self._act_done(run_id, row) for row in self._database.all(_ACTS, (run_id,))]

    def _act_done(self, run_id: UUID, row: DictRow) -> ActDone:
        sealed_under = step_row_id(run_id, row["seq"], row["attempt"])
        said = opened_or_none(self._opened(row), sealed_under, row["output"])
        cause, _, plain = (row["cause"] or "").partition(": ")
        reason = said.get("reason") if isinstance(said, dict) else plain or None
        names = ("seq", "attempt", "name", "actor", "at")
        return ActDone(**{name: row[name] for name in names}, cause=cause, reason=reason)

    def _values(self, act: Act, key: DataKey | None) -> dict[str, Any]:
        head, item = act.head, act.item
        reason = None
        if act.reason is not None and key is not None:
            reason = key.seal_json(step_row_id(head.id, head.seq + 1, 1), {"reason": act.reason})
        return {
            "id": head.id,
            "fence": head.fence,
            "status": head.status,
            "to": act.to,
            "step": act.step,
            "code": act.error_code,
            "ended": sorted(ENDED),
            "name": act.name,
            "outcome": act.outcome,
            "cause": act.cause,
            "actor": act.actor,
            "reason": reason,
            "replay": item.replay_id if item else None,
        }

    def _new(self, wanted: NewRun, source: Mapping[str, Any], key: DataKey) -> dict[str, Any]:
        copied = wanted.copied
        numbers = range(1, len(copied) + 1)
        return {
            "new": wanted.id,
            "old": wanted.head.id,
            "old_fence": wanted.head.fence,
            "version": wanted.version,
            "done": wanted.step,
            "rows": len(copied) + 1,
            "effect_of": wanted.effect_of,
            "pivoted": wanted.pivoted,
            "data": _sealed_anew(key, source["data"], wanted.head.id, wanted.id),
            "seqs": [row.seq for row in copied],
            "attempts": [row.attempt for row in copied],
            "new_seqs": list(numbers),
            "outputs": self._outputs(wanted, key) if copied else [],
            "begins": wanted.name,
            "because": wanted.cause,
            "by": wanted.actor,
        }

    def _outputs(self, wanted: NewRun, key: DataKey) -> list[bytes | None]:
        """Return the outputs of the copied rows, each sealed for its new row."""
        old, new = wanted.head.id, wanted.id
        rows = self._database.all(_OUTPUTS, (old,))
        kept = {(row["seq"], row["attempt"]): row["output"] for row in rows}
        return [
            _sealed_anew(
                key,
                kept.get((row.seq, row.attempt)),
                step_row_id(old, row.seq, row.attempt),
                step_row_id(new, number, 1),
            )
            for number, row in enumerate(wanted.copied, start=1)
        ]

    def _key(self, run_id: UUID) -> DataKey | None:
        return self._opened(self._database.one(_SOURCE, (run_id,)))

    def _opened(self, row: Mapping[str, Any] | None) -> DataKey | None:
        return opened_key(self._vault, row["data_key_id"], row["wrapped"]) if row else None


def _sealed_anew(key: DataKey, sealed: bytes | None, old: UUID, new: UUID) -> bytes | None:
    if sealed is None:
        return None
    try:
        return key.seal(new, key.open(old, sealed))
    except ErasedError as error:
        raise RunErasedError("Ce qu'elle avait reçu ne se déchiffre plus.") from error
