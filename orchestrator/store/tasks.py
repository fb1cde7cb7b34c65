"""Tasks for people: opened with the park that waits for their answer, closed by the answer.

Whoever answers first is heard; the answer, the signal that wakes the run and the row that names who
decided are one statement.
"""

from typing import Final
from uuid import UUID

from orchestrator.engine.runs import LEASE, Park, Task
from orchestrator.store.connections import Database
from schemas import ids

_LEASE: Final = f"interval '{int(LEASE.total_seconds())} s'"
_ASK: Final = """
WITH r AS (UPDATE run SET status = %(to)s, waiting_for = %(waiting_for)s, wake_at = %(wake_at)s,
             fence = fence + 1, updated_at = parvis_now()
            WHERE id = %(run)s AND fence = %(fence)s AND signals = %(signals)s
              AND (pivoted OR NOT cancel_asked) RETURNING id)
INSERT INTO human_task(id, run_id, step, kind, question, decisions, due_at)
SELECT %(id)s, id, %(step)s, %(kind)s, %(question)s, %(decisions)s::text[], %(due_at)s FROM r
ON CONFLICT (run_id, step) WHERE closed_at IS NULL DO UPDATE SET overdue_at =
  CASE WHEN human_task.due_at <= parvis_now() THEN parvis_now() ELSE human_task.overdue_at END
RETURNING id"""
# the run is locked before its task, as every other statement does
_DECIDE: Final = f"""
WITH l AS (SELECT r.id FROM run r WHERE r.id = (SELECT run_id FROM human_task WHERE id = %(id)s) FOR UPDATE),
     t AS (UPDATE human_task h SET closed_at = parvis_now(), decision = %(decision)s, decided_by = %(actor)s
            FROM l WHERE h.run_id = l.id AND h.id = %(id)s AND h.closed_at IS NULL
              AND %(decision)s = ANY(h.decisions)
           RETURNING h.id, h.run_id, h.step),
     g AS (INSERT INTO signal(id, run_id, name, dedup, decision)
           SELECT %(signal)s, run_id, 'decision:' || step, id::text, %(decision)s FROM t
           ON CONFLICT (run_id, dedup) DO NOTHING RETURNING run_id, name),
     w AS (SELECT r.id, r.status = 'waiting_human' AND r.waiting_for = g.name AS wakes
             FROM run r JOIN g ON r.id = g.run_id FOR UPDATE OF r),
     u AS (UPDATE run r SET signals = signals + 1, fence = fence + w.wakes::int,
             status = CASE WHEN w.wakes THEN 'ready' ELSE r.status END,
             wake_at = CASE WHEN w.wakes THEN NULL ELSE wake_at END,
             lease_until = CASE WHEN w.wakes THEN parvis_now() + {_LEASE} ELSE lease_until END
            FROM w WHERE r.id = w.id RETURNING r.id, r.seq, w.wakes),
     s AS (INSERT INTO step(run_id, seq, attempt, name, outcome, cause, actor, started_at, ended_at)
           SELECT u.id, u.seq, 1 + coalesce((SELECT max(attempt) FROM step
                    WHERE run_id = u.id AND seq = u.seq), 0), t.step || ':decide', 'deferred',
                  'decide: ' || %(decision)s::text, %(actor)s, parvis_now(), parvis_now()
             FROM u JOIN t ON t.run_id = u.id),
     o AS (INSERT INTO outbox(topic, key) SELECT 'wake', id FROM u WHERE wakes)
SELECT id FROM t"""


def park_and_ask(database: Database, parked: Park, task: Task) -> bool:
    """Let a run wait for a person; False when something came meanwhile, or others moved it."""
    values = {
        "run": parked.run_id,
        "fence": parked.fence,
        "signals": parked.signals,
        "to": parked.to,
        "waiting_for": parked.waiting_for,
        "wake_at": parked.wake_at,
        "id": task.id,
        "step": task.step,
        "kind": task.kind,
        "question": task.question,
        "decisions": list(task.decisions),
        "due_at": task.due_at,
    }
    return database.one(_ASK, values) is not None


def decide(database: Database, task_id: UUID, decision: str, *, actor: str) -> bool:
    """Answer an open task and wake its run; False when it is closed or offers no such answer."""
    values = {"id": task_id, "decision": decision, "actor": actor, "signal": ids.uuid7()}
    return database.one(_DECIDE, values) is not None
