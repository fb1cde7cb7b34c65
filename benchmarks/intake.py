"""Intake per second: the product's web server against the floor, in the same pass.

Both run under gunicorn's gevent worker with 2 processes on one PostgreSQL with fsync; both get the
same pre-signed requests, at 16 and at 64 connections, in turn. The floor neither verifies, nor
validates, nor encrypts. ``python -m benchmarks.intake [--seconds 5] [--pairs 3]``.

Bars: ratio of accepted per second at least 0.8, p99 at most 1.5 times the floor's; a ratio under
0.6 or any answer that is not 2xx fails.
"""

import argparse
import base64
import json
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from benchmarks import floor_intake
from benchmarks.lab.figures import keep, ratios
from benchmarks.load import Figures, drive
from orchestrator.services.purposes import NOTICES
from orchestrator.store import migrate
from orchestrator.store.connections import Database
from orchestrator.store.consent import ConsentRows
from orchestrator.store.vault import Vault
from parvis.embedded_postgres import EmbeddedPostgres
from schemas import clock, ids
from schemas.signatures import VerifyKey, sign

ROOT: Final = Path(__file__).parents[1]
PARTNER: Final = "volt_bench"
CONNECTIONS: Final = (16, 64)
MOST_PER_SECOND: Final = 6_000
SLOWEST_START: Final = 30.0
LEAST_RATIO: Final = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One measurement."""

    server: str
    connections: int
    per_second: float
    p50_ms: float
    p99_ms: float
    not_2xx: int


def main(arguments: list[str]) -> int:
    """Measure, print one JSON line per pass and the ratios; return 1 when a bar is missed."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres", settings={"fsync": "on"})
        server.start()
        try:
            passes = _measure(Path(folder), server.url, options)
        finally:
            server.stop()
    return _report(passes)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.intake")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--pairs", type=int, default=3)
    return parser.parse_args(arguments)


def _measure(folder: Path, url: str, options: argparse.Namespace) -> list[Pass]:
    key = VerifyKey(scheme="v1", material=secrets.token_bytes(32))
    hub_url, floor_url = _database(url, "hub"), _database(url, "floor")
    environment = _prepare_hub(folder, hub_url, key)
    with psycopg.connect(floor_url, autocommit=True) as connection:
        connection.execute(floor_intake.TABLES)
    floor = {"FLOOR_DATABASE_URL": floor_url}
    passes = []
    with (
        _gunicorn("benchmarks/floor_conf.py", floor, path="/") as floor_port,
        _gunicorn("parvis/gunicorn_conf.py", environment, path="/readyz") as hub_port,
    ):
        for pair in range(options.pairs + 1):
            for connections in CONNECTIONS:
                for name, port in (("floor", floor_port), ("hub", hub_port)):
                    seconds = options.seconds if pair else 1.0
                    figures = _drive(folder, port, key, connections=connections, seconds=seconds)
                    if pair:  # the first round only warms up
                        passes.append(_pass(name, connections, figures))
                        print(json.dumps(asdict(passes[-1])), flush=True)
    _check_rows(hub_url, floor_url)
    return passes


def _drive(folder: Path, port: int, key: VerifyKey, *, connections: int, seconds: float) -> Figures:
    count = int(MOST_PER_SECOND * (seconds + 1))
    requests = folder / "requests"
    requests.write_bytes(b"".join(_requests(count, port, key)))
    return drive(requests, port=port, connections=connections, seconds=seconds)


