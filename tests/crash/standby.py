"""A PostgreSQL primary with a synchronous standby, both ours on loopback, and the promotion of the latter."""

import os
import subprocess
import time
from pathlib import Path

import psycopg

from parvis.embedded_postgres import EmbeddedPostgres, _as, _system_user, _wheel
from tools.rabbitmq import free_port

REPLICATED = {"wal_level": "replica", "max_wal_senders": "5", "hot_standby": "on"}
FOLLOWS = "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')"


class Pair:
    """Two servers; the second follows the first, which commits nothing the second does not have."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self.primary = EmbeddedPostgres(folder / "primary", settings=REPLICATED, port=port)
        self.standby_port = free_port()
        self.standby = EmbeddedPostgres(
            folder / "standby", settings=REPLICATED, port=self.standby_port
        )

    @property
    def url(self) -> str:
        """The address of whichever takes writes."""
        before, _, after = self.primary.url.partition("@")
        host, _, name = after.partition("/")
        both = f"{host},127.0.0.1:{self.standby_port}"
        return f"{before}@{both}/{name}?target_session_attrs=read-write"

    def follow(self) -> None:
        """Copy the primary, start the copy as its standby, and let no commit return before it has it."""
        home = self._folder / "standby"
        home.mkdir()
        owner = _system_user() if os.geteuid() == 0 else None
        if owner:
            os.chown(home, owner.pw_uid, owner.pw_gid)
        copy = [str(_wheel() / "pg_basebackup"), "-d", self.primary.url, "-D", str(home / "data")]
        subprocess.run(
            [*copy, "-R", "-X", "stream", "-c", "fast"], check=True, cwd=home, **_as(owner)
        )
        password = home / "password"
        password.write_text((self._folder / "primary" / "password").read_text())
        password.chmod(0o644)
        self.standby.start()
        self._ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self._ask("SELECT pg_reload_conf()")
        end = time.monotonic() + 120
        while not self._ask(FOLLOWS)[0]:
            assert time.monotonic() < end, "the standby does not follow"
            time.sleep(0.1)

    def promote(self) -> None:
        """Let the standby take writes, once the primary is gone; it then waits for nobody."""
        with psycopg.connect(self.standby.url, autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")
            connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
            connection.execute("SELECT pg_reload_conf()")

    def _ask(self, sql: str) -> tuple:
        with psycopg.connect(self.primary.url, autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchone() if cursor.description else ()
