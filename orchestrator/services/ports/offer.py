"""What the configuration and the offer need: the store of the city, and what connectors declare."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from orchestrator.services.open_data import OpenData, PlaceRow
from orchestrator.services.open_data.rows import CommuneRow
from schemas.geo import Point

EntryKey = tuple[str, str]
"""A kind (``territory``, ``profile``, ``service``, ``partner`` …) and an identifier."""
Entry = Mapping[str, Any]
"""One entry of the configuration as plain JSON, the same whether it was read from file or table."""


# --- configuration ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CityState:
    """The configuration in force and the number of its revision (0: none yet)."""

    revision: int
    entries: Mapping[EntryKey, Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What one ``apply`` changes, on top of the revision it was planned on."""

    revision: int
    actor: str
    put: Mapping[EntryKey, Entry]
    retire: Sequence[EntryKey]
    document: Mapping[str, Any]
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownData:
    """What the open data loaded so far knows."""

    communes: frozenset[str]
    places: Mapping[str, str]  # id → kind


class ConfigurationStore(Protocol):
    """Keeps the city: every change is one transaction and one revision."""

    def state(self) -> CityState:
        """Return the configuration in force."""

    def write(self, writing: Writing) -> int:
        """Write everything or nothing and return the new revision.

        Raises ConflictError when the configuration moved since ``writing.revision``.
        """

    def known_data(self) -> KnownData:
        """Return the codes of communes and places that the open data brought."""


class SecretStore(Protocol):
    """Keeps secrets sealed under the master key."""

    def names(self) -> frozenset[str]:
        """Return the names that have a value."""

    def values(self, names: Collection[str]) -> Mapping[str, str]:
        """Return the values of the names that have one and open with our master key."""

    def put(self, name: str, value: str, *, actor: str) -> None:
        """Set a secret; running processes notice at once, the value is told to nobody."""


# --- connectors ---------------------------------------------------------------------------------


class Declared(Protocol):
    """A setting that a connector declares."""

    @property
    def name(self) -> str:
        """The name in the file."""

    @property
    def is_secret(self) -> bool:
        """Whether the value must be a reference to a secret."""


class ManifestFace(Protocol):
    """What a connector says about itself."""

    @property
    def title(self) -> str:
        """The name people see."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of service it can stand for."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What the system behind it can do."""

    @property
    def settings(self) -> Sequence[Declared]:
        """The settings and secrets of a profile."""

    @property
    def binding(self) -> Sequence[Declared]:
        """The settings of a service bound to a profile."""

    def check_settings(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the French faults of a profile's settings and secrets."""

    def check_binding(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the French faults of a service's binding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogued:
    """A connector as the configuration sees it: its manifest and the operations it knows."""

    manifest: ManifestFace
    operations: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a journey asks of the systems behind one kind of service."""

    kind: str
    journey: str
    capability: str


# --- offer --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRow:
    """One system, its settings as configured (secrets are references).

    ``version`` changes whenever its settings or one of its secrets do.
    """

    id: str
    connector: str
    state: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str]  # setting → name of its secret
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRow:
    """A service of the city bound to a profile."""

    id: str
    kind: str
    name: str
    territory: str | None
    place_id: str | None
    min_level: int
    profile_id: str
    binding: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerKeyRow:
    """A live key of a partner; the value of a shared secret stays in the vault."""

    id: str
    scheme: str
    secret_name: str | None
    public_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerRow:
    """An organisation that sends, and its live keys, oldest first."""

    id: str
    name: str
    allowed_events: frozenset[str]
    territories: tuple[str, ...]
    handover: str
    keys: tuple[PartnerKeyRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRows:
    """Everything the offer is made of, read at one revision."""

    revision: int
    city: Mapping[str, Any]
    policies: Mapping[str, Any]
    territories: Mapping[str, tuple[str, ...]]
    profiles: tuple[ProfileRow, ...]
    services: tuple[ServiceRow, ...]
    partners: tuple[PartnerRow, ...]
    communes: tuple[CommuneRow, ...]
    centroids: Mapping[str, Point]
    places: tuple[PlaceRow, ...]
    loaded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCount:
    """What an import did to one table."""

    created: int
    changed: int
    same: int
    absent: int  # rows of an earlier edition that this one no longer has; they stay


class OfferReader(Protocol):
    """Reads the offer."""

    def revision(self) -> int:
        """Return the number of the newest revision (0: none yet); one index look-up."""

    def load(self) -> OfferRows:
        """Return everything, consistent with one revision."""


class OpenDataStore(Protocol):
    """Keeps the open data."""

    def import_open_data(self, data: OpenData, *, actor: str) -> Mapping[str, ImportCount]:
        """Write communes and places; idempotent on their keys, one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What configuration is checked against; the front door gathers it."""

    connectors: Mapping[str, Catalogued]
    needs: tuple[Need, ...] = ()
    event_types: frozenset[str] = field(default_factory=frozenset)
