"""The engines of one comparison behind one face: started, filled, let go, counted from their tables.

A run counts when its row says so, never when it was begun or sent; steps are counted too, before a
rate is given. The clock runs from the first row begun to the last one ended, so neither start-up
nor laying out the work is in it.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, runtime_checkable
from uuid import uuid4

import psycopg
from kombu.connection import Connection
from kombu.messaging import Producer

from benchmarks.floor_work import EVENT, QUEUE_ARGUMENTS, TABLES
from benchmarks.lab.accounts import Account, account, wait_for_quiet
from benchmarks.lab.ground import Ground
from benchmarks.lab.herd import EngineFailedError, Herd

STEPS: Final = 3
_LOOK_EVERY: Final = 0.2
_FOUND: Final = """
SELECT count(*) AS runs, extract(epoch FROM max(ended_at) - min(started_at))::float8 AS seconds,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)) AS p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)) AS p99
  FROM floor_run WHERE started_at >= %(since)s AND status = 'done'"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One pass of one engine: completed runs a second and what they cost."""

    engine: str
    runs: int
    per_second: float
    p50_ms: float
    p99_ms: float
    busy_before: float
    spent: Account
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cpu_ms(self) -> float:
        """Processor milliseconds per run: workers, relay, PostgreSQL, broker; partner apart."""
        parts = {"workers", "relay", "scheduler", "postgres", "broker"}
        return sum(spent for part, spent in self.spent.cpu.items() if part in parts) * self._per

    @property
    def commits(self) -> float:
        """Writing transactions per run."""
        return self.spent.commits / self.runs

    @property
    def wal_kb(self) -> float:
        """Kilobytes of WAL per run."""
        return self.spent.wal_bytes / self.runs / 1000

    @property
    def _per(self) -> float:
        return 1000 / self.runs

    def told(self) -> dict[str, Any]:
        """Return the pass as a line of figures."""
        return {
            "engine": self.engine,
            "runs": self.runs,
            "per_second": round(self.per_second, 1),
            "p50_ms": round(self.p50_ms, 1),
            "p99_ms": round(self.p99_ms, 1),
            "cpu_ms": round(self.cpu_ms, 3),
            "cpu_ms_by_part": {
                part: round(spent * self._per, 3) for part, spent in self.spent.cpu.items()
            },
            "commits": round(self.commits, 3),
            "wal_kb": round(self.wal_kb, 2),
            "busy_before": self.busy_before,
            **self.extra,
        }


class Engine(ABC):
    """One engine on the ground of a measure."""

    name: str

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.herd: Herd

    @abstractmethod
    def start(self) -> None:
        """Bring its workers up, with nothing to do."""

    @abstractmethod
    def fill(self, count: int) -> dict[str, Any]:
        """Lay out so many runs, its workers held; returns what is worth telling."""

    @abstractmethod
    def left(self) -> int:
        """Return how many runs have not ended."""

    @abstractmethod
    def found(self, since: Any, count: int) -> tuple[float, float, float]:
        """Check the rows of the runs begun since; returns seconds, p50 and p99 in seconds."""

    @property
    @abstractmethod
    def database_url(self) -> str:
        """Where its rows are."""

    @property
    def parts(self) -> dict[str, list[int]]:
        """The process trees whose work is counted."""
        return {"workers": self.herd.pids, **self.ground.servers}

    def stop(self) -> None:
        """End its workers."""
        self.herd.stop()

    def warm(self, count: int) -> None:
        """Run so many and forget them."""
        self.measure(count, patience=240, is_quiet=False)

    def measure(self, count: int, *, patience: float = 120, is_quiet: bool = True) -> Pass:
        """Lay out so many runs, let go, wait until all have ended, count."""
        if is_quiet:
            wait_for_quiet()
        since = self.now()
        before = account(self.parts, self.database_url)
        self.herd.hold()  # for seconds only: a broker gives a silent client up
        extra = self.fill(count)
        busy = wait_for_quiet(tries=4) if is_quiet else 1.0
        self.herd.go()
        self._wait(patience)
        spent = account(self.parts, self.database_url).since(before)
        seconds, p50, p99 = self.found(since, count)
        return Pass(
            engine=self.name,
            runs=count,
            per_second=count / seconds,
            p50_ms=p50 * 1000,
            p99_ms=p99 * 1000,
            busy_before=busy,
            spent=spent,
            extra=extra,
        )

    def ask(self, sql: str, values: Any = None) -> tuple[Any, ...]:
        """Return the one row of a question to its database."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            row = connection.execute(sql, values).fetchone()
        if row is None:
            raise EngineFailedError(f"nothing found: {sql}")
        return row

    def now(self) -> Any:
        """Return the server's own time."""
        return self.ask("SELECT clock_timestamp()")[0]

    def _wait(self, patience: float) -> None:
        end = time.monotonic() + patience
        while self.left():
            self.herd.check()
            if time.monotonic() > end:
                raise EngineFailedError(
                    f"{self.name}: {self.left()} runs did not end in {patience} s:\n"
                    f"{self.herd.tail()}"
                )
            time.sleep(_LOOK_EVERY)


