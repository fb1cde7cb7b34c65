"""What a pass cost: processor time of whole process trees, transactions and WAL of PostgreSQL.

Processor time is read from the kernel's accounts (own, and that of children already reaped), so it
does not depend on who else uses the machine as wall-clock rates do.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.lab.figures import IMPATIENT

_TICKS: Final = os.sysconf("SC_CLK_TCK")
BUSY_AT_MOST: Final = 0.12


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What was spent up to a moment: seconds of processor by part, transactions, WAL."""

    cpu: Mapping[str, float]
    commits: int
    wal_bytes: int

    def since(self, before: "Account") -> "Account":
        """Return what was spent since an earlier moment."""
        return Account(
            cpu={part: spent - before.cpu.get(part, 0.0) for part, spent in self.cpu.items()},
            commits=self.commits - before.commits,
            wal_bytes=self.wal_bytes - before.wal_bytes,
        )


def account(parts: Mapping[str, Iterable[int]], database_url: str) -> Account:
    """Return the account of now.

    ``commits`` counts transactions that wrote (each took a number), immediately and exactly;
    ``xact_commit`` would count reads too, and lags ten seconds behind idle connections.
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint,"
            " (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"
        ).fetchone()
    assert row  # noqa: S101 - one row, always
    return Account(
        cpu={part: sum(cpu_seconds(pid) for pid in pids) for part, pids in parts.items()},
        commits=row[0],
        wal_bytes=row[1],
    )


def cpu_seconds(root: int) -> float:
    """Return what a process, its living descendants and its reaped children have used."""
    return sum(_used(pid) for pid in tree(root))


def tree(root: int) -> Iterator[int]:
    """Yield a process and its living descendants."""
    yield root
    try:
        tasks = list(Path(f"/proc/{root}/task").iterdir())
        children = [pid for task in tasks for pid in (task / "children").read_text().split()]
    except OSError:
        return
    for pid in children:
        yield from tree(int(pid))


def rss_kib(pid: int) -> int:
    """Return the resident memory of one process."""
    return _status(pid, "VmRSS:")


def pss_kib(pid: int) -> int:
    """Return the memory of one process, shared pages divided among those who share them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def wait_for_quiet(*, tries: int = 12) -> float:
    """Wait until the machine was nearly idle for a second; returns the busy share seen last.

    ``PARVIS_BENCH_IMPATIENT=1`` looks once and goes on: for trying a measure out, not for figures.
    """
    share = 1.0
    for _ in range(1 if os.environ.get(IMPATIENT) else tries):
        share = busy_share(1.0)
        if share <= BUSY_AT_MOST:
            break
    return round(share, 2)


def busy_share(seconds: float) -> float:
    """Return the busy share of all processors over a while."""
    busy, total = _machine()
    time.sleep(seconds)
    busy_after, total_after = _machine()
    return (busy_after - busy) / max(1, total_after - total)


def _machine() -> tuple[int, int]:
    with Path("/proc/stat").open() as stat:
        ticks = [int(value) for value in stat.readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def _used(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(value) for value in fields[11:15]) / _TICKS


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0
