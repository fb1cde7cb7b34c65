"""Drives a running demonstration as scripts do: by its demo.json, over HTTP, with signals."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import psycopg
import pytest

from mock_partners.senders import (
    HubClient,
    HubUnreachableError,
    Notice,
    Sender,
    Sharing,
    arrival,
    cloud_event,
    invent,
    new_event_id,
)
from orchestrator.services.purposes import PARTNER_ARRIVAL, notice_sha256
from orchestrator.store.locks import TIMERS, WAKER
from parvis.demo.browser import Browser
from parvis.demo.environment import environment_of
from parvis.demo.facts import Facts
from parvis.demo.folder import DemoFolder
from parvis.demo.story.stage import CODE
from parvis.demo.systems import Mock

ROOT = Path(__file__).parents[2]
NOTICE = Notice(version=PARTNER_ARRIVAL, sha256=notice_sha256(PARTNER_ARRIVAL, "fr"))


class Demo:
    """One supervisor with everything it runs."""

    def __init__(self, folder, *arguments, environment=None):
        self.folder = Path(folder)
        self.arguments = arguments
        self.out = self.folder.with_name(f"{self.folder.name}.out")
        self._numbers = itertools.count(random.SystemRandom().randrange(8000))
        self.chances = random.Random(os.urandom(8))
        self._environment = environment or {}

    def start(self):
        command = [sys.executable, "-m", "parvis", "demo", "--data", str(self.folder)]
        with self.out.open("ab") as out:
            self.process = subprocess.Popen(
                [*command, *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=ROOT,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )
        return self

    def wait_until_told(self, seconds=90):
        """Wait for the story's last line (``--json``), which comes after the addresses."""
        return until(self._last_json, "the story was not told", seconds, alive=self.process)

    def stop(self, number=signal.SIGINT):
        if "facts" in self.__dict__:
            self.facts.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(40)

    # --- what it says of itself -------------------------------------------------------------------

    @property
    def state(self):
        return json.loads((self.folder / "demo.json").read_text())

    @property
    def ports(self):
        return json.loads((self.folder / "ports.json").read_text())

    @property
    def output(self):
        return self.out.read_text()

    @cached_property
    def facts(self):
        return Facts(self.state["database_url"])

    def mock(self, name):
        return Mock(self.state["mocks"][name])

    def sender(self, event_type):
        row = next(p for p in self.state["partners"] if event_type in p["allowed_events"])
        return Sender.read(row)

    def browser(self):
        return Browser(self.state["citizen"])

    def staff_browser(self):
        """A browser signed in at the console, by a link of the command line."""
        said = subprocess.run(
            [sys.executable, "-m", "parvis", "console", "link"],
            cwd=ROOT,
            env=environment_of(DemoFolder(self.folder), {}),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        browser = self.browser()
        door = browser.get(said.split()[-1])
        assert browser.send(door, door.form("csrf_token")).status == 200
        return browser

    # --- what it is made to do --------------------------------------------------------------------

    def newcomer(self):
        """Somebody no library and no telephone of this demonstration knows yet."""
        made = replace(invent(self.chances), language="fr")
        number = next(self._numbers)
        return replace(
            made,
            family_name=f"{made.family_name}-{made.given_name}-{_letters(number)}",
            phone=f"+3363998{number:04d}",
        )

    def event(self, event_type, commune, person=None, *, has_person=True, channel="sms"):
        sender, now = self.sender(event_type), datetime.now(UTC)
        data = arrival(
            event_type,
            commune=commune,
            newcomer=person or self.newcomer(),
            sharing=Sharing(person=has_person, channel=channel, notice=NOTICE),
            happened_at=now,
            collected_by=sender.source,
        )
        return cloud_event(
            event_type,
            data,
            source=sender.source,
            event_id=new_event_id(self.chances, now),
            subject=f"T-{self.chances.getrandbits(48):012x}",
            happened_at=now,
        )

    def post(self, event):
        """Send once; None when no answer came."""
        return self.carry(self.sender(event["type"]).event(event, now=datetime.now(UTC)))

    def carry(self, request):
        """Send a signed request as it is; None when no answer came."""
        client = HubClient(self.state["hub"])
        try:
            return client.send(request)
        except HubUnreachableError:
            return None
        finally:
            client.close()

    def post_until_answered(self, event):
        """Send as a partner does: the same event again until somebody answers."""
        return until(lambda: self.post(event), "no answer to an event", 40, pause=0.3)

    def run_of(self, event):
        return self.facts.run_of(event["source"], event["id"])

    def until_run(self, event, is_so, what, seconds=40):
        def find():
            run = self.run_of(event)
            return run if run and is_so(run) else None

        return until(find, what, seconds)

    def code_sent_to(self, phone):
        texts = [t["text"] for t in self.mock("sms_city").messages(receiver=phone)]
        return [match[0] for text in texts if (match := CODE.search(text))]

    def activate(self, code):
        browser = self.browser()
        page = browser.get("/code")
        form = page.form("code")
        form.fill(code=code)
        return browser.send(page, form)

    def set_fault(self, point, marker):
        """Have the hub's next processes kill themselves at a point, once."""
        lines = self._without_fault()
        if point:
            lines += [f"PARVIS_TEST_FAULT={point}", f"PARVIS_TEST_FAULT_MARKER={marker}"]
        (self.folder / "environment").write_text("\n".join(lines) + "\n")

    def _without_fault(self):
        lines = (self.folder / "environment").read_text().splitlines()
        return [line for line in lines if not line.startswith("PARVIS_TEST_")]

    def kill(self, name):
        """Kill -9 a process and wait for its successor; returns both numbers."""
        before = self.state["pids"][name]
        os.kill(before, signal.SIGKILL)
        after = until(lambda: self._successor(name, before), f"{name} was not restarted", 30)
        until(self.is_ready, lambda: f"the hub does not answer: {self.readiness()}", 40)
        return before, after

    def _successor(self, name, before):
        pid = self.state["pids"].get(name)
        return pid if pid not in {None, before} else None

    def is_ready(self):
        return self.readiness() == (True, True, 200)

    def readiness(self):
        """Whether the worker reads wakes and keeps time, and what the web says of itself."""
        try:
            held = self.facts.is_held(WAKER), self.facts.is_held(TIMERS)
            status, _, body = fetched(f"{self.state['hub']}/readyz")
        except (OSError, psycopg.Error) as error:
            return (repr(error),)
        return *held, status if status == 200 else body

    def _last_json(self):
        lines = self.output.splitlines() if self.out.exists() else []
        if lines and lines[-1].startswith("{"):
            return json.loads(lines[-1])
        return None


def _letters(number):
    """A number as letters: names hold no digit."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def until(find, what, seconds, *, pause=0.05, alive=None):
    end = time.monotonic() + seconds
    while True:
        found = find()
        if found:
            return found
        assert alive is None or alive.poll() is None, f"{what}: the supervisor ended"
        if time.monotonic() > end:
            pytest.fail(f"{what() if callable(what) else what} within {seconds} s")
        time.sleep(pause)


def fetched(url, *, headers=None):
    """Return status, headers and body of a GET, whatever the status."""
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def descendants(pid):
    """Every process started by this one, directly or not."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, look = [], [pid]
    while look:
        children = parents.get(look.pop(), [])
        found += children
        look += children
    return found