@runtime_checkable
class Pacer(Protocol):
    """An engine that can be given one run after another."""

    def pace(self, count: int, hertz: float) -> list[float]:
        """Run one after another at a rate; returns milliseconds, the first tenth left out."""


class TableEngine(Engine):
    """An engine that works on the floor's tables and takes its runs from a queue of its own."""

    command: tuple[str, ...]
    processes = 2

    def __init__(self, ground: Ground, *, width: int, path: str = "fast") -> None:
        super().__init__(ground)
        self.width = width
        self.path = path
        self._waited_for = 0
        self.herd = self._herd()

    @property
    def database_url(self) -> str:
        """Its own database of the floor's tables."""
        return self.ground.database(f"bench_{self.name}")

    @property
    def queue(self) -> str:
        """Its own queue."""
        return f"bench.{self.name}.{self.path}"

    def environment(self) -> dict[str, str]:
        """Return what its processes are told."""
        return {
            "BENCH_DATABASE_URL": self.database_url,
            "BENCH_BROKER_URL": self.ground.broker_url,
            "BENCH_PARTNER_URL": f"{self.ground.partner_url}/{self.path}",
            "BENCH_QUEUE": self.queue,
            "BENCH_WIDTH": str(self.width),
        }

    def start(self) -> None:
        """Make tables and queue, bring the workers up."""
        self._make_tables()
        with Connection(self.ground.broker_url) as connection, connection.channel() as channel:
            channel.queue_declare(
                self.queue,
                durable=True,
                exclusive=False,
                auto_delete=False,
                arguments=QUEUE_ARGUMENTS,
            )
        self.herd.start(self.processes)

    def fill(self, count: int) -> dict[str, Any]:
        """Publish so many messages, confirmed."""
        self._waited_for = (
            self.ask("SELECT count(*) FROM floor_run WHERE status = 'done'")[0] + count
        )
        options = {"confirm_publish": True}
        with (
            Connection(self.ground.broker_url, transport_options=options) as connection,
            connection.channel() as channel,
        ):
            producer = Producer(channel, serializer="json")
            for _ in range(count):
                event = {"id": str(uuid4()), **EVENT}
                producer.publish(event, exchange="", routing_key=self.queue, delivery_mode=2)
        return {}

    def left(self) -> int:
        """Return how many rows are missing or not done."""
        done = int(self.ask("SELECT count(*) FROM floor_run WHERE status = 'done'")[0])
        return max(0, self._waited_for - done)

    def found(self, since: Any, count: int) -> tuple[float, float, float]:
        """Count runs and steps, read the times off the rows."""
        runs, seconds, p50, p99 = self.ask(_FOUND, {"since": since})
        steps = self.ask(
            "SELECT count(*) FROM floor_step s JOIN floor_run r ON r.id = s.run_id"
            " WHERE r.started_at >= %s",
            (since,),
        )[0]
        if (runs, steps) != (count, STEPS * count):
            raise EngineFailedError(f"{self.name}: {runs} runs and {steps} steps, not {count}")
        return float(seconds), float(p50), float(p99)

    def pace(self, count: int, hertz: float) -> list[float]:
        """Publish one message after another and watch each row; returns milliseconds."""
        warming, taken = count // 10, list[float]()
        options = {"confirm_publish": True}
        with (
            psycopg.connect(self.database_url, autocommit=True, prepare_threshold=1) as rows,
            Connection(self.ground.broker_url, transport_options=options) as connection,
            connection.channel() as channel,
        ):
            producer, due = Producer(channel, serializer="json"), time.perf_counter()
            for number in range(count + warming):
                due += 1 / hertz
                time.sleep(max(0.0, due - time.perf_counter()))
                run, begun = str(uuid4()), time.perf_counter()
                event = {"id": run, **EVENT}
                producer.publish(event, exchange="", routing_key=self.queue, delivery_mode=2)
                sql = "SELECT FROM floor_run WHERE id = %s AND status = 'done'"
                while rows.execute(sql, (run,)).fetchone() is None:
                    time.sleep(0.0004)
                if number >= warming:
                    taken.append((time.perf_counter() - begun) * 1000)
        return taken

    def _make_tables(self) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            there = connection.execute("SELECT to_regclass('floor_run') IS NOT NULL").fetchone()
            if not (there and there[0]):
                for statement in TABLES.split(";"):
                    connection.execute(statement)

    def _herd(self) -> Herd:
        log = self.ground.folder / f"{self.name}.log"
        return Herd(self.command, environment=self.environment(), log=log)
