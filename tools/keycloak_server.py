"""A Keycloak of our own on loopback, for tests and a try-out: obtained once, built once, started when asked.

``python tools/keycloak_server.py`` brings the server into the user's cache (Maven fetches it, its digest is
pinned here); ``python tools/keycloak_server.py serve FOLDER`` runs one until interrupted. Named otherwise than
the library ``keycloak``, whose place it would take when this folder is on the path. Standard library only.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

VERSION = "26.7.5"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
SHA256 = "30ef87fb7101c43d29688d1ae80c0588ff4a151b3330e9f664bf9692d398658a"
STAMP = ".parvis-built"
BUILT_FOR = ("--db=dev-mem", "--health-enabled=true")
FETCH_SECONDS, BUILD_SECONDS, START_SECONDS = 900.0, 600.0, 120.0
MACHINE = Path(__file__).with_name("machine.py")
TRUST = MACHINE.with_name("java_trust.py")
HOW = "Relancez « make keycloak » ; les essais concernés seront sautés d'ici là."


class NotObtainedError(Exception):
    """The server could not be brought; the text is the French sentence to print."""


def home() -> Path | None:
    """Return the folder of a server that is ready to start, or None when this machine has none."""
    named = os.environ.get("PARVIS_TEST_KEYCLOAK_HOME")
    if named:
        return Path(named) if (Path(named) / "bin" / "kc.sh").exists() else None
    folder = _cache() / f"keycloak-{VERSION}"
    return folder if (folder / STAMP).exists() else None


def version(folder: Path) -> tuple[int, ...]:
    """Return the version of a server's folder as numbers."""
    text = (folder / "version.txt").read_text(encoding="utf-8")
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found[0].split(".")) if found else (0,)


def java() -> str | None:
    """Return the program that runs the server."""
    named = os.environ.get("PARVIS_TEST_KEYCLOAK_JAVA_HOME")
    return shutil.which(f"{named}/bin/java" if named else "java")


def obtain() -> None:
    """Bring the server into the cache and build it; does nothing when it is there.

    Raises:
        NotObtainedError: with the sentence that says why.
    """
    if home() is not None:
        return
    if os.environ.get("PARVIS_TEST_KEYCLOAK_HOME"):
        fault = "PARVIS_TEST_KEYCLOAK_HOME ne désigne pas un serveur Keycloak (bin/kc.sh y manque)."
        raise NotObtainedError(fault)
    with _alone(_cache()):
        if home() is None:
            _bring_programs()
            _unpack_and_build(_cache() / f"keycloak-{VERSION}")


