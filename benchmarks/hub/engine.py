"""The product as one of the engines: web-less intake, relay, workers, each in its own process."""

import json
import sys
import time
from contextlib import suppress
from typing import Any, Final

from benchmarks.engines import STEPS, Engine
from benchmarks.hub import database, past
from benchmarks.lab.ground import Ground
from benchmarks.lab.herd import EngineFailedError, Herd

PAST: Final = 10_000
# what is looked for while it works must cost it nothing: one row of the small index, none at the end
_LEFT: Final = """
SELECT EXISTS (SELECT FROM run WHERE status = 'ready' AND created_at >= %s)
    OR EXISTS (SELECT FROM run WHERE ended_at IS NULL AND created_at >= %s)"""
_FOUND: Final = """
WITH r AS (SELECT id, ended_at FROM run WHERE created_at >= %(since)s AND status = 'done'),
     s AS (SELECT run_id, count(*) AS steps, min(started_at) AS started_at FROM step
            WHERE run_id IN (SELECT id FROM r) AND outcome = 'ok' GROUP BY run_id)
SELECT count(*), sum(s.steps)::int, extract(epoch FROM max(r.ended_at) - min(s.started_at))::float8,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM r.ended_at - s.started_at)),
       percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM r.ended_at - s.started_at))
  FROM r JOIN s ON s.run_id = r.id"""


class HubEngine(Engine):
    """The product on a database of its own; ``is_embedded`` runs it without a broker.

    ``spent`` covers everything from the first message taken in to the last run ended; the feeder's
    own processor time stands apart, as the publisher's does for the others.
    """

    name = "hub"

    def __init__(  # noqa: PLR0913 - what a measure may vary, each with a default
        self,
        ground: Ground,
        *,
        width: int,
        path: str = "fast",
        is_embedded: bool = False,
        database_name: str = "bench_hub",
        past_runs: int = PAST,
        read_timeout: str = "10s",
    ) -> None:
        super().__init__(ground)
        self._path = path
        self._is_embedded = is_embedded
        self._database = database_name
        self._past = past_runs
        self._read_timeout = read_timeout
        self._since: Any = None
        self.filled_in = 0.0
        self._environment = database.settings_of(ground.folder, self.database_url)
        broker = {} if is_embedded else {"PARVIS_BROKER_URL": ground.broker_url}
        # the others tell nobody that a run ended
        self._environment |= {"PARVIS_GREENLETS": str(width), "PARVIS_BUS_EVENTS": "none", **broker}
        self.herd = self._herd("worker", "benchmarks.hub.worker")
        self.relay = self._herd("relay", "parvis.relay")
        self._scheduler = self._herd("scheduler", "parvis.scheduler")
        self._feeder = self._herd("feeder", "benchmarks.hub.feeder", has_pipe=True)

    @property
    def database_url(self) -> str:
        """Its own database."""
        return self.ground.database(self._database)

    @property
    def parts(self) -> dict[str, list[int]]:
        """The trees of every process of the product."""
        found = {**super().parts, "intake": self._feeder.pids}
        beside = {"relay": self.relay.pids, "scheduler": self._scheduler.pids}
        return found if self._is_embedded else found | beside

    def start(self) -> None:
        """Lay out city and past once, bring everything up."""
        self.start_without_workers()
        if not self._is_embedded:  # which keeps time itself
            self._scheduler.start(1)
        self.herd.start(1 if self._is_embedded else 2)

    def start_without_workers(self) -> None:
        """Lay out city and past once, bring up what comes before the workers."""
        self.lay_out()
        if not self._is_embedded:
            self.relay.start(1)
        self._feeder.start(1)
        self._read()

    def stop(self) -> None:
        """End feeder, workers, scheduler and relay."""
        for herd in (self._feeder, self.herd, self._scheduler, self.relay):
            with suppress(ProcessLookupError):
                herd.stop(patience=60)

    def fill(self, count: int) -> dict[str, Any]:
        """Take so many messages in, and let the relay hand all wakes to the broker."""
        self._since = self.now()
        fed = self.feed(do="fill", count=count)
        if not self._is_embedded:
            self._wait_for_the_relay()
        return {
            "intake_per_second": round(count / fed["seconds"], 1),
            "intake_cpu_ms": round(fed["cpu"] * 1000 / count, 3),
        }

    def feed(self, **command: Any) -> Any:
        """Give the feeder a command and return its answer."""
        pipe = self._feeder.processes[0].stdin
        assert pipe  # noqa: S101 - it was asked for
        pipe.write(json.dumps(command) + "\n")
        pipe.flush()
        return self._read()

    def pace(self, count: int, hertz: float) -> list[float]:
        """Run one after another; returns milliseconds from before intake to after the end."""
        return list(self.feed(do="pace", count=count, hertz=hertz)["milliseconds"])

    def left(self) -> int:
        """Return 0 when all runs of this pass have ended, else 1."""
        return int(self.ask(_LEFT, (self._since, self._since))[0])

    def found(self, since: Any, count: int) -> tuple[float, float, float]:
        """Count runs and steps, read the times off the rows."""
        runs, steps, seconds, p50, p99 = self.ask(_FOUND, {"since": since})
        if (runs, steps) != (count, STEPS * count):
            states = self.ask(
                "SELECT json_object_agg(coalesce(error_code, status), n) FROM (SELECT error_code,"
                " status, count(*) AS n FROM run WHERE created_at >= %s GROUP BY 1, 2) AS x",
                (since,),
            )
            raise EngineFailedError(f"hub: {runs} runs and {steps} steps, not {count}: {states[0]}")
        return float(seconds), float(p50), float(p99)

    def lay_out(self) -> None:
        """Migrate, make city and past when the database is new; say how fast the city answers."""
        if not self.ask("SELECT to_regclass('run') IS NOT NULL")[0]:
            database.prepare(
                self.database_url,
                partner_url=self.ground.partner_url,
                path=self._path,
                read_timeout=self._read_timeout,
            )
            self.filled_in = past.fill(self.database_url, self._past)
        else:
            database.use_path(
                self.database_url,
                partner_url=self.ground.partner_url,
                path=self._path,
                read_timeout=self._read_timeout,
            )

    def _wait_for_the_relay(self) -> None:
        while self.ask("SELECT EXISTS (SELECT FROM outbox WHERE topic = 'wake')")[0]:
            self.relay.check()
            time.sleep(0.02)

    def _read(self) -> Any:
        pipe = self._feeder.processes[0].stdout
        assert pipe  # noqa: S101 - it was asked for
        line = pipe.readline()
        if not line:
            self._feeder.check()
            raise EngineFailedError("the feeder ended")
        return json.loads(line)

    def _herd(self, name: str, module: str, *, has_pipe: bool = False) -> Herd:
        return Herd(
            (sys.executable, "-m", module),
            environment=self._environment,
            log=self.ground.folder / f"hub-{name}.log",
            has_pipe=has_pipe,
        )
