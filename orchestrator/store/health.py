"""What the database server says of itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orchestrator.store.connections import Database
from schemas import clock
from schemas.errors import StoreUnavailableError

_HEALTH: Final = """
SELECT current_setting('server_version') AS version,
       current_setting('server_version_num')::int AS version_number,
       (SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database())
         AS encoding,
       current_setting('fsync')::bool AND current_setting('full_page_writes')::bool
         AND current_setting('synchronous_commit') NOT IN ('off', 'local') AS is_durable,
       clock_timestamp() AS now
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHealth:
    """The server's version, encoding, promises and clock (turned as ours may be in a test)."""

    version: str
    version_number: int
    encoding: str
    is_durable: bool
    now: datetime


def server_health(database: Database) -> ServerHealth:
    """Ask the server; works on a database without a single table."""
    row = database.one(_HEALTH) or {}
    return ServerHealth(**{**row, "now": row["now"] + clock.offset()})


def answers(database: Database) -> bool:
    """Tell whether the server answers just now."""
    try:
        return database.one("SELECT 1 AS yes") is not None
    except (StoreUnavailableError, OSError):
        return False
