"""What a process of the hub is told by its environment, read once at start.

Everything else is configuration in the database. All faults are listed together, in French, with
what to do; the values themselves are never repeated.
"""

import base64
import binascii
import difflib
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from schemas.errors import ConfigurationError

PREFIX: Final = "PARVIS_"
FOREIGN: Final = ("PARVIS_TEST_", "PARVIS_PARTNER_")  # the tests' and the SDK's own
FOREIGN_NAMES: Final = frozenset({"PARVIS_REQUIRE_ALL"})
FAULT_POINTS: Final = (
    "intake.after_commit",
    "worker.before_call",
    "worker.after_call",
    "worker.after_commit",
    "waker.before_delete",
    "relay.before_publish",
    "relay.after_publish",
)
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
KEY_BYTES: Final = 32
MOST_GREENLETS_ON_A_BROKER: Final = 400
"""As many wakes as RabbitMQ hands to one process at once: greenlets beyond it would stay idle."""
TOO_MANY_GREENLETS: Final = (
    f"Avec RabbitMQ, un processus mène au plus {MOST_GREENLETS_ON_A_BROKER} parcours de front : "
    "au-delà ils resteraient sans travail. Baissez PARVIS_GREENLETS (ou --greenlets) et ajoutez "
    "des processus (--processes)."
)


class Mode(StrEnum):
    """How strict the hub is about where it runs."""

    PRODUCTION = "production"
    DEMO = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The process level: database, keys, addresses, sizes.

    ``remarks`` are French sentences about names that mean nothing to us; they do not stop a start.
    """

    mode: Mode
    database_url: str = field(repr=False)
    broker_url: str | None = field(repr=False)
    master_keys: tuple[bytes, ...] = field(repr=False)
    secret_key: bytes = field(repr=False)
    public_url: str
    idp_url: str | None
    idp_realm: str
    idp_staff_realm: str
    idp_ca_file: Path | None
    franceconnect_alias: str | None
    bind: str
    web_processes: int
    drain_seconds: int
    requests_per_minute: int
    greenlets: int
    bus_events: str
    metrics_port: int | None
    metrics_address: str
    log_format: str
    data_dir: Path
    test_fault: str | None
    remarks: tuple[str, ...] = ()

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment; raises ConfigurationError with every fault at once."""
        reader = _Reader(environ)
        values = {name: read(reader) for name, read in _READERS.items()}
        reader.check_together(values)
        if reader.faults:
            raise ConfigurationError(*reader.faults)
        return cls(**values, remarks=remarks(environ))

    @property
    def is_production(self) -> bool:
        """Whether this is a real city."""
        return self.mode is Mode.PRODUCTION


