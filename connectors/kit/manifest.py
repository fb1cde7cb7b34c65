"""The manifest: everything the hub must know of a connector before it talks to a system."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from connectors.kit.settings import Secret, Setting, faults, filled
from schemas.errors import PartnerError

LIBRARY_CAPABILITIES: Final = frozenset(
    {"lookup", "authenticate", "create", "update", "password", "hold", "renew"}
)


class Transport(Enum):
    """How a connector reaches its system."""

    HTTP = "http"
    SMTP = "smtp"
    FOLDER = "folder"


ALLOW_PRIVATE: Final = Setting(
    "allow_private",
    kind="boolean",
    title="Réseau interne autorisé",
    help="À cocher seulement si le système est sur le réseau de la collectivité. Sans cela, toute "
    "adresse interne est refusée et https est obligatoire.",
    example=False,
    default=False,
    required=False,
)
TIMEOUTS: Final = (
    Setting(
        "connect_timeout",
        kind="duration",
        title="Délai de connexion",
        help="Temps laissé au système pour accepter la connexion.",
        example="3050ms",
        default="3050ms",
        required=False,
    ),
    Setting(
        "read_timeout",
        kind="duration",
        title="Délai de réponse",
        help="Temps laissé au système pour répondre, une fois connecté.",
        example="10s",
        default="10s",
        required=False,
    ),
)
CA_FILE: Final = Setting(
    "ca_file",
    kind="path",
    title="Autorité de certification propre",
    help="Fichier PEM de l'autorité qui a signé le certificat du système, si elle n'est pas publique.",
    example="/etc/parvis/ca-mairie.pem",
    required=False,
)
TRANSPORT_SETTINGS: Final[Mapping[Transport, tuple[Setting, ...]]] = {
    Transport.HTTP: (ALLOW_PRIVATE, *TIMEOUTS, CA_FILE),
    Transport.SMTP: (ALLOW_PRIVATE, *TIMEOUTS, CA_FILE),
    Transport.FOLDER: (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalField:
    """One personal datum that a system keeps after a call, why, and what erases it there."""

    name: str
    pii: str
    purpose: str
    eraser: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundRules:
    """How a system that posts in its own format proves itself, and what it may send.

    ``secret`` names the declared secret that must stand in ``header``; ``<secret>_previous``, when
    declared and filled, is accepted too, so that a secret is changed without losing a message.
    """

    secret: str
    header: str = "X-Parvis-Secret"
    media_types: frozenset[str] = frozenset({"application/json"})
    max_bytes: int = 256 * 1024
    max_depth: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a connector declares; the operations come from the methods marked ``@operation``.

    ``settings`` are the connector's own settings and secrets; those of its transport are added.
    ``emits`` are the event types ``translate`` may give. ``errors_by_status`` overrides the kit's
    table for one system. ``periodic`` pairs an operation with the duration setting that paces it.
    """

    name: str
    title: str
    kinds: frozenset[str]
    capabilities: frozenset[str] = frozenset()
    emits: frozenset[str] = frozenset()
    transport: Transport = Transport.HTTP
    settings: tuple[Setting, ...] = ()
    binding: tuple[Setting, ...] = ()
    errors_by_status: Mapping[int, type[PartnerError]] = field(default_factory=dict)
    personal_fields: tuple[PersonalField, ...] = ()
    periodic: tuple[tuple[str, str], ...] = ()
    inbound: InboundRules | None = None

    def __post_init__(self) -> None:
        """Add the settings of the transport behind the connector's own."""
        own = {item.name for item in self.settings}
        more = tuple(item for item in TRANSPORT_SETTINGS[self.transport] if item.name not in own)
        object.__setattr__(self, "settings", self.settings + more)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The settings whose values are never shown."""
        return tuple(item for item in self.settings if isinstance(item, Secret))

    def check_settings(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the faults of a profile's settings and secrets together, in French."""
        found = faults(self.settings, values)
        if values.get("allow_private") is True:
            return found
        plain = [
            f"« {item.title} » ({item.name}) doit commencer par https:// hors du réseau interne."
            for item in self.settings
            if item.kind == "url"
            and str(values.get(item.name) or item.default or "").startswith("http:")
        ]
        return found + tuple(plain)

    def check_binding(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the faults of a service's binding, in French."""
        return faults(self.binding, values)

    def with_defaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a profile's settings with the defaults of what was left out."""
        return filled(self.settings, values)
