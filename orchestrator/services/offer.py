"""What the city offers, in memory: who answers for whom, and which library is nearest.

One snapshot per configuration revision. A process looks at most once a second whether there is a
newer one, and goes on with the one it has while the database cannot be reached.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from orchestrator.engine.world import ChosenLibrary
from orchestrator.services.open_data import (
    CommuneIndex,
    CommuneRow,
    LibraryFinder,
    NearPlace,
    PlaceRow,
    display_name,
    resolve_commune,
)
from orchestrator.services.ports.offer import (
    OfferReader,
    OfferRows,
    PartnerRow,
    ProfileRow,
    ServiceRow,
)
from orchestrator.services.ports.running import ServiceRef
from orchestrator.services.purposes import notice_of
from schemas import clock
from schemas.errors import StoreUnavailableError
from schemas.geo import Point

LIBRARY: Final = "library"
CHECK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryChoice:
    """The nearest open library and the service that answers for it, if one is connected."""

    place: PlaceRow
    distance_km: float
    service: ServiceRow | None


class Offer:
    """One revision of the city: everything is a look-up, nothing asks the database."""

    def __init__(self, rows: OfferRows) -> None:
        self._rows = rows
        self.revision = rows.revision
        self.city: Mapping[str, Any] = MappingProxyType(dict(rows.city))
        self.policies: Mapping[str, Any] = MappingProxyType(dict(rows.policies))
        self.partners = _by_id(rows.partners)
        self.profiles = _by_id(rows.profiles)
        self.services = _by_id(rows.services)
        self.territories = MappingProxyType(dict(rows.territories))
        self._territory_by_commune = {
            code: name for name, codes in rows.territories.items() for code in codes
        }

    # communes and places

    @cached_property
    def communes(self) -> CommuneIndex:
        """Communes by code, former code and name."""
        return CommuneIndex.of(self._rows.communes)

    @cached_property
    def places(self) -> Mapping[str, PlaceRow]:
        """Every library and museum of the open data, by id."""
        return _by_id(self._rows.places)

    @cached_property
    def libraries(self) -> LibraryFinder:
        """Finds the open libraries near a point."""
        return LibraryFinder.of(self.communes, self._rows.centroids, self._rows.places)

    def commune(self, code: str) -> CommuneRow | None:
        """Return the commune of a code, be it a district's or a former one; None when unknown."""
        found = resolve_commune(code, self.communes)
        return self.communes.current[found] if found else None

    def communes_of(self, postal_code: str) -> tuple[CommuneRow, ...]:
        """Return the communes that share a postal code, by name."""
        return self._by_postal_code.get(postal_code, ())

    @cached_property
    def _by_postal_code(self) -> Mapping[str, tuple[CommuneRow, ...]]:
        found: dict[str, list[CommuneRow]] = {}
        for row in sorted(self._rows.communes, key=lambda row: (row.name, row.code)):
            for postal_code in row.postal_codes:
                found.setdefault(postal_code, []).append(row)
        return {postal_code: tuple(rows) for postal_code, rows in found.items()}

    def territory_of(self, commune: str) -> str | None:
        """Return the territory a commune belongs to, or None when it is none of ours."""
        return self._territory_by_commune.get(resolve_commune(commune, self.communes) or commune)

    def libraries_near(
        self, commune: str, location: Point | None = None, *, most: int
    ) -> tuple[NearPlace[PlaceRow], ...]:
        """Return the open libraries nearest to a location or else to a commune, across borders."""
        return self.libraries.around(commune, location, limit=most)

    def choose_library(self, commune: str, location: Point | None = None) -> LibraryChoice | None:
        """Return the nearest open library with its service; None when no library is known at all.

        The caller first asks ``territory_of``: a commune of no territory of ours has no choice.
        """
        near = self.libraries.nearest(commune, location)
        if near is None:
            return None
        service = self.service_for_place(near.place.id, near.place.commune)
        return LibraryChoice(place=near.place, distance_km=near.distance_km, service=service)

    # services, profiles, partners

    def service_for_place(self, place_id: str, commune: str) -> ServiceRow | None:
        """Return the library service bound to a place, else the one of its commune's territory."""
        libraries = [row for row in self._rows.services if row.kind == LIBRARY]
        for row in libraries:
            if row.place_id == place_id:
                return row
        territory = self.territory_of(commune)
        if territory is None:
            return None
        return next((row for row in libraries if row.territory == territory), None)

    def service_of_kind(self, kind: str) -> ServiceRow | None:
        """Return the first service of a kind (``sms``, ``email`` …), by id."""
        return next((row for row in self._rows.services if row.kind == kind), None)

    def services_served(self, kind: str) -> Sequence[ServiceRef]:
        """Return the services of a kind with their systems, by id."""
        rows = (row for row in self._rows.services if row.kind == kind)
        return [found for row in rows if (found := self._ref(row)) is not None]

    def service(self, service_id: str) -> ServiceRef | None:
        """Return a live service with its system, as the runtime wants it."""
        row = self.services.get(service_id)
        return self._ref(row) if row else None

    def gateway_for(self, channel: str) -> ServiceRef | None:
        """Return the service that sends messages by ``sms`` or ``email``."""
        row = self.service_of_kind(channel)
        return self._ref(row) if row else None

    def partner(self, partner_id: str) -> PartnerRow | None:
        """Return a partner that is not retired."""
        return self.partners.get(partner_id)

    def profile(self, profile_id: str) -> ProfileRow | None:
        """Return a profile that is not retired."""
        return self.profiles.get(profile_id)

    def services_of(self, profile_id: str) -> Sequence[ServiceRow]:
        """Return the services bound to a profile."""
        return [row for row in self._rows.services if row.profile_id == profile_id]

    def _ref(self, row: ServiceRow) -> ServiceRef | None:
        profile = self.profiles.get(row.profile_id)
        if profile is None:
            return None
        return ServiceRef(
            id=row.id,
            kind=row.kind,
            name=row.name,
            profile=profile.id,
            connector=profile.connector,
            settings=profile.settings,
            secrets=profile.secrets,
            version=profile.version,
            binding=row.binding,
        )


