"""The relay: how many wakes a second it hands to the broker, and how soon one reaches a consumer.

Throughput: rows laid out while the relay is held, then the time until the outbox is empty; every
message must be in the queue. Latency: messages taken in through the product's inbox at a fixed
rate, from the row's own time to a consumer of the queue. ``python -m benchmarks.relay [--quick]``;
about a minute and a half. Bars: 10,000 a second; p50 4 ms and p99 15 ms at 100 a second.
"""

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.messaging import Consumer

from benchmarks.hub.engine import HubEngine
from benchmarks.lab.accounts import account, wait_for_quiet
from benchmarks.lab.figures import keep, middle, percentile
from benchmarks.lab.ground import Ground, ground
from benchmarks.lab.progress import Progress
from orchestrator.broker.topology import JOURNEY_QUEUE
from orchestrator.store.notifier import CHANNEL

HERTZ: Final = 100
_FILL: Final = """
INSERT INTO outbox(topic, key) SELECT 'wake', gen_random_uuid() FROM generate_series(1, %s)"""


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.relay")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=0, help="rows of a round")
    parser.add_argument("--seconds", type=float, default=0, help="of the fixed rate")
    options = parser.parse_args(arguments)
    rows = options.rows or (20_000 if options.quick else 60_000)
    seconds = options.seconds or (5 if options.quick else 30)
    progress, rounds = Progress(minutes=2), list[dict[str, Any]]()
    with ground() as place:
        hub = HubEngine(place, width=1)
        try:
            hub.start_without_workers()
            for number in range(options.rounds):
                rounds.append(_throughput(place, hub, rows))
                progress.tell(f"relay {number + 1}/{options.rounds}", rounds[-1])
            delays = _delays(place, hub, seconds)
            progress.tell(f"{len(delays)} delays at {HERTZ} a second")
        finally:
            hub.stop()
    figures = {
        "relay_per_second": middle([one["per_second"] for one in rounds], 0),
        "relay_worst_per_second": min(one["per_second"] for one in rounds),
        "relay_cpu_us": middle([one["cpu_us"] for one in rounds], 1),
        "insert_to_consumer_p50_ms": round(statistics.median(delays), 2),
        "insert_to_consumer_p99_ms": round(percentile(delays, 0.99), 2),
        "hertz": HERTZ,
    }
    keep(
        "relay",
        {"figures": figures, "rounds": rounds, "delays": len(delays), "is_try": rows < 20_000},
    )
    print(json.dumps(figures))
    return 0


def _throughput(place: Ground, hub: HubEngine, rows: int) -> dict[str, Any]:
    """Lay rows out while the relay is held, let it go, count what reached the queue."""
    wait_for_quiet()
    parts = {"relay": hub.relay.pids, **place.servers}
    with psycopg.connect(hub.database_url, autocommit=True) as connection:
        hub.relay.hold()
        connection.execute(_FILL, (rows,))
        before = account(parts, hub.database_url)
        hub.relay.go()
        begun = time.perf_counter()
        connection.execute("SELECT pg_notify(%s, '')", (CHANNEL,))
        while connection.execute("SELECT EXISTS (SELECT FROM outbox)").fetchone() == (True,):
            hub.relay.check()
            time.sleep(0.005)
        taken = time.perf_counter() - begun
        spent = account(parts, hub.database_url).since(before)
    with Connection(place.broker_url) as connection, connection.channel() as channel:
        found = channel.queue_purge(JOURNEY_QUEUE)
    if found != rows:
        raise SystemExit(f"{found} messages in the queue, not {rows}")
    used = {part: round(cpu * 1e6 / rows, 1) for part, cpu in spent.cpu.items()}
    return {"per_second": round(rows / taken), "cpu_us": used["relay"], "cpu_us_by_part": used}


def _delays(place: Ground, hub: HubEngine, seconds: float) -> list[float]:
    """Take messages in at a fixed rate; returns milliseconds from each row to the consumer."""
    since, consumer = hub.now(), _Arrivals(place.broker_url)
    wait_for_quiet()
    consumer.start()
    hub.feed(do="flow", seconds=seconds, hertz=HERTZ, journeys=["bench.three_calls"])
    count = int(seconds * HERTZ)
    consumer.stop_after(count)
    with psycopg.connect(hub.database_url) as connection:
        rows = connection.execute(
            "SELECT id::text, extract(epoch FROM created_at)::float8 FROM run WHERE created_at >= %s",
            (since,),
        ).fetchall()
    if len(rows) != count or any(run_id not in consumer.at for run_id, _ in rows):
        raise SystemExit(f"{len(consumer.at)} wakes seen of {len(rows)}, not {count}")
    warming = count // 10
    ordered = sorted(rows, key=lambda row: row[1])[warming:]
    return [(consumer.at[run_id] - created) * 1000 for run_id, created in ordered]


class _Arrivals(threading.Thread):
    """A consumer of the queue that notes when each wake came."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._is_done = threading.Event()
        self.at: dict[str, float] = {}

    def run(self) -> None:
        """Note arrivals until told to stop."""
        with Connection(self._url) as connection, connection.channel() as channel:
            queue = Queue(JOURNEY_QUEUE, no_declare=True)
            with Consumer(
                channel,
                [queue],
                on_message=self._note,
                prefetch_count=100,
                auto_declare=False,
                accept=["text/plain"],
            ):
                while not self._is_done.is_set():
                    try:
                        connection.drain_events(timeout=0.2)
                    except TimeoutError:
                        continue

    def stop_after(self, count: int) -> None:
        """Wait until so many came, ten seconds at most, and stop."""
        end = time.monotonic() + 10
        while len(self.at) < count and time.monotonic() < end:
            time.sleep(0.05)
        self._is_done.set()
        self.join(5)

    def _note(self, message: Any) -> None:
        body = message.body
        self.at[body if isinstance(body, str) else bytes(body).decode()] = time.time()
        message.ack()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
