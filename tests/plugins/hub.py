"""A hub of the test's own: its settings on a fresh database, its command line, its processes."""

import base64
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEYS = {"master.key": base64.b64encode(bytes(range(32))).decode(), "secret.key": "c" * 40}


@pytest.fixture
def hub_environment(database_url, tmp_path, monkeypatch):
    """The settings of a hub on a fresh database, for this process and for those it starts."""
    for name, content in KEYS.items():
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o600)
    values = {
        "PARVIS_MODE": "demo",
        "PARVIS_DATABASE_URL": database_url,
        "PARVIS_MASTER_KEY_FILE": str(tmp_path / "master.key"),
        "PARVIS_SECRET_KEY_FILE": str(tmp_path / "secret.key"),
        "PARVIS_PUBLIC_URL": "http://127.0.0.1:8930",
        "PARVIS_DATA_DIR": str(tmp_path),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


@pytest.fixture
def parvis(capfd):
    """Call the command line; returns its exit code and what it printed."""

    from parvis.cli import main  # the product is not loaded for a run that needs none of it

    def call(*arguments):
        capfd.readouterr()
        code = main(list(arguments))
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def process(hub_environment, tmp_path):
    """Start ``parvis`` processes of this hub; those still running at the end are killed."""
    started = []

    def start(*arguments, **more):
        log = tmp_path / f"process-{len(started)}.log"
        with log.open("wb") as out:
            running = subprocess.Popen(
                [sys.executable, "-m", "parvis", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=ROOT,
                env={**os.environ, **hub_environment, **more},
                start_new_session=True,
            )
        running.log = log
        started.append(running)
        return running

    yield start
    for running in started:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait(5)


def until(is_so, what, seconds=60, pause=0.02):
    """Wait until something is so; what it returns."""
    end = time.monotonic() + seconds
    while True:
        found = is_so()
        if found:
            return found
        if time.monotonic() > end:
            pytest.fail(f"{what} within {seconds} s")
        time.sleep(pause)