class LiveOffer:
    """The offer in force, as this process knows it; what the runtime asks is answered from it."""

    def __init__(
        self, reader: OfferReader, *, monotonic: Callable[[], float] = clock.monotonic
    ) -> None:
        self._reader = reader
        self._monotonic = monotonic
        self._offer: Offer | None = None
        self._check_at = 0.0

    def current(self) -> Offer:
        """Return the offer in force; at most a second (and one check) behind the database.

        Raises:
            StoreUnavailableError: nothing was ever read and the database cannot be reached.
        """
        if self._offer is None:
            self._offer = Offer(self._reader.load())
            self._check_at = self._monotonic() + CHECK_SECONDS
        elif self._monotonic() >= self._check_at:
            self._check_at = self._monotonic() + CHECK_SECONDS  # others go on with what there is
            self._look(self._offer)
        return self._offer

    def refresh(self) -> Offer:
        """Read the offer again now."""
        self._offer = Offer(self._reader.load())
        return self._offer

    def territory_of(self, commune: str) -> str | None:
        """Return the territory a commune belongs to, or None when it is none of ours."""
        return self.current().territory_of(commune)

    def nearest_open_library(
        self, commune: str, location: tuple[float, float] | None
    ) -> ChosenLibrary | None:
        """Return the nearest open library, across commune borders, with the service behind it."""
        offer = self.current()
        chosen = offer.choose_library(commune, Point(*location) if location else None)
        if chosen is None:
            return None
        place = chosen.place
        row = offer.commune(place.commune)
        return ChosenLibrary(
            place_id=place.id,
            name=display_name(place.name, row.name) if row else place.name,
            commune=place.commune,
            distance_km=chosen.distance_km,
            service_id=chosen.service.id if chosen.service else None,
        )

    def commune_name(self, code: str) -> str:
        """Return the name of a commune, or its code when it is none of the region's."""
        row = self.current().commune(code)
        return row.name if row else code

    def notice_recipients(self, version: str, locale: str) -> tuple[str, ...]:
        """Return the recipients that a notice names; none for a text we never showed."""
        notice = notice_of(version, locale)
        return notice.recipients if notice else ()

    def service(self, service_id: str) -> ServiceRef | None:
        """Return a live service by its id."""
        return self.current().service(service_id)

    def gateway_for(self, channel: str) -> ServiceRef | None:
        """Return the service that sends messages by ``sms`` or ``email``."""
        return self.current().gateway_for(channel)

    def _look(self, known: Offer) -> None:
        try:
            if self._reader.revision() != known.revision:
                self.refresh()
        except StoreUnavailableError:
            return  # what needs the database will say so itself


def _by_id(rows: Collection[Any]) -> Mapping[str, Any]:
    return MappingProxyType({row.id: row for row in rows})
