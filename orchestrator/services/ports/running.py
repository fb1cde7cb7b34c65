"""What running a journey needs: the store of runs, the gateway to the systems, the basis to act."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from identity.consent import ConsentRecord
from schemas.commands import Command
from schemas.receipts import Exchange, Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRef:
    """A service of the city and the system behind it, as one configuration revision says.

    ``secrets`` maps a setting to the name of its secret; ``version`` changes with the profile's
    settings and with its secrets.
    """

    id: str
    kind: str
    name: str
    profile: str
    connector: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    binding: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """Why something about a person may leave: a consent record, or another recorded basis."""

    kind: str
    record_id: UUID | None = None


class PartnerGateway(Protocol):
    """The one door to every system: breaker, share of greenlets, secrets, exchange log."""

    def call(self, service: ServiceRef, command: Command, log_to: list[Exchange]) -> Receipt:
        """Ask an operation; every exchange is appended to ``log_to``, even when it raises."""

    def can(self, service: ServiceRef, operation: str) -> bool:
        """Tell whether the system behind a service knows an operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a person told about one purpose; ``age_band`` as they or a sender said.

    ``changes`` counts how often their consents had changed when it was read.
    """

    age_band: str | None
    records: tuple[ConsentRecord, ...]
    changes: int | None


class ConsentGate(Protocol):
    """Says, at the moment a step runs, whether there is a basis for a purpose."""

    def basis(
        self,
        citizen_id: UUID | None,
        purpose: str,
        channel: str | None,
        *,
        known: dict[str, Told] | None = None,
    ) -> Basis | None:
        """Return the basis in force, or None.

        ``known`` holds, by purpose, what was read before and still stands; what is read is added.
        """

    def ever(self, citizen_id: UUID | None, purpose: str) -> bool:
        """Tell whether there ever was a basis, by whatever channel."""


class Services(Protocol):
    """Finds services in the configuration in force."""

    def service(self, service_id: str) -> ServiceRef | None:
        """Return a live service by its id."""

    def gateway_for(self, channel: str) -> ServiceRef | None:
        """Return the service that sends messages by ``sms`` or ``email``."""
