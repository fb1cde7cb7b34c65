"""Monthly partitions of the big append-only tables, made ahead of time.

Their keys are UUIDv7, so a month is a range of ids; what falls outside every month lands in the
default partition, and is never lost. Dropping a month is how retention forgets fastest.
"""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Final
from uuid import UUID

from orchestrator.store.connections import Database
from schemas import clock

TABLES: Final = ("message", "step", "exchange")
_MONTHS_AHEAD: Final = 2


def make_ahead(database: Database) -> list[str]:
    """Make this month's partitions and the next two; returns the names of those that were new.

    A month whose rows already lie in the default partition stays there.
    """
    now = clock.utcnow()
    months = [_month(now, ahead) for ahead in range(_MONTHS_AHEAD + 2)]
    made = []
    for table in TABLES:
        for first, after in pairwise(months):
            name = f"{table}_{first:%Y_%m}"
            if not _exists(database, name) and not _holds(database, table, first, after):
                database.run(_create(table, name, first, after))
                made.append(name)
    return made


def _month(now: datetime, ahead: int) -> datetime:
    months = now.year * 12 + now.month - 1 + ahead
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def _bound(moment: datetime) -> UUID:
    """Return the lowest UUIDv7 of a moment."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _exists(database: Database, name: str) -> bool:
    row = database.one("SELECT to_regclass(%s) IS NOT NULL AS there", (name,))
    return bool(row and row["there"])


def _holds(database: Database, table: str, first: datetime, after: datetime) -> bool:
    column = "run_id" if table == "step" else "id"
    sql = f"SELECT EXISTS (SELECT FROM {table}_default WHERE {column} >= %s AND {column} < %s) AS held"
    row = database.one(sql, (_bound(first), _bound(after)))
    return bool(row and row["held"])


def _create(table: str, name: str, first: datetime, after: datetime) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} "
        f"FOR VALUES FROM ('{_bound(first)}') TO ('{_bound(after)}')"
    )
