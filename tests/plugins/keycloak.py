"""One Keycloak for the whole run, whichever process asks first; every test file has a realm of its own.

The process that starts the run owns the server's folder; a small program of ours runs the server and ends
it when that process is gone, however it went.
"""

import base64
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.requirements import require
from tools import keycloak_server

PASSWORD = "Un-mot-de-passe-1"
START_SECONDS = keycloak_server.START_SECONDS + 30
TIMEOUT = 300  # the first test that asks waits for the start, and so do those of other processes
FOLDER = pytest.StashKey[Path]()


@dataclass(frozen=True, slots=True, kw_only=True)
class Keycloak:
    """The running server: where it is, and who may administer it."""

    url: str
    administrator: str
    password: str = field(repr=False)
    version: tuple[int, ...]


def pytest_configure(config):
    given = getattr(config, "workerinput", {}).get("keycloak_folder")
    config.stash[FOLDER] = (
        Path(given) if given else Path(tempfile.mkdtemp(prefix="parvis-keycloak-"))
    )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    node.workerinput["keycloak_folder"] = str(node.config.stash[FOLDER])


def pytest_unconfigure(config):
    if hasattr(config, "workerinput") or FOLDER not in config.stash:
        return
    folder = config.stash[FOLDER]
    with contextlib.suppress(FileNotFoundError, ValueError):
        _end(int((folder / "pid").read_text()))
    shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_modifyitems(items):
    for item in items:
        needed = "keycloak" in getattr(item, "fixturenames", ())
        if needed:
            item.add_marker(pytest.mark.keycloak)
        if needed and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUT))


@pytest.fixture(scope="session")
def keycloak(request):
    """The run's server."""
    if keycloak_server.home() is None:
        require("Keycloak", "les essais de connexion", "make keycloak")
    if keycloak_server.java() is None:
        install = "apt-get install openjdk-17-jre-headless"
        require("Java", "les essais de connexion", install)
    told = _shared(request.config.stash[FOLDER])
    return Keycloak(
        url=told["url"],
        administrator=told["administrator"],
        password=told["password"],
        version=tuple(told["version"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Realms:
    """Both realms of one installation, and who administers the server that has them."""

    server: Keycloak
    ours: Any
    api: Any = field(repr=False)

    @property
    def citizens(self):
        return f"{self.server.url}/realms/{self.ours.citizens}"

    @property
    def staff(self):
        return f"{self.server.url}/realms/{self.ours.staff}"

    def provisioning(self, *, faces=("citizens", "staff"), **changes):
        """What sets these realms up, or one of them, with some of what is wanted changed."""
        from identity.keycloak import Provisioning

        ours = replace(self.ours, **changes)
        return Provisioning(ours, {getattr(ours, face): self.api for face in faces})

    def client(self, client_id, realm=None):
        """A client as the server has it."""
        path = f"/{realm or self.ours.citizens}/clients"
        return self.api.get(path, clientId=client_id)[0]

    def secret(self, client_id, realm=None):
        """The secret of a client."""
        path = f"/{realm or self.ours.citizens}/clients"
        return self.api.get(f"{path}/{self.client(client_id, realm)['id']}/client-secret")["value"]

    def person(self, username, password=PASSWORD, realm=None, **more):
        """Make somebody with a password; their id."""
        credential = {"type": "password", "value": password, "temporary": False}
        body = {"username": username, "enabled": True, "credentials": [credential], **more}
        return self.api.post(f"/{realm or self.ours.citizens}/users", body)


@pytest.fixture(scope="session")
def keycloak_api(keycloak):
    """The Admin API, as the administrator that the server was started with."""
    from identity.keycloak import AdminApi, Credentials, Server

    administrator = Credentials.of_administrator(keycloak.administrator, keycloak.password)
    return AdminApi(Server(url=keycloak.url), administrator)


@pytest.fixture(scope="session")
def make_realms(keycloak, keycloak_api):
    """Set up two realms with new names by our own command; what is wanted can be changed."""
    from identity.keycloak import Installation

    def make(*, faces=("citizens", "staff"), **wanted):
        token = secrets.token_hex(4)
        values = {
            "public_url": f"http://127.0.0.1:8930/{token}",
            "citizens": f"citizens-{token}",
            "staff": f"staff-{token}",
            "certificate": base64.b64encode(b"no certificate, nobody signs here").decode(),
        }
        made = Realms(server=keycloak, ours=Installation(**values | wanted), api=keycloak_api)
        report = made.provisioning(faces=faces).apply()
        assert report.stopped is None, report.stopped
        return made

    return make


@pytest.fixture(scope="module")
def realms(make_realms):
    """Two realms of the test file's own."""
    return make_realms()


def _shared(folder):
    """What the running server told; it is started when no process of this run did so before."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "pid").exists():
            _start(folder)
        end = time.monotonic() + START_SECONDS
        while not (folder / "server.json").exists():
            failed = folder / "failed.txt"
            if failed.exists() or time.monotonic() > end:
                pytest.fail(failed.read_text() if failed.exists() else "Keycloak never got ready")
            time.sleep(0.2)
    return json.loads((folder / "server.json").read_text())


def _start(folder):
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    program = Path(keycloak_server.__file__)
    null = os.open(os.devnull, os.O_RDWR)
    pid = os.posix_spawn(  # it outlives the fixture: no object of ours waits for it
        sys.executable,
        [sys.executable, str(program), "serve", str(folder), "--while", str(owner)],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1, 2)],
        setsid=True,
    )
    os.close(null)
    (folder / "pid").write_text(str(pid))


def _end(pid):
    """Ask the program that runs the server to end it, and wait until it did."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
