"""The peers as engines of a comparison."""

import os
import subprocess
import sys
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.engines import STEPS, Engine, TableEngine
from benchmarks.lab.figures import ROOT
from benchmarks.lab.ground import Ground
from benchmarks.lab.herd import EngineFailedError, Herd
from benchmarks.peers.places import camel_class_path, python_of

JAVA_OPTIONS: Final = ("-Xmx768m", "-XX:+UseSerialGC")
_DBOS_FOUND: Final = """
SELECT count(*), (max(completed_at) - min(started_at_epoch_ms)) / 1000.0,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY completed_at - started_at_epoch_ms) / 1000.0,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY completed_at - started_at_epoch_ms) / 1000.0
  FROM dbos.workflow_status WHERE status = 'SUCCESS' AND created_at >= %(since)s"""


class Floor(TableEngine):
    """The greenlet loop with one writer per process."""

    name = "floor"
    command = (sys.executable, "-m", "benchmarks.floor")


class Threads(TableEngine):
    """The thread loop with prepared requests."""

    name = "threads"
    command = (sys.executable, "-m", "benchmarks.floor_threads")


class Camel(TableEngine):
    """Apache Camel in one warm virtual machine."""

    name = "camel"
    processes = 1

    def _herd(self) -> Herd:
        self.command = ("java", *JAVA_OPTIONS, "-cp", camel_class_path(), "bench.Peer")
        return super()._herd()

    def environment(self) -> dict[str, str]:
        """Return what the virtual machine is told."""
        url = urlsplit(self.database_url)
        options = "prepareThreshold=1&stringtype=unspecified"
        return super().environment() | {
            "BENCH_JDBC_URL": f"jdbc:postgresql://127.0.0.1:{url.port}{url.path}?{options}",
            "BENCH_DATABASE_USER": str(url.username),
            "BENCH_DATABASE_PASSWORD": str(url.password),
            "BENCH_BROKER_PORT": str(urlsplit(self.ground.broker_url).port),
        }


class PythonPeer(TableEngine):
    """A peer in an environment of its own, fed by a process of that environment."""

    arguments: tuple[str, ...] = ()

    @property
    def queue(self) -> str:
        """Its own queue; some peers allow no dot."""
        return f"bench_{self.name}"

    def start(self) -> None:
        """Make tables and what the peer wants, bring its workers up."""
        self._make_tables()
        self._send(0)  # tables of its own
        self.herd.start(self.processes)

    def fill(self, count: int) -> dict[str, Any]:
        """Send so many events."""
        done = self.ask("SELECT count(*) FROM floor_run WHERE status = 'done'")[0]
        self._waited_for = done + count
        self._send(count)
        return {}

    def _send(self, count: int) -> None:
        python = str(python_of(self.name))
        subprocess.run(
            [python, "-m", "benchmarks.peers.send", self.name, str(count)],
            cwd=ROOT,
            env={**os.environ, **self.environment()},
            check=True,
        )

    def _herd(self) -> Herd:
        self.command = (str(python_of(self.name)), *self.arguments)
        return super()._herd()


class Celery(PythonPeer):
    """A chain of three tasks, two processes of threads."""

    name = "celery"

    def _herd(self) -> Herd:
        self.arguments = (
            *("-m", "celery", "-A", "benchmarks.peers.celery_app", "worker", "-P", "threads"),
            *("-c", str(self.width), "-l", "ERROR"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        )
        return super()._herd()


class Dramatiq(PythonPeer):
    """A pipeline of three actors; its own parent starts two processes of threads."""

    name = "dramatiq"
    processes = 1

    def _herd(self) -> Herd:
        self.arguments = ("-m", "dramatiq", "benchmarks.peers.dramatiq_app")
        self.arguments += ("-p", "2", "-t", str(self.width))
        return super()._herd()


class Procrastinate(PythonPeer):
    """One job per run, PostgreSQL as queue."""

    name = "procrastinate"

    def _herd(self) -> Herd:
        self.arguments = ("-m", "procrastinate", "--app=benchmarks.peers.procrastinate_app.app")
        self.arguments += ("worker", "-q", "bench", "-c", str(self.width))
        return super()._herd()


class Dbos(PythonPeer):
    """A workflow of three steps on DBOS's own queue and tables."""

    name = "dbos"
    arguments = ("-m", "benchmarks.peers.dbos_app")

    def fill(self, count: int) -> dict[str, Any]:
        """Enqueue so many workflows."""
        self._waited_for = self._done() + count
        self._send(count)
        return {}

    def left(self) -> int:
        """Return how many workflows have not succeeded."""
        return max(0, self._waited_for - self._done())

    def found(self, since: Any, count: int) -> tuple[float, float, float]:
        """Count workflows and their steps, read the times off the rows."""
        since_ms = int(since.timestamp() * 1000)
        runs, seconds, p50, p99 = self.ask(_DBOS_FOUND, {"since": since_ms})
        steps = self.ask(
            "SELECT count(*) FROM dbos.operation_outputs o JOIN dbos.workflow_status w"
            " USING (workflow_uuid) WHERE w.created_at >= %s",
            (since_ms,),
        )[0]
        if runs != count or steps < STEPS * count:
            raise EngineFailedError(f"dbos: {runs} workflows and {steps} steps, not {count}")
        return float(seconds), float(p50), float(p99)

    def _done(self) -> int:
        sql = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'"
        return int(self.ask(sql)[0])


def peer(name: str, ground: Ground, *, width: int, path: str = "fast") -> Engine:
    """Return a floor or a peer by its name."""
    known: dict[str, type[TableEngine]] = {
        cls.name: cls for cls in (Floor, Threads, Camel, Celery, Dbos, Dramatiq, Procrastinate)
    }
    return known[name](ground, width=width, path=path)