def _requests(count: int, port: int, key: VerifyKey) -> Iterator[bytes]:
    """Yield raw HTTP requests, each preceded by its length on four bytes."""
    timestamp = int(clock.utcnow().timestamp())
    data = _data()
    for _ in range(count):
        event_id = str(ids.uuid7())
        body = json.dumps(_event(event_id, data), ensure_ascii=False).encode()
        head = (
            f"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Type: application/cloudevents+json; charset=utf-8\r\n"
            f"Parvis-Key-Id: {PARTNER}/k1\r\nwebhook-id: {event_id}\r\n"
            f"webhook-timestamp: {timestamp}\r\n"
            f"webhook-signature: {sign(event_id, timestamp, body, key)}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        request = head + body
        yield len(request).to_bytes(4, "big") + request


def _data() -> dict[str, Any]:
    notice = next(notice for notice in NOTICES if notice.locale == "fr")
    return {
        "commune": "13055",
        "utility": "electricity",
        "language": "fr",
        "age_band": "26_64",
        "person": {"family_name": "Exemple", "given_name": "Camille"},
        "contact": {"channel": "sms", "address": "+33639980001"},
        "consent": {
            "purposes": sorted(notice.purposes),
            "channel": "sms",
            "notice_version": notice.version,
            "notice_sha256": notice.sha256,
            "method": "box",
            "collected_at": clock.rfc3339(clock.utcnow()),
            "locale": notice.locale,
            "collected_by": "Formulaire",
        },
    }


def _event(event_id: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/partners/{PARTNER}",
        "type": "utility.contract_opened.v1",
        "subject": event_id,
        "time": clock.rfc3339(clock.utcnow()),
        "data": data,
    }


# --- servers -------------------------------------------------------------------------------------


def _database(url: str, name: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
        )
    return url.rpartition("/")[0] + "/" + name


def _prepare_hub(folder: Path, url: str, key: VerifyKey) -> dict[str, str]:
    """Migrate, add one partner with one key, and return the settings of the web server."""
    master = secrets.token_bytes(32)
    for name, value in (("master", base64.b64encode(master)), ("cookies", secrets.token_hex(32))):
        path = folder / name
        path.write_bytes(value if isinstance(value, bytes) else value.encode())
        path.chmod(0o600)
    migrate.upgrade(url)
    database = Database(url)
    ConsentRows(database).seed()
    text = "whsec_" + base64.b64encode(key.material).decode()
    sealed = Vault([master]).seal_secret("bench_k1", text)
    database.run("INSERT INTO secret(name, sealed) VALUES ('bench_k1', %s)", (sealed,))
    database.run(
        "INSERT INTO partner(id, name, allowed_events, territories)"
        " VALUES (%s, 'Banc', '{utility.contract_opened.v1}', '{}')",
        (PARTNER,),
    )
    database.run(
        "INSERT INTO partner_key(partner_id, key_id, scheme, secret_name)"
        " VALUES (%s, 'k1', 'v1', 'bench_k1')",
        (PARTNER,),
    )
    database.close()
    return {
        "PARVIS_MODE": "demo",
        "PARVIS_DATABASE_URL": url,
        "PARVIS_MASTER_KEY_FILE": str(folder / "master"),
        "PARVIS_SECRET_KEY_FILE": str(folder / "cookies"),
        "PARVIS_PUBLIC_URL": "http://127.0.0.1:8000",
        "PARVIS_DATA_DIR": str(folder),
        "PARVIS_WEB_PROCESSES": "2",
        "PARVIS_REQUESTS_PER_MINUTE": "100000000",
    }


@contextmanager
def _gunicorn(configuration: str, environment: dict[str, str], *, path: str) -> Iterator[int]:
    """Run a server for a while on a free port; yields the port once it answers."""
    port = _free_port()
    bind = f"127.0.0.1:{port}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARVIS_")}
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--config", configuration]
    process = subprocess.Popen(
        [*command, "--bind", bind],
        cwd=ROOT,
        env=kept | environment | {"PARVIS_BIND": bind},
    )
    try:
        _wait_for(f"http://{bind}{path}", process)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=40)


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + SLOWEST_START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{url} never answered")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- figures -------------------------------------------------------------------------------------


def _pass(name: str, connections: int, figures: Figures) -> Pass:
    return Pass(
        server=name,
        connections=connections,
        per_second=round(figures.answered / figures.seconds, 1),
        p50_ms=round(figures.p50_ms, 2),
        p99_ms=round(figures.p99_ms, 2),
        not_2xx=figures.not_2xx,
    )


def _check_rows(hub_url: str, floor_url: str) -> None:
    """Print what is in the tables: an answer counts for nothing when the row is missing."""
    for url, tables in ((hub_url, ("inbox", "message", "run")), (floor_url, ("floor_event",))):
        with psycopg.connect(url) as connection:
            counted = {
                table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # type: ignore[index]  # noqa: S608
                for table in tables
            }
        print(json.dumps({"rows": counted}), flush=True)


def _report(passes: list[Pass]) -> int:
    figures = {
        f"{name}_{count}": value for count in CONNECTIONS for name, value in _at(passes, count)
    }
    figures["not_2xx"] = sum(one.not_2xx for one in passes)
    driver = "wrk" if shutil.which("wrk") else "own driver"
    keep("intake", {"figures": figures, "passes": [asdict(one) for one in passes]})
    print(json.dumps({"driver": driver, "processes": 2, "fsync": "on", "payload": "about 900 B"}))
    print(json.dumps(figures))
    is_good = all(figures[f"ratio_{count}"] >= LEAST_RATIO for count in CONNECTIONS)
    return 0 if is_good and not figures["not_2xx"] else 1


def _at(passes: list[Pass], connections: int) -> Iterator[tuple[str, float]]:
    """Yield the figures at so many connections: medians, and ratios of each pair's two passes."""
    of = [one for one in passes if one.connections == connections]
    floors = [one for one in of if one.server == "floor"]
    hubs = [one for one in of if one.server == "hub"]
    for name, ones in (("floor", floors), ("hub", hubs)):
        yield f"{name}_per_second", statistics.median(one.per_second for one in ones)
        yield f"{name}_p99_ms", statistics.median(one.p99_ms for one in ones)
    for name, pairs in (
        ("ratio", ratios([one.per_second for one in hubs], [one.per_second for one in floors])),
        ("p99_ratio", ratios([one.p99_ms for one in hubs], [one.p99_ms for one in floors])),
    ):
        yield name, pairs["median"] or 0.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
