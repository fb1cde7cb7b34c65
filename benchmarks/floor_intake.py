"""The floor of intake: the least that takes a body in durably, many requests to a commit.

No signature, no validation, no encryption, no run: a Flask view, one writing greenlet per process,
one statement and one commit for all rows that wait, 202 afterwards. The product is compared with it
in the same pass. Run under gunicorn's gevent worker: ``benchmarks.floor_intake:application()``.
"""

import os
import uuid
from typing import Any

import gevent
import psycopg
from flask import Flask, request
from gevent.event import AsyncResult
from gevent.queue import Queue

TABLES = """
CREATE TABLE floor_event(id uuid PRIMARY KEY, source text NOT NULL, event_id text NOT NULL,
  type text NOT NULL, body jsonb NOT NULL, received_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (source, event_id));
CREATE TABLE floor_outbox(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event uuid NOT NULL)
"""
_WRITE = """
WITH waiting AS (SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::jsonb[])
                   AS row(id, source, event_id, type, body)),
     new AS (INSERT INTO floor_event(id, source, event_id, type, body) SELECT * FROM waiting
             ON CONFLICT DO NOTHING RETURNING id),
     wake AS (INSERT INTO floor_outbox(event) SELECT id FROM new)
SELECT id FROM new"""
_MOST_ROWS = 64


class Writer:
    """Writes what waits, together."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: Queue[tuple[tuple[Any, ...], AsyncResult[bool]]] = Queue()
        gevent.spawn(self._loop)

    def write(self, row: tuple[Any, ...]) -> bool:
        """Return whether the row was new, once it is committed."""
        outcome: AsyncResult[bool] = AsyncResult()
        self._waiting.put((row, outcome))
        return bool(outcome.get())

    def _loop(self) -> None:
        connection = psycopg.connect(self._url, autocommit=True, prepare_threshold=1)
        while True:
            batch = [self._waiting.get()]
            while len(batch) < _MOST_ROWS and not self._waiting.empty():
                batch.append(self._waiting.get())
            columns = [list(column) for column in zip(*(row for row, _ in batch), strict=True)]
            new = {row[0] for row in connection.execute(_WRITE, columns)}
            for row, outcome in batch:
                outcome.set(row[0] in new)


def application() -> Flask:
    """Return the application of one process."""
    app = Flask(__name__)
    writer = Writer(os.environ["FLOOR_DATABASE_URL"])

    @app.post("/v1/events")
    def take() -> tuple[dict[str, str], int, dict[str, str]]:
        event = request.get_json(force=True)
        row_id = uuid.uuid4()
        row = (row_id, event["source"], event["id"], event["type"], request.get_data(as_text=True))
        status = "accepted" if writer.write(row) else "duplicate"
        return {"id": str(row_id), "status": status}, 202, {"Location": f"/v1/events/{row_id}"}

    return app
