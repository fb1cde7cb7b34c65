"""The city as the journeys' own functions see it: the offer in force and the store's reads."""

from typing import Protocol
from uuid import UUID

from orchestrator.engine.world import ChosenLibrary, KnownPreregistration


class OfferReads(Protocol):
    """What the configuration in force knows."""

    def territory_of(self, commune: str) -> str | None:
        """Return the territory of a commune."""

    def commune_name(self, code: str) -> str:
        """Return the name of a commune."""

    def nearest_open_library(
        self, commune: str, location: tuple[float, float] | None
    ) -> ChosenLibrary | None:
        """Return the nearest open library."""

    def notice_recipients(self, version: str, locale: str) -> tuple[str, ...]:
        """Return whom a notice names."""


class PeopleReads(Protocol):
    """What the hub already knows of people."""

    def preregistration_of(self, source: str, subject: str) -> KnownPreregistration | None:
        """Return what a sender already announced."""

    def pseudonym_of(self, citizen_id: UUID, service: str) -> str | None:
        """Return what a service sees of a person."""


class CityWorld:
    """Implements ``engine.world.World``."""

    def __init__(self, offer: OfferReads, people: PeopleReads) -> None:
        self.territory_of = offer.territory_of
        self.commune_name = offer.commune_name
        self.nearest_open_library = offer.nearest_open_library
        self.notice_recipients = offer.notice_recipients
        self.preregistration_of = people.preregistration_of
        self.pseudonym_of = people.pseudonym_of
