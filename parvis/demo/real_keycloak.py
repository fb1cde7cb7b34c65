"""A real Keycloak in place of its double: in memory, gone with the demonstration.

FranceConnect's double stands behind it, and both realms are set up by the same command as a city's.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import parvis
from parvis.demo.folder import DemoFolder, read_json
from parvis.demo.options import DemoRefusedError

SERVER: Final = Path(parvis.__file__).parents[1] / "tools" / "keycloak_server.py"
START_SECONDS: Final = 200.0
SET_UP_SECONDS: Final = 240.0
STOP_SECONDS: Final = 20.0
POLL_SECONDS: Final = 0.2
ADMINISTRATOR: Final = "KC_BOOTSTRAP_ADMIN_USERNAME"
PASSWORD: Final = "KC_BOOTSTRAP_ADMIN_PASSWORD"  # noqa: S105 - a name, no secret


class RealKeycloak:
    """One server of this demonstration's own."""

    def __init__(self, folder: DemoFolder) -> None:
        self._folder = folder
        self._place = folder.path / "keycloak"
        self._process: subprocess.Popen[bytes] | None = None
        self._told: Mapping[str, Any] = {}
        self._is_loss_told = False

    @property
    def url(self) -> str:
        """Where it is, once it was started."""
        return str(self._told["url"])

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            DemoRefusedError: there is none on this machine, or it does not start.
        """
        if not SERVER.exists():
            raise DemoRefusedError("Le vrai Keycloak ne se démarre que depuis le dépôt de Parvis.")
        self._place.mkdir(exist_ok=True)
        command = [sys.executable, "-P", str(SERVER), "serve", str(self._place)]
        with (self._folder.logs / "keycloak.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--while", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + START_SECONDS
        while not (told := read_json(self._place / "server.json")):
            if self._process.poll() is not None or time.monotonic() > end:
                sentence = (
                    f"Keycloak n'a pas démarré : voir {self._place}/console.log (« make keycloak » "
                    "l'installe)."
                )
                raise DemoRefusedError(sentence)
            time.sleep(POLL_SECONDS)
        self._told = told

    def set_up(self, environment: Mapping[str, str]) -> Mapping[str, Any]:
        """Set both realms up; returns what people need to sign in.

        Raises:
            DemoRefusedError: it could not be done.
        """
        account = {ADMINISTRATOR: self._told["administrator"], PASSWORD: self._told["password"]}
        with (self._folder.logs / "realms.log").open("ab") as log:
            ran = subprocess.run(
                [sys.executable, "-P", "-m", "parvis.demo.realms", str(self._folder.path)],
                env={**environment, **account},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                timeout=SET_UP_SECONDS,
                check=False,
            )
        if ran.returncode:
            sentence = (
                f"Les royaumes n'ont pas été mis en place : voir {self._folder.logs}/realms.log."
            )
            raise DemoRefusedError(sentence)
        done: dict[str, Any] = json.loads(ran.stdout)
        return done

    def loss(self) -> str | None:
        """Return what to say when it ended by itself, once."""
        is_lost = self._process is not None and self._process.poll() is not None
        if not is_lost or self._is_loss_told:
            return None
        self._is_loss_told = True
        return "Keycloak s'est arrêté : la connexion est fermée, le reste continue. Relancez tout."

    def stop(self) -> None:
        """End it and what it started."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
