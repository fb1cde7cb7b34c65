"""The demonstration: everything brought up, the story played, everything kept running, then stopped.

The main thread starts and mends processes and hears signals; the story is told by another one.
"""

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime
from types import FrameType
from typing import Final

import psycopg

from mock_partners.senders import Notice
from orchestrator.services.purposes import PARTNER_ARRIVAL, notice_sha256
from parvis.demo.environment import environment_of
from parvis.demo.facts import Facts
from parvis.demo.ground import Ground
from parvis.demo.options import STAFF_ACCOUNT, DemoOptions, DemoRefusedError
from parvis.demo.story import DidNotHappenError, Stage, play
from parvis.demo.systems import Mock
from parvis.demo.table import Table, table_of

BEAT_SECONDS: Final = 0.1
STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopAskedError(BaseException):
    """Somebody asked the demonstration to stop; raised wherever the main thread is."""


class Demonstration:
    """One demonstration, from its first line to its last process."""

    def __init__(self, options: DemoOptions) -> None:
        self._options = options
        self._ground = Ground(options)
        self._tell = _told
        self._table: Table | None = None
        self._is_played = threading.Event()

    def run(self) -> int:
        """Run until the story is played (``--once``) or somebody asks to stop; returns the exit code."""
        os.umask(0o077)
        for number in STOPPING:
            signal.signal(number, _stop_asked)
        code = 0
        try:
            self._begin()
            code = self._last()
        except StopAskedError:
            code = 0
        except DemoRefusedError as error:
            sys.stderr.write(f"{error}\n")
            code = 1
        finally:
            for number in STOPPING:
                signal.signal(number, signal.SIG_IGN)
            self._ground.stop()
        return code

    def _begin(self) -> None:
        started = time.monotonic()
        self._tell("Parvis, ville de démonstration : démarrage …")
        self._ground.start()
        done = self._ground.done
        self._tell(
            f"Tout répond après {_seconds(time.monotonic() - started)} : {done['communes']} communes, "
            f"{done['libraries']} bibliothèques ouvertes au public, adresse {self._ground.hub}"
        )

    def _last(self) -> int:
        story = threading.Thread(target=self._play, name="story", daemon=True)
        story.start()
        is_told = False
        while True:
            for name in self._ground.mend():
                sys.stderr.write(f"Le processus {name} s'était arrêté : relancé.\n")
            if self._is_played.is_set() and not is_told:
                is_told = True
                self._close_story()
                if self._options.is_once:
                    return 0 if self._table and self._table.ok else 1
            time.sleep(BEAT_SECONDS)

    # --- the story --------------------------------------------------------------------------------

    def _play(self) -> None:
        started, failure = time.monotonic(), None
        facts = Facts(self._ground.database_url)
        try:
            stage = self._stage(facts)
            before = stage.gateway.mark()
            try:
                play(stage, self._heading)
            except DidNotHappenError as error:
                failure = str(error)
            except (OSError, LookupError, psycopg.Error) as error:
                failure = f"{type(error).__name__} : {error}"
            texts = len(stage.gateway.effects("sms.accepted", after=before))
            seconds = time.monotonic() - started
            self._table = table_of(stage, failure=failure, texts=texts, seconds=seconds)
        finally:
            facts.close()
            self._is_played.set()

    def _stage(self, facts: Facts) -> Stage:
        return Stage(
            hub=self._ground.hub,
            city=self._ground.city,
            folder=self._ground.folder,
            facts=facts,
            mocks={name: Mock(url) for name, url in self._ground.city.mocks.items()},
            notice=Notice(
                version=PARTNER_ARRIVAL, sha256=str(notice_sha256(PARTNER_ARRIVAL, "fr"))
            ),
            tell=self._tell,
            chances=random.Random(secrets.randbits(64)),  # noqa: S311 - invents people
            since=facts.now(),
            play=secrets.token_hex(3),
        )

    def _heading(self, title: str) -> None:
        sys.stdout.write(f"\n{title}\n")

    def _close_story(self) -> None:
        table = self._table
        if table is None:
            sys.stderr.write("L'histoire s'est interrompue : voir les journaux.\n")
            return
        sys.stdout.write("\n" + "\n".join(table.lines()) + "\n")
        if table.ok:
            self._tell(f"L'histoire s'est déroulée en {_seconds(table.seconds)}, tout est vérifié.")
        else:
            self._tell(f"Ne s'est pas produit : {table.failure}.")
        if not self._options.is_once:
            self._show_addresses()
        if self._options.is_json:
            sys.stdout.write(json.dumps(table.as_json(), ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def _show_addresses(self) -> None:
        hub, placements = self._ground.hub, self._ground.city.document["placements"]
        token = next(each["token"] for each in placements if each["status"] == "live")
        rows = {
            "Page de l'affiche": f"{hub}/a/{token}",
            "Mon espace (connexion de démonstration)": f"{hub}/mon-espace",
            "Page d'activation": f"{hub}/code",
            "Console (lien à usage unique, 15 min)": self._console_link(),
            f"Entrée des agents (compte {STAFF_ACCOUNT})": self._staff_entry(),
            "Documentation de l'API": f"{hub}/v1/docs",
            "Courriels (fichiers)": str(self._ground.folder.mail),
            "Adresses, clés et processus": str(self._ground.folder.state),
        }
        rows |= {
            f"Journal de {name}": f"{url}/_mock/journal"
            for name, url in self._ground.city.mocks.items()
        }
        width = max(map(len, rows))
        lines = [f"{name:<{width}}  {value}" for name, value in rows.items()]
        sys.stdout.write("\n" + "\n".join([*lines, "", "Ctrl-C pour tout arrêter."]) + "\n")

    def _staff_entry(self) -> str:
        entry = self._ground.sign_in
        password = entry.get("staff_password")
        return f"{entry['staff']} (mot de passe {password})" if password else entry["staff"]

    def _console_link(self) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "parvis", "console", "link"],
            env=environment_of(self._ground.folder, {}),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        links = [word for word in done.stdout.split() if word.startswith("http")]
        return links[0] if links else "« parvis console link » n'a pas répondu"


def _told(line: str) -> None:
    now = datetime.now().astimezone()
    sys.stdout.write(f"{now:%H:%M:%S},{now.microsecond // 1000:03d}  {line}\n")
    sys.stdout.flush()


def _seconds(value: float) -> str:
    return f"{value:.1f} s".replace(".", ",")


def _stop_asked(_number: int, _frame: FrameType | None) -> None:
    raise StopAskedError
