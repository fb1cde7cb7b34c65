"""The loop most people would write: threads, one connection and one commit each, requests prepared.

One prepared request is copied and sent through requests' adapter, which costs half of what a
session does. ``python -m benchmarks.floor_threads`` is one worker process; the driver starts two.
"""

import json
import threading
from typing import Any

import psycopg
import requests
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.messaging import Consumer
from psycopg.types.json import Jsonb

from benchmarks.floor_work import (
    BEGIN,
    CALLS,
    MOVE,
    QUEUE_ARGUMENTS,
    Work,
    request_of,
    status_after,
)


class Loop(threading.Thread):
    """One thread: takes a message, runs its three calls, acknowledges it."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work
        self._rows = psycopg.connect(work.database_url, autocommit=True, prepare_threshold=1)
        self._adapter = requests.Session().get_adapter(work.partner_url)
        headers = {"Content-Type": "application/json"}
        self._pattern = requests.Request("POST", work.partner_url, headers=headers).prepare()

    def run(self) -> None:
        """Work until the process is killed."""
        with Connection(self._work.broker_url) as connection, connection.channel() as channel:
            consumer = Consumer(
                channel,
                [Queue(self._work.queue, queue_arguments=QUEUE_ARGUMENTS)],
                callbacks=[self._serve],
                prefetch_count=10,
                auto_declare=False,
            )
            consumer.consume()
            while True:
                try:
                    connection.drain_events(timeout=1)
                except TimeoutError:
                    continue

    def _serve(self, event: dict[str, Any], message: Any) -> None:
        self._rows.execute(BEGIN, (event["id"], Jsonb(event)))
        for seq, name in enumerate(CALLS, 1):
            answer = self._ask(name, request_of(event))
            values = {"id": event["id"], "seq": seq, "status": status_after(seq), "name": name}
            self._rows.execute(MOVE, {**values, "output": Jsonb(answer)})
        message.ack()

    def _ask(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        request = self._pattern.copy()
        request.url = f"{self._work.partner_url}/{name}"
        request.body = json.dumps(body).encode()
        request.headers["Content-Length"] = str(len(request.body))
        return dict(json.loads(self._adapter.send(request, timeout=30, proxies={}).content))


def main() -> None:
    """Work until killed."""
    work = Work.read()
    loops = [Loop(work) for _ in range(work.width)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()


if __name__ == "__main__":
    main()
