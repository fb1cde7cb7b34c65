"""A past of finished runs, written by SQL: what a city has after a month, a year, ten years.

Every run has its three logged steps and its exchanges; bodies are gone after 30 days, as retention
leaves them, and claims of the inbox after 35. Months are partitions, as the scheduler makes them.
"""

import time
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final
from uuid import UUID

import psycopg

_MOST_AT_ONCE: Final = 250_000
TABLES: Final = ("message", "step", "exchange")
# 94 runs in 100 are done, 4 wait, 1 is stuck, 1 failed; people have about six runs each
_FILL: Final = """
WITH n AS (SELECT i, date_trunc('milliseconds', %(now)s::timestamptz - make_interval(secs =>
                    (%(total)s::int - i) * %(every)s::float8 - 1)) AS at
             FROM generate_series(%(first)s::int, %(last)s::int) AS i),
     t AS MATERIALIZED (
       SELECT i, at, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
              || substr(md5(i::text), 1, 3) || '8' || substr(md5(i::text), 4, 15))::uuid AS id,
              at > %(now)s::timestamptz - interval '30 days' AS is_fresh,
              CASE WHEN i %% 100 < 94 THEN 'done' WHEN i %% 100 < 98 THEN 'waiting_signal'
                   WHEN i %% 100 = 98 THEN 'stuck' ELSE 'failed' END AS status FROM n),
     m AS (INSERT INTO message(id, source, event_id, type, subject, headers, body, received_at)
           SELECT id, '/partners/past', i::text, 'bench.asked.v1', i::text, '{}',
                  CASE WHEN is_fresh THEN decode(repeat(md5(i::text), 17), 'hex') END, at FROM t),
     b AS (INSERT INTO inbox(source, event_id, body_sha, message_id, run_id, seen_at)
           SELECT '/partners/past', i::text, decode(md5(i::text) || md5(i::text), 'hex'), id, id, at
             FROM t WHERE at > %(now)s::timestamptz - interval '35 days'),
     s AS (INSERT INTO step(run_id, seq, name, outcome, actor, output, started_at, ended_at, worker)
           SELECT id, seq, (ARRAY['card', 'account', 'welcome'])[seq], 'ok', 'worker',
                  CASE WHEN is_fresh THEN decode(repeat(md5(i::text), 4), 'hex') END,
                  at, at, 'past:1' FROM t, generate_series(1, 3) AS seq),
     e AS (INSERT INTO exchange(id, run_id, step, profile, operation, address, status, outcome,
                  idempotency_key, request, response, asked_at, sent_at, answered_at, ended_at)
           SELECT overlay(id::text PLACING to_hex(seq) FROM 36)::uuid, id, 'card',
                  'system_' || (1 + i %% 5), 'card', 'POST 127.0.0.1/card', 201, 'ok',
                  id || ':card',
                  CASE WHEN is_fresh THEN decode(repeat(md5(i::text), 16), 'hex') END,
                  CASE WHEN is_fresh THEN decode(repeat(md5(i::text), 10), 'hex') END,
                  at, at, at, at FROM t, generate_series(1, 3) AS seq)
INSERT INTO run(id, journey, version, key, status, step, seq, message_id, citizen_id, created_at,
                updated_at, ended_at, wake_at, waiting_for, error_code)
SELECT id, CASE WHEN i %% 40 = 0 THEN 'bench.system_1' ELSE 'bench.three_calls' END, 1,
       '/partners/past ' || i, status, 3, 3, id,
       (substr(md5((i %% %(people)s::int)::text), 1, 12) || '7' || substr(md5((i %% %(people)s::int)::text), 1, 3)
        || '8' || substr(md5((i %% %(people)s::int)::text), 1, 15))::uuid,
       at, at, CASE WHEN status IN ('done', 'failed') THEN at END,
       CASE WHEN status = 'waiting_signal' THEN %(now)s::timestamptz + interval '90 days' END,
       CASE WHEN status = 'waiting_signal' THEN 'access_code.redeemed' END,
       CASE WHEN status = 'stuck' THEN 'retries_exhausted' END
  FROM t"""
_INDEXES: Final = """
SELECT c.relname AS table, i.relname AS name, pg_get_indexdef(x.indexrelid) AS made_by
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
 WHERE c.relname = ANY(%s) AND c.relnamespace = 'public'::regnamespace AND NOT x.indisunique"""


def people_of(total: int) -> int:
    """Return how many people so many runs are about."""
    return max(1, total // 6)


def fill(url: str, runs: int, *, days: int = 365) -> float:
    """Write so many runs, the last of them just now; returns the seconds it took.

    Indexes that guard nothing are dropped meanwhile and made again: filling takes half the time.
    """
    begun, now = time.perf_counter(), datetime.now(UTC)
    with psycopg.connect(url, autocommit=True) as connection:
        _make_months(connection, now, days)
        dropped = _drop_indexes(connection) if runs > _MOST_AT_ONCE else []
        for first in range(1, runs + 1, _MOST_AT_ONCE):
            values = {
                "now": now,
                "total": runs,
                "every": days * 86_400 / runs,
                "first": first,
                "last": min(runs, first + _MOST_AT_ONCE - 1),
                "people": people_of(runs),
            }
            connection.execute(_FILL, values)
        for made_by in dropped:
            connection.execute(made_by)
        connection.execute("VACUUM (ANALYZE, FREEZE)")
        connection.execute("CHECKPOINT")
    return time.perf_counter() - begun


def second_oldest_month(days: int = 365) -> str:
    """Return the suffix of the partitions of the oldest month that is there from end to end."""
    return _months(datetime.now(UTC), days)[1].strftime("%Y_%m")


def _make_months(
    connection: "psycopg.Connection[tuple[object, ...]]", now: datetime, days: int
) -> None:
    months = _months(now, days)
    for table in TABLES:
        for first, after in pairwise(months):
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {table}_{first:%Y_%m} PARTITION OF {table}"
                f" FOR VALUES FROM ('{_bound(first)}') TO ('{_bound(after)}')"
            )


def _months(now: datetime, days: int) -> list[datetime]:
    """Return the first days of the months from the oldest run to the month after this one."""
    oldest = datetime.fromtimestamp(now.timestamp() - days * 86_400, UTC)
    first, last = oldest.year * 12 + oldest.month - 1, now.year * 12 + now.month
    return [datetime(m // 12, m % 12 + 1, 1, tzinfo=UTC) for m in range(first, last + 1)]


def _bound(moment: datetime) -> UUID:
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _drop_indexes(connection: "psycopg.Connection[tuple[object, ...]]") -> list[str]:
    found = connection.execute(_INDEXES, (["run", "inbox", *TABLES],)).fetchall()
    for _, name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    # the server describes the index of a partitioned table without those of its partitions
    return [str(made_by).replace(" ON ONLY ", " ON ") for _, _, made_by in found]
