"""The ground of a demonstration: its city, its processes, brought up as fast as two cores allow."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import yaml

import parvis
from orchestrator.services.purposes import PARTNER_ARRIVAL, notice_sha256
from orchestrator.store.locks import TIMERS, WAKER
from parvis.children import Crew, Program
from parvis.demo.city import (
    PROVIDER_FILE,
    City,
    drop_folders,
    filled,
    mail_profile,
    mock_names,
    mock_settings,
    provider,
    read_city,
    secret_kinds,
)
from parvis.demo.environment import environment_of, write_environment
from parvis.demo.facts import Facts
from parvis.demo.folder import HOST, DemoFolder, write_private
from parvis.demo.mailbox import Mailbox
from parvis.demo.options import STAFF_ACCOUNT, DemoOptions, DemoRefusedError
from parvis.demo.processes import Server
from parvis.demo.real_keycloak import RealKeycloak
from parvis.embedded_postgres import EmbeddedPostgres
from schemas.errors import ConfigurationError

HUB: Final = "hub"
METRICS: Final = ("web_metrics", "worker_metrics")
READY_SECONDS: Final = 45.0
RECORDS: Final = 1000
"""Numbers of records that one start may use up: the doubles forget theirs, the hub does not."""
POLL_SECONDS: Final = 0.03
LEFTOVER_SECONDS: Final = 20.0
PACKAGE: Final = Path(parvis.__file__).parent


class Ground:
    """Everything that runs, started in order, stopped in order."""

    def __init__(self, options: DemoOptions) -> None:
        self.folder = DemoFolder(options.folder)
        self.crew = Crew()
        self.done: Mapping[str, Any] = {}
        self._options = options
        self._mailbox: Mailbox | None = None
        self._keycloak = RealKeycloak(self.folder) if options.is_real_keycloak else None
        self._realms: Mapping[str, Any] = {}

    @property
    def hub(self) -> str:
        """The hub's address."""
        return f"http://{HOST}:{self.city.ports[HUB]}"

    @cached_property
    def city(self) -> City:
        """The city with its ports and secrets."""
        document, real = read_city(), self._keycloak
        values = self.folder.keep_secrets(secret_kinds(document, is_real_keycloak=real is not None))
        mocks = mock_names(document, is_real_keycloak=real is not None)
        names = [HUB, "postgres", *METRICS, *mocks, mail_profile(document)]
        wished = {HUB: self._options.port} if self._options.port else {}
        return City(
            document=document,
            secrets=values,
            ports=self.folder.keep_ports(names, wished=wished),
            keycloak=real.url if real else None,
        )

    @cached_property
    def _postgres(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(self.folder.postgres, port=self.city.ports["postgres"])

    @property
    def database_url(self) -> str:
        """The database's address, once it was started."""
        return self._postgres.url

    def start(self) -> None:
        """Bring everything up and wait until it answers.

        Raises:
            DemoRefusedError: something cannot be had; the sentence says what to do.
        """
        self.folder.take()
        self._await_leftovers()
        if self._options.is_fresh:
            self.folder.forget()
        self.folder.keep_keys()
        if self._keycloak is not None:
            self._keycloak.start()
        self._write_city()
        self.crew.start(
            self._program("mocks", "-m", "mock_partners", "--settings", self.folder.mocks)
        )
        preparation = self._preparation()
        try:
            self._start_database()
            self.crew.start(self._web())  # it says that it is not ready until the schema is there
            self.done = self._prepared(preparation)
        finally:
            preparation.kill()
        if self._keycloak is not None:
            self._realms = self._keycloak.set_up(environment_of(self.folder, {}))
        self.crew.start(self._worker())
        self._await_all()
        self.write_state()

    def stop(self) -> None:
        """Stop everything."""
        # who works first; then the doubles, whose kept connections would keep the web waiting
        self.crew.stop(("worker", "mocks", "web"), asked_first=("worker", "web"))
        if self._mailbox is not None:
            self._mailbox.stop()
        if self._keycloak is not None:
            self._keycloak.stop()
        if self.folder.is_ours:
            self.folder.state.unlink(missing_ok=True)

    def mend(self) -> tuple[str, ...]:
        """Start again what died and tell scripts; returns the names."""
        if self._keycloak is not None and (loss := self._keycloak.loss()):
            sys.stderr.write(f"{loss}\n")
        mended = self.crew.mend()
        if mended:
            self.write_state()
        return mended

    def write_state(self) -> None:
        """Write ``demo.json``: what scripts need to drive the running demonstration."""
        state = {
            "hub": self.hub,
            "console": f"{self.hub}/console",
            "citizen": self.hub,
            "sign_in": self.sign_in,
            "mocks": self.city.mocks,
            "partners": self.city.partners,
            "database_url": self.database_url,
            "pids": self.crew.pids,
            "logs": str(self.folder.logs),
        }
        write_private(self.folder.state, json.dumps(state, ensure_ascii=False, indent=1))

    @property
    def sign_in(self) -> Mapping[str, str]:
        """Where people sign in, and at whose pages they prove who they are."""
        return {
            "citizens": f"{self.hub}/connexion",
            "staff": f"{self.hub}/console/",
            "staff_account": STAFF_ACCOUNT,
            "identity": self.city.identity_url,
            **self._realms,
        }

    # --- in order ---------------------------------------------------------------------------------

    def _await_leftovers(self) -> None:
        """Let what a killed demonstration of this folder left come to its end."""
        end = time.monotonic() + LEFTOVER_SECONDS
        while left := _processes_of(self.folder):
            if time.monotonic() > end:
                names = ", ".join(map(str, left))
                sentence = (
                    f"Des processus d'une démonstration précédente tournent encore : {names}."
                )
                raise DemoRefusedError(sentence)
            time.sleep(0.1)

    def _write_city(self) -> None:
        for path in drop_folders(self.city.document, self.folder):
            path.mkdir(parents=True, exist_ok=True)
        today = datetime.now().astimezone().date()
        document = filled(self.city, self.folder, today=today)
        text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
        write_private(self.folder.city, text)
        digest = notice_sha256(PARTNER_ARRIVAL, "fr")
        notice = {"version": PARTNER_ARRIVAL, "sha256": str(digest)}
        mocks = mock_settings(
            self.city,
            hub=self.hub,
            notice=notice,
            seed=secrets.randbits(48),
            keys=self.folder.realm_keys,
            records_from=1 + RECORDS * self.folder.count_start(),
        )
        write_private(self.folder.mocks, json.dumps(mocks))
        if self.city.keycloak is not None:
            write_private(self.folder.path / PROVIDER_FILE, json.dumps(provider(self.city)))
        profile = mail_profile(self.city.document)
        self._mailbox = Mailbox(self.folder.mail, self.city.ports[profile])
        self._mailbox.start()

    def _start_database(self) -> None:
        log = self.folder.path / "postgres.log"  # where the server writes: kept with the others
        if not log.is_symlink():
            log.symlink_to(Path("logs") / log.name)
        try:
            self.crew.start(Server("postgres", self._postgres))
        except ConfigurationError as error:
            raise DemoRefusedError(" ".join(error.faults)) from error
        write_environment(
            self.folder,
            database_url=self.database_url,
            port=self.city.ports[HUB],
            identity_url=self.city.identity_url,
        )

    def _preparation(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-P", "-m", "parvis.demo.preparation", str(self.folder.path)]
        with (self.folder.logs / "preparation.log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PARVIS_DATA_DIR": str(self.folder.path)},
                start_new_session=True,
            )

    def _prepared(self, preparation: "subprocess.Popen[str]") -> Mapping[str, Any]:
        told, _ = preparation.communicate("go\n", timeout=READY_SECONDS * 2)
        try:
            done: dict[str, Any] = json.loads(told)
        except ValueError:
            done = {
                "faults": [f"La préparation a échoué : voir {self.folder.logs}/preparation.log."]
            }
        if "faults" in done:
            hint = "L'option --fresh repart d'un dossier neuf."
            raise DemoRefusedError("\n".join([*done["faults"], hint]))
        return done

    def _web(self) -> Program:
        gunicorn = (
            "-m",
            "gunicorn",
            "--no-control-socket",
            "--config",
            PACKAGE / "gunicorn_conf.py",
        )
        return self._program("web", *gunicorn, more=self._metrics("web_metrics", "counters"))

    def _worker(self) -> Program:
        return self._program("worker", "-m", "parvis.worker", more=self._metrics("worker_metrics"))

    def _await_all(self) -> None:
        facts = Facts(self.database_url)
        for name in self.city.mocks:
            self._ready("mocks", partial(_listens, self.city.ports[name]))
        self._ready("worker", lambda: facts.is_held(WAKER) and facts.is_held(TIMERS))
        self._ready("web", partial(_answers, f"{self.hub}/readyz"))
        facts.close()

    def _metrics(self, port: str, counters: str | None = None) -> dict[str, str]:
        more = {"PARVIS_METRICS_PORT": str(self.city.ports[port])}
        if counters:
            folder = self.folder.path / counters
            folder.mkdir(exist_ok=True)
            for path in folder.iterdir():
                path.unlink()  # counters of a former life would be added to this one's
            more["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        return more

    def _program(
        self, name: str, *arguments: str | Path, more: Mapping[str, str] | None = None
    ) -> Program:
        return Program(
            name=name,
            command=[sys.executable, "-P", *map(str, arguments)],
            environment=partial(environment_of, self.folder, more or {}),
            folder=self.folder.path,
            log=self.folder.logs / f"{name}.log",
        )

    def _ready(self, name: str, is_ready: Callable[[], bool]) -> None:
        """Wait until a child answers; one that dies at its start is looked at, not started again."""
        end = time.monotonic() + READY_SECONDS
        while not is_ready():
            gone = name not in self.crew.pids
            if gone or time.monotonic() > end:
                log = self.folder.logs / f"{name}.log"
                word = "s'est arrêté en démarrant" if gone else "ne répond pas"
                sentence = f"Le processus {name} {word} : voir le journal {log}."
                raise DemoRefusedError(sentence)
            time.sleep(POLL_SECONDS)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


def _processes_of(folder: DemoFolder) -> list[int]:
    """Return the processes a killed demonstration of this folder left."""
    told = f"PARVIS_DATA_DIR={folder.path}".encode()
    served = f"-D\0{folder.postgres}/data\0".encode()
    return [
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdigit()
        and int(process.name) != os.getpid()
        and (
            told in _read_of(process / "environ").split(b"\0")
            or served in _read_of(process / "cmdline")
        )
    ]


def _read_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