def remarks(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for each ``PARVIS_`` name that nothing here reads."""
    known = {*NAMES, *(f"{name}_FILE" for name in _FILE_TOO)}
    return tuple(
        f"{name} n'est pas un réglage de Parvis{_nearest(name, known)}."
        for name in sorted(environ)
        if name.startswith(PREFIX)
        and name not in known | FOREIGN_NAMES | {"PARVIS_TEST_FAULT"}
        and not name.startswith(FOREIGN)
    )


def read_master_keys(path: Path) -> tuple[bytes, ...]:
    """Read the one or two master keys of a file: base64 lines of 32 bytes, the first one wraps.

    Raises:
        ConfigurationError: the file cannot be read or holds something else.
    """
    lines = [line.strip() for line in _text_of(path).splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    try:
        keys = tuple(base64.b64decode(line, validate=True) for line in lines)
    except binascii.Error as error:
        raise ConfigurationError(_bad_master(path)) from error
    if not 1 <= len(keys) <= 2 or any(len(key) != KEY_BYTES for key in keys):
        raise ConfigurationError(_bad_master(path))
    return keys


def read_secret_key(path: Path) -> bytes:
    """Read the key of cookies and forms: at least 32 characters.

    Raises:
        ConfigurationError: the file cannot be read or is too short.
    """
    text = _text_of(path).strip()
    if len(text) < KEY_BYTES:
        fault = (
            f"{path} est trop court : au moins {KEY_BYTES} caractères (« parvis init » en fait un)."
        )
        raise ConfigurationError(fault)
    return text.encode()


class _Reader:
    """Reads names one by one and remembers what is wrong."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        """Return a value, or the content of the file that ``<name>_FILE`` names."""
        value, file = self._environ.get(name, ""), self._environ.get(f"{name}_FILE", "")
        if value and file and name in _FILE_TOO:
            self.faults.append(f"{name} et {name}_FILE sont donnés tous les deux : gardez-en un.")
        if file and name in _FILE_TOO and not value:
            value = self.attempt(lambda: _text_of(Path(file)).strip(), "")
        if not value and default is None:
            self.faults.append(f"{name} manque : {NAMES[name]}.")
        return value or default or ""

    def attempt(self, read: Callable[[], Any], fallback: Any) -> Any:
        """Return what ``read`` gives, or the fallback with the fault remembered."""
        try:
            return read()
        except ConfigurationError as error:
            self.faults.extend(error.faults)
            return fallback

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """Return one of the choices; the first is the default."""
        value = self.text(name, choices[0])
        if value in choices:
            return value
        self.faults.append(f"{name} doit valoir {' ou '.join(choices)}.")
        return choices[0]

    def integer(self, name: str, default: int | None, *, most: int, least: int = 1) -> int | None:
        """Return a whole number from ``least`` to ``most``."""
        value = self.text(name, "")
        if not value:
            return default
        if value.isascii() and value.isdigit() and least <= int(value) <= most:
            return int(value)
        self.faults.append(f"{name} doit être un nombre entier de {least} à {most}.")
        return default

    def drain_seconds(self) -> int | None:
        """Return how long a web process that stops serves on: behind nothing, not at all."""
        is_demo = self._environ.get("PARVIS_MODE") == Mode.DEMO
        return self.integer("PARVIS_DRAIN_SECONDS", 0 if is_demo else 5, most=20, least=0)

    def database_url(self) -> str:
        """Return the address of PostgreSQL."""
        value = self.text("PARVIS_DATABASE_URL")
        if value and not value.startswith(("postgresql://", "postgres://")):
            self.faults.append("PARVIS_DATABASE_URL doit commencer par postgresql://.")
        return value

    def broker_url(self) -> str | None:
        """Return the address of RabbitMQ, or None: the worker then reads the outbox itself."""
        value = self.text("PARVIS_BROKER_URL", "")
        if value and not all(_is_broker(part.strip()) for part in value.split(";")):
            self.faults.append(
                "PARVIS_BROKER_URL doit être de la forme amqp://utilisateur:secret@machine:5672/vhost "
                "(amqps:// pour TLS), plusieurs nœuds séparés par « ; »."
            )
        return value or None

    def key_file(self, name: str, read: Callable[[Path], Any]) -> Any:
        """Return the keys of a file that only its owner may read."""
        path = self.text(name)
        if not path:
            return None
        keys = self.attempt(lambda: read(Path(path)), None)
        if keys and Path(path).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            self.faults.append(f"{path} est lisible par d'autres : faites « chmod 600 {path} ».")
        return keys

    def public_url(self) -> str:
        """Return the address people use, without a slash behind it."""
        value = self.text("PARVIS_PUBLIC_URL").rstrip("/")
        if value and not _is_origin(value):
            self.faults.append(
                "PARVIS_PUBLIC_URL doit être une adresse http(s) sans chemin, "
                "par exemple https://parvis.ville.example."
            )
            return ""
        return value

    def idp_url(self) -> str | None:
        """Return where the identity provider's realms are, without a slash behind it."""
        value = self.text("PARVIS_IDP_URL", "").rstrip("/")
        parts = urlsplit(value)
        if value and not _is_origin(f"{parts.scheme}://{parts.netloc}"):
            self.faults.append(
                "PARVIS_IDP_URL doit être l'adresse http(s) de Keycloak, "
                "par exemple https://connexion.ville.example."
            )
            return None
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            self.faults.append("PARVIS_IDP_URL doit être en https hors de cette machine.")
        return value or None

    def realm(self, name: str, default: str) -> str:
        """Return the name of a realm."""
        value = self.text(name, default)
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", value):
            self.faults.append(f"{name} doit être un nom de royaume, par exemple {default}.")
        return value

    def idp_ca_file(self) -> Path | None:
        """Return the authority that signed the identity provider's certificate, when not a public one."""
        value = self.text("PARVIS_IDP_CA_FILE", "")
        if value and not Path(value).is_file():
            self.faults.append(f"PARVIS_IDP_CA_FILE : {value} n'est pas un fichier.")
        return Path(value) if value else None

    def franceconnect_alias(self) -> str | None:
        """Return the alias of FranceConnect at the identity provider; ``none``: not offered."""
        value = self.text("PARVIS_FRANCECONNECT_ALIAS", "france-connect")
        if not re.fullmatch(r"[a-z0-9-]{1,60}", value):
            self.faults.append("PARVIS_FRANCECONNECT_ALIAS doit être un alias, ou none.")
        return None if value == "none" else value

    def address(self, name: str, default: str) -> str:
        """Return ``host:port``."""
        value = self.text(name, default)
        host, separator, port = value.rpartition(":")
        if not (separator and host and port.isascii() and port.isdigit() and int(port) < 65536):
            self.faults.append(f"{name} doit être de la forme adresse:port, par exemple {default}.")
        return value

    def test_fault(self) -> str | None:
        """Return the named fault point of a crash test."""
        value = self._environ.get("PARVIS_TEST_FAULT") or None
        if value and value not in FAULT_POINTS:
            self.faults.append(f"PARVIS_TEST_FAULT doit valoir {' ou '.join(FAULT_POINTS)}.")
        return value

    def check_together(self, values: Mapping[str, Any]) -> None:
        """Check what only several values together can get wrong."""
        url = urlsplit(values["public_url"])
        if values["broker_url"] and (values["greenlets"] or 0) > MOST_GREENLETS_ON_A_BROKER:
            self.faults.append(TOO_MANY_GREENLETS)
        if values["mode"] is Mode.PRODUCTION and values["test_fault"]:
            self.faults.append("PARVIS_TEST_FAULT est refusé hors des tests : retirez-le.")
        if url.scheme == "http" and url.hostname not in LOOPBACK:
            self.faults.append(
                "PARVIS_PUBLIC_URL doit être en https dès qu'elle n'est pas celle de cette machine."
            )


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fault = (
            f"{path} est illisible : vérifiez le chemin et les droits, ou lancez « parvis init »."
        )
        raise ConfigurationError(fault) from error


def _bad_master(path: Path) -> str:
    return (
        f"{path} doit contenir une ou deux lignes en base64 de {KEY_BYTES} octets chacune. "
        "Faites-le avec « parvis init »."
    )


def _is_origin(value: str) -> bool:
    try:
        parts = urlsplit(value)
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        return False
    bare = not (parts.path or parts.query or parts.fragment or parts.username or parts.password)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and bare and port_is_good


def _is_broker(value: str) -> bool:
    try:
        parts = urlsplit(value)
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return parts.scheme in {"amqp", "amqps"} and bool(parts.hostname) and port_is_good


def _nearest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.8)
    return f" : vouliez-vous dire {near[0]} ?" if near else ""


