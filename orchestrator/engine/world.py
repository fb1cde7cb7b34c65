"""What a journey's own functions may ask of the city and of what the hub already knows."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenLibrary:
    """The nearest open library and the service that answers for it, if one is connected.

    ``commune`` is the INSEE code of the library's commune.
    """

    place_id: str
    name: str
    commune: str
    distance_km: float
    service_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPreregistration:
    """A pre-registration already made for the same sender and subject."""

    id: UUID
    citizen_id: UUID
    state: str
    our_ref: str


class World(Protocol):
    """Reads only; the runtime implements it on the offer and the store."""

    def territory_of(self, commune: str) -> str | None:
        """Return the territory a commune belongs to, or None when it is none of ours."""

    def commune_name(self, code: str) -> str:
        """Return the name of a commune."""

    def nearest_open_library(
        self, commune: str, location: tuple[float, float] | None
    ) -> ChosenLibrary | None:
        """Return the nearest open public library, across commune borders."""

    def preregistration_of(self, source: str, subject: str) -> KnownPreregistration | None:
        """Return what an earlier event of the same sender about the same subject made."""

    def notice_recipients(self, version: str, locale: str) -> tuple[str, ...]:
        """Return the recipients that a notice names."""

    def pseudonym_of(self, citizen_id: UUID, service: str) -> str | None:
        """Return what a service sees of a person (``journal``: under what consents are kept)."""
