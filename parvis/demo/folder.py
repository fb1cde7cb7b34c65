"""The folder of one demonstration: its lock, its keys, its ports, what it tells scripts.

Everything in it is readable by its owner only. The keys are made once, so that a folder started
again opens what it sealed.
"""

import base64
import fcntl
import json
import os
import secrets
import shutil
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parvis.demo.options import DemoRefusedError

HOST: Final = "127.0.0.1"
MARK: Final = "demo.lock"


class DemoFolder:
    """Paths and private files of one demonstration."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.logs = self.path / "logs"
        self.drop = self.path / "drop"
        self.mail = self.path / "mail"
        self.postgres = self.path / "postgres"
        self.environment = self.path / "environment"
        self.city = self.path / "city.yaml"
        self.mocks = self.path / "mocks.json"
        self.secrets = self.path / "secrets.json"
        self.ports = self.path / "ports.json"
        self.state = self.path / "demo.json"
        self.master_key = self.path / "master.key"
        self.secret_key = self.path / "secret.key"
        self.realm_keys = self.path / "realm_keys"
        self.starts = self.path / "starts"
        self._lock: int | None = None

    def take(self) -> None:
        """Make the folder and hold it alone until this process ends.

        Raises:
            DemoRefusedError: another demonstration holds it, or it is somebody else's folder.
        """
        self._refuse_foreign()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            mark = os.open(self.path / MARK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoRefusedError(self._held_sentence()) from None
        except OSError as error:
            sentence = f"Le dossier {self.path} ne peut pas servir : {error.strerror}."
            raise DemoRefusedError(sentence) from error
        self._lock = mark
        os.ftruncate(mark, 0)
        os.write(mark, f"{os.getpid()}\n".encode())
        for folder in (self.logs, self.drop, self.mail):
            folder.mkdir(exist_ok=True)

    @property
    def is_ours(self) -> bool:
        """Whether this process holds the folder."""
        return self._lock is not None

    def forget(self) -> None:
        """Empty the folder that we hold."""
        for entry in self.path.iterdir():
            if entry.name == MARK:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        for folder in (self.logs, self.drop, self.mail):
            folder.mkdir(exist_ok=True)

    def count_start(self) -> int:
        """Return how often a demonstration was started in this folder before, and count this one."""
        before = int(self.starts.read_text()) if self.starts.exists() else 0
        write_private(self.starts, str(before + 1))
        return before

    def keep_keys(self) -> None:
        """Make the hub's keys unless they are there."""
        master = base64.b64encode(secrets.token_bytes(32)).decode()
        for path, text in ((self.master_key, master), (self.secret_key, secrets.token_urlsafe(48))):
            if not path.exists():
                write_private(path, f"{text}\n")

    def keep_secrets(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """Return the value of every secret by name; ``wanted`` says the kind of each one."""
        known = read_json(self.secrets)
        values = {name: known.get(name) or _new_secret(kind) for name, kind in wanted.items()}
        if values != known:
            write_private(self.secrets, json.dumps(values, indent=1))
        return values

    def keep_ports(self, names: Sequence[str], *, wished: Mapping[str, int]) -> dict[str, int]:
        """Return a free port for each name: the wished one, the one of last time, or any.

        Raises:
            DemoRefusedError: a wished port is taken.
        """
        known = {name: port for name, port in read_json(self.ports).items() if name in names}
        ports = _free_ports(names, wished=wished, known=known)
        if ports != known:
            write_private(self.ports, json.dumps(ports, indent=1))
        return ports

    def _refuse_foreign(self) -> None:
        """Refuse a folder that holds something and was never ours."""
        if self.path.is_dir() and any(self.path.iterdir()) and not (self.path / MARK).exists():
            sentence = (
                f"Le dossier {self.path} n'est pas celui d'une démonstration : donnez-en un autre "
                "avec --data (vide, ou qui n'existe pas encore)."
            )
            raise DemoRefusedError(sentence)

    def _held_sentence(self) -> str:
        holder = (self.path / MARK).read_text(encoding="utf-8").strip()
        return (
            f"Une démonstration tourne déjà dans {self.path} (processus {holder or 'inconnu'}) : "
            "arrêtez-la, ou donnez un autre dossier avec --data."
        )


def write_private(path: Path, text: str) -> None:
    """Write a file of ours whole or not at all, readable by its owner only."""
    draft = path.with_name(f".{path.name}.part")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Read an object of ours; one that is missing or torn counts as empty."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def public_key_of(secret: str) -> str:
    """Return the public half (``whpk_…``) of a signing key (``whsk_…``)."""
    seed = base64.b64decode(secret.removeprefix("whsk_"))
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return f"whpk_{base64.b64encode(public).decode()}"


def _new_secret(kind: str) -> str:
    match kind:
        case "v1":
            return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        case "v1a":
            return f"whsk_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        case _:
            return secrets.token_urlsafe(24)


def _free_ports(
    names: Sequence[str], *, wished: Mapping[str, int], known: Mapping[str, int]
) -> dict[str, int]:
    """Find the ports while all of them are held, so that no two names get the same one."""
    held: list[socket.socket] = []
    try:
        ports = {}
        for name in names:
            found = _held(wished[name]) if name in wished else _held(known.get(name, 0)) or _held(0)
            if found is None:
                sentence = f"Le port {wished[name]} est déjà pris : donnez-en un autre avec --port."
                raise DemoRefusedError(sentence)
            held.append(found)
            ports[name] = int(found.getsockname()[1])
        return ports
    finally:
        for probe in held:
            probe.close()


def _held(port: int) -> socket.socket | None:
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((HOST, port))
        probe.listen(1)
    except OSError:
        probe.close()
        return None
    return probe
