"""What every Python peer does in a step: one row made, one call, one fenced move with its log row."""

import json
import os
import threading
from typing import Any

import psycopg
import requests
from psycopg.types.json import Jsonb

from benchmarks.floor_work import BEGIN, MOVE, Work, request_of, status_after

_own = threading.local()


def begin(event: dict[str, Any]) -> None:
    """Make the run's row; again changes nothing."""
    _rows().execute(BEGIN, (event["id"], Jsonb(event)))


def step(event: dict[str, Any], seq: int, name: str) -> None:
    """Ask the partner, move the row, log the step."""
    url = f"{Work.read().partner_url}/{name}"
    answer = _session().post(url, json=request_of(event), timeout=30).json()
    values = {"id": event["id"], "seq": seq, "status": status_after(seq), "name": name}
    _rows().execute(MOVE, {**values, "output": Jsonb(answer)})


def ask(event: dict[str, Any], name: str) -> Any:
    """Ask the partner only, for an engine that keeps the steps itself."""
    url = f"{Work.read().partner_url}/{name}"
    return json.loads(_session().post(url, json=request_of(event), timeout=30).content)


def _rows() -> "psycopg.Connection[Any]":
    if getattr(_own, "rows_of", None) != os.getpid():
        url = Work.read().database_url
        _own.rows = psycopg.connect(url, autocommit=True, prepare_threshold=1)
        _own.rows_of = os.getpid()
    return _own.rows  # type: ignore[no-any-return]


def _session() -> requests.Session:
    if getattr(_own, "session_of", None) != os.getpid():
        _own.session, _own.session_of = requests.Session(), os.getpid()
    return _own.session  # type: ignore[no-any-return]
