"""One rig per transport: a system to talk to, the faults it can show, the effects it counted."""

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connectors.kit import Transport, catalogue, open_profile
from mock_partners.program import build
from mock_partners.server import MockServer
from schemas.commands import Command
from tests.contract.connectors.smtp_server import SmtpServer

HOME = Path(__file__).parents[2] / "connectors"
PERSON = {
    "our_ref": "PV-7Q2M9XKD",
    "family_name": "Éxempleu-Canari",
    "given_name": "Camille",
    "email": "camille.canari@example.org",
    "phone": "+33639980042",
    "commune": "13055",
    "commune_name": "Marseille",
    "language": "fr",
    "expires_on": "2027-02-20",
}
PERSONAL = ("Canari", "camille.canari", "639980042", "camille.exemple", "K7M2PQ")
READ_TIMEOUT_SECONDS = 1.0
FAST = {"connect_timeout": "1s", "read_timeout": "1000ms", "allow_private": True}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call of a connector's contract file."""

    operation: str
    effect: str | None = None
    after: str | None = None
    purpose: str = "library.preregistration"
    data: dict = field(default_factory=dict)

    def __str__(self):
        before = f"-after-{self.after}" if self.after else ""
        return f"{self.operation}{before}-{self.effect or 'read'}"


def contract(name):
    return json.loads((HOME / name / "contract.json").read_text())


def cases(name):
    return [Case(**each) for each in contract(name)["calls"]]


class Rig:
    """A connector in front of a system that misbehaves on demand."""

    def __init__(self, name):
        self.name = name
        self.contract = contract(name)
        self.manifest = catalogue()[name].manifest
        self.log = []
        self._profile = None

    @property
    def settings(self):
        return {**self.contract["settings"], **self.own_settings()}

    @property
    def secrets(self):
        return self.contract["secrets"]

    def open(self, **changes):
        opened = open_profile(self.name, "profil_essai", {**self.settings, **changes}, self.secrets)
        self._opened.append(opened)
        return opened

    @property
    def profile(self):
        if self._profile is None:
            self._profile = self.open()
        return self._profile

    def command(self, case, *, may_repeat=False, key="0192-run:3"):
        data = {**(case.data if "to" in case.data else {**PERSON, **case.data})}
        if case.after is not None:
            before = Case(operation=case.after)
            first = self.profile.call(case.after, self.command(before, key="0192-run:1"), [])
            data["external_ref"] = first.external_ref
        return Command(
            key=key,
            operation=case.operation,
            data=data,
            pseudonym="ZX6Y",
            purpose=case.purpose,
            binding=self.contract["binding"],
            may_repeat=may_repeat,
        )

    def call(self, command):
        return self.profile.call(command.operation, command, self.log)

    _opened: list

    @contextmanager
    def running(self):
        self._opened = []
        with self.serving():
            yield self
            for opened in self._opened:
                opened.close()


class HttpRig(Rig):
    """A mock partner behind a loopback port."""

    def own_settings(self):
        return {**FAST, "base_url": self.server.url}

    @contextmanager
    def serving(self):
        mock = self.contract["mock"]
        with MockServer(build(mock["kind"], mock["settings"]), control_port=0) as self.server:
            yield

    def arm(self, fault, **params):
        self.server.app.rig.faults.arm([{"fault": fault, **params}])

    def clear(self):
        self.server.app.rig.faults.clear()

    def effects(self):
        return [each for each in self.server.app.rig.journal.page() if each["effect"]]

    def requests_received(self):
        return len(self.server.app.rig.journal.page())


class SmtpRig(Rig):
    """A small SMTP server with the same faults."""

    def own_settings(self):
        return {**FAST, "host": "127.0.0.1", "port": self.server.port}

    @contextmanager
    def serving(self):
        self.server = SmtpServer(user="parvis", password=self.secrets["password"])
        with self.server.running():
            yield

    def arm(self, fault, **params):
        self.server.arm(fault, **params)

    def clear(self):
        self.server.clear()

    def effects(self):
        """Messages by their Message-ID: that is how servers and mailboxes count them."""
        return sorted({message["Message-ID"] for message in self.server.taken})

    def requests_received(self):
        return self.server.sessions


class FolderRig(Rig):
    """A folder of this test's own."""

    def __init__(self, name, directory):
        super().__init__(name)
        self.directory = directory

    def own_settings(self):
        return {"directory": str(self.directory)}

    @contextmanager
    def serving(self):
        yield

    def arm(self, fault, **_params):
        match fault:
            case "gone":
                shutil.rmtree(self.directory)
            case "locked":
                (self.directory / ".verrou").mkdir()
            case "stuck":
                (self.directory / ".essai.part").mkdir()

    def effects(self):
        files = list(self.directory.glob("preinscriptions_*"))
        return [line for path in files for line in path.read_bytes().split(b"\r\n")[1:-1]]


RIGS = {Transport.HTTP: HttpRig, Transport.SMTP: SmtpRig}


@contextmanager
def rig_for(name, directory):
    transport = catalogue()[name].manifest.transport
    rig = FolderRig(name, directory) if transport is Transport.FOLDER else RIGS[transport](name)
    with rig.running():
        yield rig


def networked():
    """The connectors whose system is behind a network."""
    return [
        name
        for name, connector in catalogue().items()
        if connector.manifest.transport is not Transport.FOLDER
    ]


def over_http():
    return [
        name
        for name, connector in catalogue().items()
        if connector.manifest.transport is Transport.HTTP
    ]


def effect_cases(names):
    return [(name, case) for name in names for case in cases(name) if case.effect is not None]


def all_cases(names):
    return [(name, case) for name in names for case in cases(name)]


def identify(value):
    return "-".join(map(str, value.values())) if isinstance(value, dict) else str(value)
