"""What the hand-written loops and the peers all do: the tables, the message, the three calls.

Each loop reads a message, makes a row, asks the partner three times, and after each answer moves
the row and logs the step in one statement that changes nothing when the row is not where it should
be. That is the least a journey that survives its worker can do.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

TABLES: Final = """
CREATE TABLE floor_run(id uuid PRIMARY KEY, journey text NOT NULL, version int NOT NULL,
  status text NOT NULL, step int NOT NULL, data jsonb NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(), ended_at timestamptz);
CREATE TABLE floor_step(run_id uuid NOT NULL, seq int NOT NULL, name text NOT NULL,
  outcome text NOT NULL, output jsonb, ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (run_id, seq));
INSERT INTO floor_run(id, journey, version, status, step, data, ended_at)
SELECT gen_random_uuid(), 'three_calls', 1, 'done', 3, '{}', clock_timestamp()
  FROM generate_series(1, 10000);
INSERT INTO floor_step(run_id, seq, name, outcome)
SELECT id, n, 'before', 'ok' FROM floor_run, generate_series(1, 3) AS n;
ANALYZE floor_run; ANALYZE floor_step
"""
BEGIN: Final = """
INSERT INTO floor_run(id, journey, version, status, step, data)
VALUES (%s, 'three_calls', 1, 'running', 0, %s) ON CONFLICT DO NOTHING"""
MOVE: Final = """
WITH moved AS (UPDATE floor_run SET step = %(seq)s, status = %(status)s,
                 ended_at = clock_timestamp()
                WHERE id = %(id)s AND step = %(seq)s - 1 RETURNING id)
INSERT INTO floor_step(run_id, seq, name, outcome, output)
SELECT id, %(seq)s, %(name)s, 'ok', %(output)s FROM moved ON CONFLICT DO NOTHING"""
CALLS: Final = ("card", "account", "welcome")
QUEUE_ARGUMENTS: Final = {"x-queue-type": "quorum", "x-delivery-limit": 20}
PERSON: Final = {"given_name": "Camille", "family_name": "Exemple", "postal_code": "13001"}
EVENT: Final = {
    "type": "bench.asked.v1",
    "source": "/partners/bench",
    "citizen": PERSON,
    "filling": "x" * 200,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Where a loop finds its queue, its tables and the partner."""

    database_url: str
    broker_url: str
    partner_url: str
    queue: str
    width: int

    @classmethod
    def read(cls) -> Self:
        """Read what the driver set."""
        return cls(
            database_url=os.environ["BENCH_DATABASE_URL"],
            broker_url=os.environ.get("BENCH_BROKER_URL", ""),
            partner_url=os.environ["BENCH_PARTNER_URL"],
            queue=os.environ.get("BENCH_QUEUE", ""),
            width=int(os.environ.get("BENCH_WIDTH", "1")),
        )

    @property
    def partner(self) -> tuple[str, int, str]:
        """Host, port and first part of the path of the partner."""
        parts = urlsplit(self.partner_url)
        return str(parts.hostname), parts.port or 80, parts.path


def status_after(seq: int) -> str:
    """Return the row's status after so many calls."""
    return "done" if seq == len(CALLS) else "running"


def request_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the partner is told."""
    return {"run": event["id"], **event["citizen"]}
