"""The parent of several worker processes: starts them, starts again what dies, stops them together.

A lean process of its own: it knows nothing of the hub but how to start one worker. Each worker is
one of many processes that share the work through PostgreSQL and the broker, here or elsewhere.
"""

import os
import select
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import structlog

from parvis.children import Crew, Program
from parvis.logs import configure

PATIENCE_SECONDS: Final = 50.0  # a worker stops within 45
POLL_SECONDS: Final = 0.2
_ORDERLY: Final = frozenset({0, -signal.SIGTERM})  # by the signal itself: it had not begun yet
COUNTERS: Final = "PROMETHEUS_MULTIPROC_DIR"
_log = structlog.get_logger()


def main(count: int, arguments: Sequence[str]) -> int:
    """Keep ``count`` workers running until SIGTERM or SIGINT; returns the exit code.

    Args:
        count: How many worker processes.
        arguments: What each of them is told.
    """
    configure(os.environ.get("PARVIS_LOG_FORMAT") or "json")
    crew, stopping = Crew(), _Asked()
    with tempfile.TemporaryDirectory(prefix="parvis-metrics-") as counters:
        workers = [_worker(number, arguments, counters) for number in range(1, count + 1)]
        for worker in workers:
            crew.start(worker)
        while not stopping.within(POLL_SECONDS):
            for name in crew.mend():
                _log.warning("worker.restarted", worker=name, pid=crew.pids.get(name))
        names = [worker.name for worker in workers]
        crew.stop(names, asked_first=names)
    return int(any(worker.ended_with not in _ORDERLY for worker in workers))


def _worker(number: int, arguments: Sequence[str], counters: str) -> Program:
    return Program(
        name=f"worker_{number}",
        command=[sys.executable, "-m", "parvis.worker", *arguments],
        environment=partial(_environment, counters),
        patience_seconds=PATIENCE_SECONDS,
    )


def _environment(counters: str) -> Mapping[str, str]:
    """Return a worker's environment: ours, and a folder of counters when figures are wanted.

    The workers serve the figures of all of them on one port.
    """
    shared = {COUNTERS: counters} if os.environ.get("PARVIS_METRICS_PORT") else {}
    return {**os.environ, **shared}


class _Asked:
    """Whether somebody asked this process to stop; waiting for it also ends when a child does."""

    def __init__(self) -> None:
        self._is_asked = False
        self._reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def within(self, seconds: float) -> bool:
        """Wait at most so long; tell whether to stop."""
        if not self._is_asked and select.select([self._reading], [], [], seconds)[0]:
            os.read(self._reading, 4096)
        return self._is_asked

    def _ask(self, *_signal: object) -> None:
        self._is_asked = True


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
