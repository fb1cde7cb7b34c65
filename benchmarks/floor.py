"""The floor: the least code that runs the three calls durably, many runs at once, one commit for many.

One greenlet per run in hand, one writer per process that takes whatever waits (64 rows at most) and
commits it together, kept ``http.client`` connections, a quorum queue. No encryption, no consent, no
exchange log, no retry, no versions, no resume of a half-done run: what the product adds is what the
ratio shows. ``python -m benchmarks.floor`` is one worker process; the driver starts two.
"""

from gevent import monkey

monkey.patch_all()

import http.client  # noqa: E402
import json  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
import psycopg  # noqa: E402
from gevent.event import AsyncResult  # noqa: E402
from gevent.queue import Queue  # noqa: E402
from kombu.connection import Connection  # noqa: E402
from kombu.entity import Queue as BrokerQueue  # noqa: E402
from kombu.messaging import Consumer  # noqa: E402

from benchmarks.floor_work import (  # noqa: E402
    CALLS,
    QUEUE_ARGUMENTS,
    Work,
    request_of,
    status_after,
)

_MOST_ROWS = 64
_BEGIN = """
INSERT INTO floor_run(id, journey, version, status, step, data)
SELECT id, 'three_calls', 1, 'running', 0, data FROM unnest(%s::uuid[], %s::jsonb[]) AS t(id, data)
ON CONFLICT DO NOTHING"""
_MOVE = """
WITH t AS (SELECT * FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::jsonb[])
             AS t(id, seq, status, name, output)),
     moved AS (UPDATE floor_run r SET step = t.seq, status = t.status, ended_at = clock_timestamp()
                 FROM t WHERE r.id = t.id AND r.step = t.seq - 1 RETURNING r.id)
INSERT INTO floor_step(run_id, seq, name, outcome, output)
SELECT t.id, t.seq, t.name, 'ok', t.output FROM t JOIN moved ON moved.id = t.id
ON CONFLICT DO NOTHING"""


class Writer:
    """Commits the rows of all greenlets of the process together."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: Queue[tuple[bool, tuple[Any, ...], AsyncResult[bool]]] = Queue()
        gevent.spawn(self._loop)

    def begin(self, *row: Any) -> None:
        """Make a run's row; returns once it is committed."""
        self._put(row, is_new=True)

    def move(self, *row: Any) -> None:
        """Move a run and log the step; returns once both are committed."""
        self._put(row, is_new=False)

    def _put(self, row: tuple[Any, ...], *, is_new: bool) -> None:
        outcome: AsyncResult[bool] = AsyncResult()
        self._waiting.put((is_new, row, outcome))
        outcome.get()

    def _loop(self) -> None:
        connection = psycopg.connect(self._url, autocommit=True, prepare_threshold=1)
        while True:
            batch = [self._waiting.get()]
            while len(batch) < _MOST_ROWS and not self._waiting.empty():
                batch.append(self._waiting.get())
            begun = [row for is_new, row, _ in batch if is_new]
            moved = [row for is_new, row, _ in batch if not is_new]
            if begun and moved:
                with connection.pipeline(), connection.transaction():
                    connection.execute(_BEGIN, _columns(begun))
                    connection.execute(_MOVE, _columns(moved))
            elif begun:
                connection.execute(_BEGIN, _columns(begun))
            else:
                connection.execute(_MOVE, _columns(moved))
            for _, _, outcome in batch:
                outcome.set(True)


class Caller:
    """Asks the partner over kept connections, as many as are in use at once."""

    def __init__(self, work: Work) -> None:
        self._host, self._port, self._path = work.partner
        self._idle: list[http.client.HTTPConnection] = []

    def ask(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the partner's answer."""
        kept = self._idle.pop() if self._idle else None
        connection = kept or http.client.HTTPConnection(self._host, self._port, timeout=30)
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"{self._path}/{name}", json.dumps(body).encode(), headers)
        answer = json.loads(connection.getresponse().read())
        self._idle.append(connection)
        return dict(answer)


def main() -> None:
    """Work until killed."""
    work = Work.read()
    writer, caller = Writer(work.database_url), Caller(work)
    taken: Queue[tuple[dict[str, Any], Any]] = Queue()

    def run() -> None:
        while True:
            event, message = taken.get()
            writer.begin(event["id"], json.dumps(event))
            for seq, name in enumerate(CALLS, 1):
                answer = caller.ask(name, request_of(event))
                writer.move(event["id"], seq, status_after(seq), name, json.dumps(answer))
            message.ack()

    for _ in range(work.width):
        gevent.spawn(run)
    with Connection(work.broker_url) as connection, connection.channel() as channel:
        consumer = Consumer(
            channel,
            [BrokerQueue(work.queue, queue_arguments=QUEUE_ARGUMENTS)],
            callbacks=[lambda event, message: taken.put((event, message))],
            prefetch_count=min(400, max(10, 2 * work.width)),
            auto_declare=False,
        )
        consumer.consume()
        while True:
            try:
                connection.drain_events(timeout=1)
            except TimeoutError:
                continue


def _columns(rows: list[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


if __name__ == "__main__":
    main()