class KeycloakServer:
    """One server in memory, with its ports and its start-up administrator, all gone when it stops.

    It answers under whatever name a proxy in front of it says it is reached by (``X-Forwarded-Host``).
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self.administrator, self.password = "startup-admin", secrets.token_urlsafe(18)
        self._management = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: float = START_SECONDS) -> None:
        """Start it and wait until it is ready."""
        with (self.folder / "console.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + seconds
        while not self.is_ready():
            if not self.runs:
                raise RuntimeError("Keycloak ended at its start:\n" + self.last_words())
            if time.monotonic() > end:
                raise RuntimeError("Keycloak does not answer:\n" + self.last_words())
            time.sleep(0.5)

    @property
    def runs(self) -> bool:
        """Whether its process is there; it may not answer yet."""
        return self._process is not None and self._process.poll() is None

    def is_ready(self) -> bool:
        """Tell whether it says it is ready."""
        address = f"http://127.0.0.1:{self._management}/health/ready"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(address, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        """Kill it and what it started: nobody needs its data any more."""
        process, self._process = self._process, None
        if process is not None:
            kill_group(process.pid)
            process.wait()

    def last_words(self) -> str:
        """Return the end of what it printed."""
        path = self.folder / "console.log"
        return path.read_text(errors="replace")[-2000:] if path.exists() else ""

    def _command(self) -> list[str]:
        found = home()
        if found is None:
            raise RuntimeError("This machine has no Keycloak: make keycloak")
        # a home that somebody else gave may be built for another database
        ours = ["start", "--optimized"] if (found / STAMP).exists() else ["start-dev", *BUILT_FOR]
        return [
            str(found / "bin" / "kc.sh"),
            *ours,
            "--http-enabled=true",
            "--http-host=127.0.0.1",
            f"--http-port={self.url.rpartition(':')[2]}",
            f"--http-management-port={self._management}",
            "--hostname-strict=false",
            "--proxy-headers=xforwarded",
            "--cache=local",
        ]

    def _environment(self) -> dict[str, str]:
        return _java_environment() | {
            "KC_BOOTSTRAP_ADMIN_USERNAME": self.administrator,
            "KC_BOOTSTRAP_ADMIN_PASSWORD": self.password,
            "JAVA_OPTS_KC_HEAP": "-Xmx512m",
            # it lives for minutes: the first compiler is enough
            "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1",
        }


def free_port() -> int:
    """Return a port nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def kill_group(pid: int) -> None:
    """Kill a process group, if it is still there."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "parvis" / "keycloak"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    # two makes on one machine wait for each other; the lock ends with its process
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _bring_programs() -> None:
    ran = subprocess.run([sys.executable, str(MACHINE), "keycloak"], check=False)
    missing = [
        name for name, found in (("mvn", shutil.which("mvn")), ("java", java())) if not found
    ]
    if ran.returncode or missing:
        fault = f"Keycloak n'a pas été obtenu : il faut {' et '.join(missing) or 'apt-get'}. {HOW}"
        raise NotObtainedError(fault)


def _unpack_and_build(target: Path) -> None:
    print(f"Obtention de Keycloak {VERSION} (177 Mo la première fois) …", flush=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        archive = _fetch(Path(scratch))
        with zipfile.ZipFile(archive) as content:
            content.extractall(scratch)
        for program in (Path(scratch) / target.name / "bin").glob("*.sh"):
            program.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        (Path(scratch) / target.name).rename(target)
    _build(target)


def _fetch(folder: Path) -> Path:
    _run(
        [
            "mvn",
            "-B",
            "-q",
            *_trust(folder),
            "dependency:copy",
            f"-Dartifact={ARTIFACT}",
            f"-DoutputDirectory={folder}",
        ],
        seconds=FETCH_SECONDS,
        failed="Maven n'a pas pu le télécharger",
        folder=folder,
    )
    archives = list(folder.glob("*.zip"))
    if len(archives) != 1:
        fault = f"Keycloak n'a pas été obtenu : Maven n'a rien copié. {HOW}"
        raise NotObtainedError(fault)
    with archives[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        fault = f"Keycloak {VERSION} est refusé : son empreinte SHA-256 n'est pas celle attendue."
        raise NotObtainedError(fault)
    return archives[0]


def _trust(folder: Path) -> list[str]:
    command = [sys.executable, str(TRUST), str(folder)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return ran.stdout.splitlines()


def _build(folder: Path) -> None:
    _run(
        [str(folder / "bin" / "kc.sh"), "build", *BUILT_FOR],
        seconds=BUILD_SECONDS,
        failed="sa préparation (kc.sh build) a échoué",
        folder=folder,
    )
    (folder / STAMP).touch()


def _run(command: Sequence[str], *, seconds: float, failed: str, folder: Path) -> None:
    try:
        ran = subprocess.run(
            command,
            cwd=folder,
            env=_java_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        told = None if ran.returncode == 0 else ran.stdout[-1500:]
    except subprocess.TimeoutExpired:
        told = f"rien après {seconds:.0f} s"
    if told is not None:
        print(told, file=sys.stderr)
        fault = f"Keycloak n'a pas été obtenu : {failed} (voir ci-dessus). {HOW}"
        raise NotObtainedError(fault)


def _java_environment() -> dict[str, str]:
    named = os.environ.get("PARVIS_TEST_KEYCLOAK_JAVA_HOME")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KC_")}
    return kept | ({"JAVA_HOME": named} if named else {})


def serve(folder: Path, *, watched: int | None = None) -> int:
    """Run a server until interrupted, or until the process ``watched`` is gone.

    Where it is reached goes to ``server.json`` in the folder, once it is ready.
    """
    server = KeycloakServer(folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.start()
        _tell(folder, server)
        while server.runs and (watched is None or Path(f"/proc/{watched}").exists()):
            time.sleep(1)
    except RuntimeError as error:
        (folder / "failed.txt").write_text(str(error), encoding="utf-8")
        return 1
    except KeyboardInterrupt:
        pass
    finally:
        server.stop()
    return 0


def _tell(folder: Path, server: KeycloakServer) -> None:
    values = {
        "url": server.url,
        "administrator": server.administrator,
        "password": server.password,
        "version": list(version(home() or Path())),
    }
    draft = folder / "server.json.new"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(values), encoding="utf-8")
    draft.replace(folder / "server.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Obtain the server, or run one; returns the exit status."""
    parser = argparse.ArgumentParser(description=re.split(r"\n\n", __doc__ or "")[0])
    kinds = parser.add_subparsers(dest="kind")
    served = kinds.add_parser("serve", help="run a server until interrupted")
    served.add_argument("folder", type=Path)
    served.add_argument("--while", dest="watched", type=int, metavar="PID")
    chosen = parser.parse_args(arguments)
    if chosen.kind == "serve":
        return serve(chosen.folder.resolve(), watched=chosen.watched)
    try:
        obtain()
    except NotObtainedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