NAMES: Final[Mapping[str, str]] = {
    "PARVIS_MODE": "production ou demo",
    "PARVIS_DATABASE_URL": "donnez l'adresse de PostgreSQL, postgresql://…",
    "PARVIS_BROKER_URL": "adresse de RabbitMQ ; sans elle, un seul processus de travail actif",
    "PARVIS_MASTER_KEY_FILE": "donnez le fichier de la clé maîtresse, fait par « parvis init »",
    "PARVIS_SECRET_KEY_FILE": "donnez le fichier de la clé des cookies, fait par « parvis init »",
    "PARVIS_PUBLIC_URL": "donnez l'adresse que les gens utilisent, https://…",
    "PARVIS_IDP_URL": "adresse de Keycloak ; sans elle, personne ne se connecte par lui",
    "PARVIS_IDP_REALM": "royaume des citoyens (parvis)",
    "PARVIS_IDP_STAFF_REALM": "royaume des agents (parvis-staff)",
    "PARVIS_IDP_CA_FILE": "autorité du certificat de Keycloak, si elle n'est pas publique",
    "PARVIS_FRANCECONNECT_ALIAS": "alias de FranceConnect dans Keycloak (france-connect), ou none",
    "PARVIS_BIND": "adresse:port d'écoute du serveur web",
    "PARVIS_WEB_PROCESSES": "nombre de processus web",
    "PARVIS_DRAIN_SECONDS": "secondes où un serveur web qui s'arrête sert encore",
    "PARVIS_REQUESTS_PER_MINUTE": "requêtes signées par minute et par partenaire",
    "PARVIS_GREENLETS": "parcours menés de front par un processus de travail",
    "PARVIS_BUS_EVENTS": "fins de parcours annoncées sur le bus (`all`) ou non (`none`) : à couper si personne n'écoute",
    "PARVIS_METRICS_PORT": "port des mesures",
    "PARVIS_METRICS_ADDRESS": "adresse des mesures",
    "PARVIS_LOG_FORMAT": "json ou console",
    "PARVIS_DATA_DIR": "dossier de travail",
}
_FILE_TOO: Final = frozenset({"PARVIS_DATABASE_URL", "PARVIS_BROKER_URL"})
_READERS: Final[Mapping[str, Callable[[_Reader], Any]]] = {
    "mode": lambda reader: Mode(reader.choice("PARVIS_MODE", ("production", "demo"))),
    "database_url": _Reader.database_url,
    "broker_url": _Reader.broker_url,
    "master_keys": lambda reader: reader.key_file("PARVIS_MASTER_KEY_FILE", read_master_keys),
    "secret_key": lambda reader: reader.key_file("PARVIS_SECRET_KEY_FILE", read_secret_key),
    "public_url": _Reader.public_url,
    "idp_url": _Reader.idp_url,
    "idp_realm": lambda reader: reader.realm("PARVIS_IDP_REALM", "parvis"),
    "idp_staff_realm": lambda reader: reader.realm("PARVIS_IDP_STAFF_REALM", "parvis-staff"),
    "idp_ca_file": _Reader.idp_ca_file,
    "franceconnect_alias": _Reader.franceconnect_alias,
    "bind": lambda reader: reader.address("PARVIS_BIND", "127.0.0.1:8000"),
    "web_processes": lambda reader: reader.integer("PARVIS_WEB_PROCESSES", 2, most=64),
    "drain_seconds": _Reader.drain_seconds,
    "requests_per_minute": lambda reader: reader.integer(
        "PARVIS_REQUESTS_PER_MINUTE", 6000, most=100_000_000
    ),
    "greenlets": lambda reader: reader.integer("PARVIS_GREENLETS", 64, most=2000),
    "bus_events": lambda reader: reader.choice("PARVIS_BUS_EVENTS", ("all", "none")),
    "metrics_port": lambda reader: reader.integer("PARVIS_METRICS_PORT", None, most=65535),
    "metrics_address": lambda reader: reader.text("PARVIS_METRICS_ADDRESS", "127.0.0.1"),
    "log_format": lambda reader: reader.choice("PARVIS_LOG_FORMAT", ("json", "console")),
    "data_dir": lambda reader: Path(reader.text("PARVIS_DATA_DIR", "/var/lib/parvis")),
    "test_fault": _Reader.test_fault,
}
