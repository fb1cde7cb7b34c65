"""The web process: the partners' API in front, the citizens' pages and the console behind it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import gevent
from flask import Flask

from orchestrator import journeys
from orchestrator.api import ApiServices, PartnerFace, all_together
from orchestrator.api import install as install_api
from orchestrator.services.access_codes import AccessCodes
from orchestrator.services.citizen_accounts import CitizenAccounts
from orchestrator.services.commune_directory import CommuneDirectory
from orchestrator.services.connector_views import ConnectorViews
from orchestrator.services.intake import Intake
from orchestrator.services.library_cards import LibraryCards
from orchestrator.services.offer import LIBRARY, LiveOffer, Offer
from orchestrator.services.partner_keys import PartnerKeys
from orchestrator.services.placements import Placements
from orchestrator.services.rate_limits import RateLimits, RatePolicy
from orchestrator.services.readiness import STOPPING, Readiness, Stopping
from orchestrator.services.signups import Signups
from orchestrator.services.snapshots import Snapshot
from orchestrator.services.staff_entry import StaffEntry
from orchestrator.store.citizen_space import CitizenSpaceTable
from orchestrator.store.consent_texts import ConsentTextRows
from orchestrator.store.exchanges import ExchangeLog
from orchestrator.store.library import (
    AccessCodeTable,
    AttemptCounters,
    PlaceDirectory,
    SignupTable,
)
from orchestrator.store.library_cards import CardTable
from orchestrator.store.partners import PartnerRows
from orchestrator.store.placements import PlacementTable
from orchestrator.store.readiness import ReadinessRows, newest_revision
from orchestrator.store.redemption import SignedInRedemption
from orchestrator.store.staff_roles import StaffRoleTable
from orchestrator.store.views import SystemViewRows
from parvis.bootstrap import Hub
from parvis.portal import make_portal_face, realm_keys
from parvis.sign_in import realm_of
from schemas.logins import Face
from web import citizen, console
from web.citizen import CitizenServices, CityCard
from web.console import ConsoleServices
from web.layout import LayoutSettings
from web.layout import install as install_layout


@dataclass(slots=True)
class _Communes:
    """Resolves codes by the open data in force."""

    offer: LiveOffer
    _known: tuple[Offer, CommuneDirectory] | None = field(default=None)

    def resolve(self, code: str) -> str | None:
        """Return the code of today's commune, or None."""
        current = self.offer.current()
        if self._known is None or self._known[0] is not current:
            self._known = (current, CommuneDirectory(index=current.communes))
        return self._known[1].resolve(code)


def create_app(hub: Hub) -> Flask:
    """Return the application of one web process; made after the fork."""
    intake = _intake(hub)
    app = Flask("parvis", static_folder=None)
    install_layout(
        app,
        LayoutSettings(secret_keys=(hub.settings.secret_key,), public_url=hub.settings.public_url),
    )
    app.register_blueprint(citizen.create_blueprint(_citizen_services(hub, intake)))
    app.register_blueprint(console.create_blueprint(_console_services(hub)))
    stopping = Stopping(notice_seconds=hub.settings.drain_seconds)
    app.extensions[STOPPING] = stopping
    install_api(app, _api_services(hub, intake, stopping))
    return app


def _intake(hub: Hub) -> Intake:
    return Intake(
        inbox=hub.inbox,
        body_key=hub.keys.body_digest,
        communes=_Communes(hub.offer),
        catalogue=Snapshot(ConsentTextRows(hub.database).catalogue).get,
        scans=PlacementTable(database=hub.database),
        meter=hub.meter,
        route=journeys.route,
        together=all_together,
    )


def _api_services(hub: Hub, intake: Intake, stopping: Stopping) -> ApiServices:
    keys = realm_keys(hub.settings)
    readiness = Readiness(
        store=ReadinessRows(hub.database),
        head=newest_revision(),
        versions=tuple(journeys.all_journeys()),
        stopping=stopping,
        are_keys_old=lambda: keys is not None and keys.is_old,
    )
    limits = _limits(hub)
    face = PartnerFace(
        intake=intake,
        keys=PartnerKeys(PartnerRows(hub.database, hub.secrets)),
        limits=limits,
        public_url=hub.settings.public_url,
    )
    return ApiServices(
        partner_face=face,
        portal_face=make_portal_face(
            hub,
            keys=keys,
            accounts=citizen_accounts(hub),
            cards=_library_cards(hub),
            limits=limits,
        ),
        readiness=readiness,
        public_url=hub.settings.public_url,
        issuer=realm_of(hub.settings, Face.CITIZEN),
    )


def _limits(hub: Hub) -> RateLimits:
    """Return the counters of this process: its share of a partner's quota and of everybody's."""
    quota = hub.settings.requests_per_minute
    return RateLimits(
        bucket_key=hub.keys.bucket,
        processes=hub.settings.web_processes,
        partner=RatePolicy(name="default", quota=quota),
        everybody=RatePolicy(name="hub", quota=20 * quota),
    )


def _access_codes(hub: Hub) -> AccessCodes:
    return AccessCodes(
        rows=AccessCodeTable(database=hub.database, poke=hub.notifier.poke),
        attempts=AttemptCounters(database=hub.database),
        keys=hub.keys,
    )


def citizen_accounts(hub: Hub) -> CitizenAccounts:
    """Return the use cases of a signed-in citizen, for pages and for applications."""
    return CitizenAccounts(
        rows=CitizenSpaceTable(database=hub.database, vault=hub.vault),
        codes=SignedInRedemption(database=hub.database, vault=hub.vault, keys=hub.keys),
        access_codes=_access_codes(hub),
        poke=hub.notifier.poke,
    )


def _library_cards(hub: Hub) -> LibraryCards:
    return LibraryCards(
        libraries=lambda: hub.offer.current().services_served(LIBRARY),
        gateway=hub.gateway,
        rows=CardTable(database=hub.database, vault=hub.vault, keys=hub.keys),
        attempts=AttemptCounters(database=hub.database),
        keys=hub.keys,
        keep=ExchangeLog(hub.database).write,
    )


def _citizen_services(hub: Hub, intake: Intake) -> CitizenServices:
    access_codes = _access_codes(hub)
    return CitizenServices(
        placements=Placements(
            rows=PlacementTable(database=hub.database), keys=hub.keys, wait=gevent.sleep
        ),
        signups=Signups(
            rows=SignupTable(database=hub.database, vault=hub.vault),
            intake=intake,
            keys=hub.keys,
        ),
        access_codes=access_codes,
        places=PlaceDirectory(database=hub.database),
        city=_card(hub.offer),
        sign_in=hub.sign_in(Face.CITIZEN),
        accounts=citizen_accounts(hub),
        cards=_library_cards(hub),
        franceconnect=hub.settings.franceconnect_alias,
        sleep=gevent.sleep,
    )


def _console_services(hub: Hub) -> ConsoleServices:
    return ConsoleServices(
        entry=StaffEntry(
            sign_in=hub.sign_in(Face.CONSOLE),
            links=hub.staff_links,
            roles=StaffRoleTable(database=hub.database, vault=hub.vault),
        ),
        runs=hub.repairs.views,
        connectors=ConnectorViews(
            rows=SystemViewRows(hub.database),
            titles=lambda: {name: cls.manifest.title for name, cls in hub.catalogue.items()},
        ),
        city=lambda: _card(hub.offer)().name,
    )


def _card(offer: LiveOffer) -> Callable[[], CityCard]:
    return lambda: CityCard(name=str(offer.current().city.get("name") or "Parvis"))
