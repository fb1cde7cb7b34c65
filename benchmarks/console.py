"""Console lists on a million runs: every filter timed through the very code the pages use.

``PARVIS_BENCH_DATABASE_URL=postgresql://… python -m benchmarks.console [runs]`` makes a database of
its own on that server, fills it, prints p50 and p95 per question, and drops it. Goal: p95 < 150 ms.
"""

import os
import secrets
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import psycopg

from orchestrator.services.ports.views import RunFilter
from orchestrator.services.run_views import within
from orchestrator.store import migrate
from orchestrator.store.connections import Database
from orchestrator.store.vault import Vault
from orchestrator.store.views import RunViewRows, SystemViewRows

ROUNDS = 40
# 90 runs in 100 are done, 9 wait for a code, the rest is spread; a UUIDv7 is put together in SQL
FILL = """
WITH n AS (SELECT i, date_trunc('milliseconds', now() - make_interval(secs => i * 30)) AS at
             FROM generate_series(1, %(runs)s) AS i),
     t AS (SELECT i, at, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
             || substr(md5(i::text), 1, 3) || '8' || substr(md5(i::text), 4, 15))::uuid AS id FROM n),
     m AS (INSERT INTO message(id, source, event_id, type, received_at)
           SELECT id, '/partners/p' || CASE WHEN i %% 50000 = 0 THEN 9 ELSE i %% 5 END, i::text,
                  'lease.signed.v1', at FROM t)
INSERT INTO run(id, journey, version, key, status, message_id, created_at, ended_at, wake_at, seq)
SELECT id, CASE WHEN i %% 40 = 0 THEN 'contact.verification' ELSE 'library.arrival' END, 1, i::text,
       s.status, id, at, CASE WHEN s.status = 'done' THEN at END,
       CASE WHEN s.status LIKE 'waiting%%' THEN now() + interval '1 day' END, 6
  FROM t, LATERAL (SELECT CASE WHEN i %% 100 < 90 THEN 'done' WHEN i %% 100 < 99 THEN 'waiting_signal'
                          WHEN i %% 1000 = 99 THEN 'stuck' ELSE 'waiting_timer' END AS status) s"""


def main() -> int:
    """Fill, ask, print."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    server = os.environ["PARVIS_BENCH_DATABASE_URL"]
    name = f"parvis_bench_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            _measure(server.rpartition("/")[0] + "/" + name, runs)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    return 0


def _measure(url: str, runs: int) -> None:
    migrate.upgrade(url)
    begun = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILL, {"runs": runs})
        connection.execute("VACUUM ANALYZE")
    print(f"{runs} runs in {time.perf_counter() - begun:.0f} s")
    database = Database(url)
    for label, ask in _questions(database):
        taken = sorted(_timed(ask) for _ in range(ROUNDS))
        p95 = taken[int(0.95 * len(taken)) - 1]
        print(f"{label:32} p50 {statistics.median(taken):7.1f} ms   p95 {p95:7.1f} ms")
    database.close()


def _questions(database: Database) -> Iterator[tuple[str, Callable[[], object]]]:
    rows = RunViewRows(database, Vault([bytes(32)]))
    day = timedelta(hours=24)
    asked = {
        "all": RunFilter(),
        "last day": within(RunFilter(), day),
        "done": RunFilter(statuses=("done",)),
        "stuck": RunFilter(statuses=("stuck",)),
        "under way (five statuses)": RunFilter(
            statuses=("ready", "waiting_timer", "waiting_signal", "waiting_human", "compensating")
        ),
        "stuck in the last day": within(RunFilter(statuses=("stuck",)), day),
        "rare journey": RunFilter(journey="contact.verification"),
        "rare journey, waiting": RunFilter(
            journey="contact.verification", statuses=("waiting_signal",)
        ),
        "late": RunFilter(is_late=True),
        "waiting for a system": RunFilter(system="nowhere"),
        "usual sender": RunFilter(partner="p1"),
        "rare sender": RunFilter(partner="p9"),
        "unknown sender": RunFilter(partner="nobody"),
    }
    for label, narrowed in asked.items():
        yield label, partial(rows.page, narrowed, size=50)
    first = rows.page(RunFilter(), size=50)
    deep = first.lines[-1].position
    for _ in range(20):
        deep = rows.page(RunFilter(), size=50, start=deep).lines[-1].position
    yield "page 22", lambda: rows.page(RunFilter(), size=50, start=deep)
    yield "counters", rows.counters
    yield "one run", lambda: rows.sheet(first.lines[0].id)
    yield "systems", SystemViewRows(database).systems


def _timed(ask: Callable[[], object]) -> float:
    begun = time.perf_counter()
    ask()
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    sys.exit(main())
