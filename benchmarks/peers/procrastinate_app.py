"""The journey in procrastinate: one job per run, PostgreSQL is the queue."""

from typing import Any

import procrastinate

from benchmarks.floor_work import CALLS, Work
from benchmarks.peers import rows

WORK = Work.read()
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=WORK.database_url))


@app.task(queue="bench", name="journey")
def journey(event: dict[str, Any]) -> None:
    """Run the three calls, each logged."""
    rows.begin(event)
    for seq, name in enumerate(CALLS, 1):
        rows.step(event, seq, name)


def prepare() -> None:
    """Make the queue's tables."""
    with _sync().open() as opened:
        opened.schema_manager.apply_schema()


def send(events: list[dict[str, Any]]) -> None:
    """Defer a job for each event."""
    with _sync().open() as opened:
        task = opened.configure_task("journey", queue="bench")
        task.batch_defer(*({"event": event} for event in events))


def _sync() -> procrastinate.App:
    connector = procrastinate.SyncPsycopgConnector(conninfo=WORK.database_url)
    return procrastinate.App(connector=connector)
