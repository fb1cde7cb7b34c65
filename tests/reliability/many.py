"""Many seeds, in as many processes as there are cores, each on a copy of one prepared database."""

import json
import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.reliability.reports import Report

ROOT = Path(__file__).parents[2]


def run_many(database_url: str, *, first: int, last: int, parts: int) -> tuple[Report, list[str]]:
    """Run the seeds from ``first`` to before ``last``; returns what was counted and what failed."""
    report = Report(name="seeds", seed=f"{first}-{last - 1}")
    with copies(database_url, parts) as urls:
        running = [_start(url, first + number, parts, last) for number, url in enumerate(urls)]
        said = [process.communicate() for process in running]
    failures = []
    for (out, err), process in zip(said, running, strict=True):
        documents = [json.loads(line) for line in out.splitlines()]
        failures += [document["said"] for document in documents if "failed" in document]
        if process.returncode and not failures:
            failures.append(err[-4000:])
        for document in documents:
            if "failed" not in document:
                _add(report, document)
    return report, failures


@contextmanager
def copies(url: str, count: int) -> Iterator[list[str]]:
    """Copies of a database, one for each part, to which nobody may be connected."""
    server, name = url.rpartition("/")[0], url.rpartition("/")[2]
    names = [f"parvis_{secrets.token_hex(6)}" for _ in range(count)]
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        for copy in names:
            connection.execute(f"CREATE DATABASE {copy} TEMPLATE {name}")
        try:
            yield [f"{server}/{copy}" for copy in names]
        finally:
            for copy in names:
                connection.execute(f"DROP DATABASE IF EXISTS {copy} WITH (FORCE)")


def _start(url: str, first: int, step: int, last: int) -> "subprocess.Popen[str]":
    numbers = [str(number) for number in (first, step, last)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.reliability.part", url, *numbers],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _add(report: Report, part: dict) -> None:
    for name in ("attempt", "acknowledged", "ok", "lost", "duplicated", "recovered", "unexpected"):
        setattr(report, name, getattr(report, name) + part[name])
    report.more += Counter(part["more"])
