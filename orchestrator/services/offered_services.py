"""What the city offers, as an application that shows it reads it: no settings, no addresses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.services.offer import Offer
from orchestrator.services.open_data import display_name
from orchestrator.services.ports.offer import ServiceRow
from schemas.errors import NotFoundError

_GATEWAYS: Final = frozenset({"sms", "email", "message"})  # they carry messages, nobody joins them


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlace:
    """Where a service is."""

    id: str
    name: str
    commune: str
    address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedService:
    """One service; ``communes`` are those it is for, ``min_level`` how sure we must be of a person."""

    id: str
    kind: str
    name: str
    territory: str | None
    communes: tuple[str, ...]
    place: ServicePlace | None
    min_level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedServices:
    """Reads the offer in force."""

    offer: Callable[[], Offer]

    def listed(self) -> Sequence[OfferedService]:
        """Return every service a person can join, by id."""
        offer = self.offer()
        rows = sorted(offer.services.values(), key=lambda row: row.id)
        return [_offered(offer, row) for row in rows if row.kind not in _GATEWAYS]

    def find(self, service_id: str) -> OfferedService:
        """Return one service.

        Raises:
            NotFoundError: the city offers none of that id.
        """
        offer = self.offer()
        row = offer.services.get(service_id)
        if row is None or row.kind in _GATEWAYS:
            raise NotFoundError
        return _offered(offer, row)


def _offered(offer: Offer, row: ServiceRow) -> OfferedService:
    return OfferedService(
        id=row.id,
        kind=row.kind,
        name=row.name,
        territory=row.territory,
        communes=tuple(sorted(offer.territories.get(row.territory or "", ()))),
        place=_place(offer, row.place_id),
        min_level=row.min_level,
    )


def _place(offer: Offer, place_id: str | None) -> ServicePlace | None:
    place = offer.places.get(place_id) if place_id else None
    if place is None:
        return None
    commune = offer.commune(place.commune)
    return ServicePlace(
        id=place.id,
        name=display_name(place.name, commune.name) if commune else place.name,
        commune=place.commune,
        address=place.address,
    )


__all__ = ["OfferedService", "OfferedServices", "ServicePlace"]
