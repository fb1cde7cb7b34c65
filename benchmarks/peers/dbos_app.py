"""The journey in DBOS: a workflow of three steps on its queue, state in PostgreSQL.

DBOS keeps rows and steps itself, so nothing of the floor's tables is written.
"""

import os
import signal
import threading
from typing import Any

from dbos import DBOS

from benchmarks.floor_work import CALLS, Work
from benchmarks.peers import rows

WORK = Work.read()
POLL_SECONDS = 0.1
CONFIGURATION = {
    "name": "bench",
    "system_database_url": WORK.database_url,
    "log_level": "ERROR",
    "application_version": "1",
    # a worker that comes back under its own name takes up what it had begun
    "executor_id": os.environ.get("BENCH_EXECUTOR") or f"worker-{os.getpid()}",
    "sys_db_pool_size": 20,
}


@DBOS.step()
def card(event: dict[str, Any]) -> Any:
    """Ask for a card."""
    return rows.ask(event, CALLS[0])


@DBOS.step()
def account(event: dict[str, Any]) -> Any:
    """Ask for an account."""
    return rows.ask(event, CALLS[1])


@DBOS.step()
def welcome(event: dict[str, Any]) -> Any:
    """Ask for a word of welcome."""
    return rows.ask(event, CALLS[2])


@DBOS.workflow()
def journey(event: dict[str, Any]) -> str:
    """Run the three calls."""
    card(event)
    account(event)
    welcome(event)
    return "done"


def opened(*, is_worker: bool) -> Any:
    """Launch DBOS and return its queue; only a worker takes from it."""
    DBOS(config=CONFIGURATION)
    if not is_worker:
        DBOS.listen_queues([])
    DBOS.launch()
    return DBOS.register_queue(
        "bench",
        worker_concurrency=WORK.width,
        polling_interval_sec=POLL_SECONDS,
        on_conflict="always_update",
    )


def prepare() -> None:
    """Make its tables, before two workers at once try to."""
    opened(is_worker=False)
    DBOS.destroy()


def send(events: list[dict[str, Any]]) -> None:
    """Enqueue a workflow for each event."""
    queue = opened(is_worker=False)
    for event in events:
        queue.enqueue(journey, event)
    DBOS.destroy()


def work() -> None:
    """Work until told to end."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    opened(is_worker=True)
    stopping.wait()
    os._exit(0)  # its threads end with the process


if __name__ == "__main__":
    work()
