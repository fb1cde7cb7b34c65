"""Parvis, DBOS and Celery behind one face: given events, with one worker that is killed and started again."""

import os
import signal
import subprocess
from contextlib import suppress

from benchmarks.hub.engine import HubEngine
from benchmarks.peers.engines import peer

WIDTH = 8  # calls at once, the same for all
_DBOS_DONE = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'"
_TABLE_DONE = "SELECT count(*) FROM floor_run WHERE status = 'done'"
_PARVIS_DONE = "SELECT count(*) FROM run WHERE status = 'done'"


class Contestant:
    """One engine with one worker."""

    done_sql: str
    is_ours = False

    def __init__(self, name, engine):
        self.name = name
        self.engine = engine
        self.before = 0

    def start(self):
        """Bring it up with its one worker; remember what its tables held before."""
        self.engine.processes = 1
        self.engine.start()
        self.before = self._done()

    def send(self, count):
        """Have it accept so many events; returns how many it accepted."""
        self.engine.fill(count)
        return count

    def kill(self):
        """Kill -9 the worker, whatever it is doing, with all it started."""
        for process in self.engine.herd.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)

    def restart(self):
        """Start the worker again."""
        self.engine.herd.start(1)

    def done(self):
        """Return how many of its runs it calls done."""
        return self._done() - self.before

    def stop(self):
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            self.engine.stop()

    def _done(self):
        return int(self.engine.ask(self.done_sql)[0])


class Parvis(Contestant):
    """Intake, relay, scheduler and one worker on RabbitMQ; only the worker is killed."""

    done_sql = _PARVIS_DONE
    is_ours = True

    def __init__(self, ground):
        super().__init__("parvis", HubEngine(ground, width=WIDTH, past_runs=100))

    def start(self):
        self.engine.start_without_workers()
        self.engine._scheduler.start(1)
        self.engine.herd.start(1)
        self.before = self._done()

    def send(self, count):
        self.engine.feed(do="fill", count=count)
        return count

    def stop(self):
        feeders = list(self.engine._feeder.processes)
        super().stop()
        for feeder in feeders:
            feeder.stdin.close()
            feeder.stdout.close()


class Celery(Contestant):
    """A chain of three tasks, ``acks_late`` and ``reject_on_worker_lost``, on a quorum queue."""

    done_sql = _TABLE_DONE

    def __init__(self, ground):
        super().__init__("celery", peer("celery", ground, width=WIDTH))


class Dbos(Contestant):
    """A workflow of three steps; its worker comes back under its own name, which is how it recovers."""

    done_sql = _DBOS_DONE

    def __init__(self, ground):
        super().__init__("dbos", peer("dbos", ground, width=WIDTH))
        self.engine.herd._environment["BENCH_EXECUTOR"] = "worker-1"
