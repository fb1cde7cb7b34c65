"""The ground every measure stands on: PostgreSQL that really syncs, a RabbitMQ node, the partner."""

import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg

from benchmarks.lab.broker import BrokerNode
from benchmarks.lab.figures import ROOT
from benchmarks.lab.herd import die_with_parent
from parvis.embedded_postgres import EmbeddedPostgres

POSTGRES: Final = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",  # none falls into a pass
    "max_connections": "200",
}


@dataclass(kw_only=True)
class Ground:
    """Addresses and processes of the servers of one measure."""

    folder: Path
    postgres: EmbeddedPostgres
    broker: BrokerNode | None
    partner: "subprocess.Popen[str]"
    partner_url: str
    made: set[str] = field(default_factory=set)

    @property
    def servers(self) -> dict[str, list[int]]:
        """The process trees of the servers, by part."""
        found = {"postgres": [self.postgres.pid or 0], "partner": [self.partner.pid]}
        return found | ({"broker": [self.broker.pid]} if self.broker else {})

    @property
    def broker_url(self) -> str:
        """The address of the RabbitMQ node."""
        if self.broker is None:
            raise SystemExit("This measure started no broker.")
        return self.broker.url

    def database(self, name: str) -> str:
        """Return the address of a database, made when first asked for."""
        if name not in self.made:
            with psycopg.connect(self.postgres.url, autocommit=True) as connection:
                connection.execute(
                    f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
                )
            self.made.add(name)
        return self.postgres.url.rpartition("/")[0] + "/" + name

    def ask_partner(self, method: str, path: str) -> bytes:
        """Ask the partner something about itself."""
        request = urllib.request.Request(f"{self.partner_url}/{path}", method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bytes(answer.read())


@contextmanager
def ground(*, with_broker: bool = True, settings: dict[str, str] | None = None) -> Iterator[Ground]:
    """Start everything in a folder of its own, and take it away again, also when told to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    with ExitStack() as stack:
        place = tempfile.TemporaryDirectory(
            prefix="parvis-bench-",
            dir=os.environ.get("PARVIS_BENCH_DIR"),
            ignore_cleanup_errors=True,
        )
        folder = Path(stack.enter_context(place))
        postgres = EmbeddedPostgres(folder / "postgres", settings={**POSTGRES, **(settings or {})})
        stack.callback(postgres.stop)
        postgres.start()
        broker = BrokerNode(folder / "rabbitmq") if with_broker else None
        if broker is not None:
            stack.callback(broker.stop)
            broker.start()
        partner = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.lab.partner"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509
        )
        stack.callback(_end, partner)
        assert partner.stdout  # noqa: S101 - it was asked for
        url = f"http://127.0.0.1:{int(partner.stdout.readline())}"
        yield Ground(
            folder=folder, postgres=postgres, broker=broker, partner=partner, partner_url=url
        )


def _end(process: "subprocess.Popen[Any]") -> None:
    process.terminate()
    process.wait(10)
