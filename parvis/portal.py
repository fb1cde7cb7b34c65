"""Puts the face for applications together: the realm's keys, the clients in service, the use cases."""

from functools import partial

from identity.jwks import RealmKeys, fetch, key_set_url
from identity.names import HUB_CLIENT
from identity.tokens import Audience
from orchestrator.api import PortalFace
from orchestrator.services.api_access import ApiAccess
from orchestrator.services.api_clients import ClientsInService
from orchestrator.services.citizen_accounts import CitizenAccounts, TokenSpace
from orchestrator.services.idempotency import Idempotency
from orchestrator.services.library_cards import LibraryCards
from orchestrator.services.offered_services import OfferedServices
from orchestrator.services.portal import CitizenPortal
from orchestrator.services.portal_cards import PortalCards
from orchestrator.services.rate_limits import RateLimits
from orchestrator.store.api_clients import ApiClientTable
from orchestrator.store.idempotency import IdempotencyTable
from orchestrator.store.token_logins import TokenLogins
from parvis.bootstrap import Hub
from parvis.settings import Settings
from parvis.sign_in import realm_of
from schemas.errors import IdentityUnavailableError
from schemas.logins import Face


def realm_keys(settings: Settings) -> RealmKeys | None:
    """Return the keys of the citizens' realm, or None when the city has no identity provider."""
    issuer = realm_of(settings, Face.CITIZEN)
    if issuer is None:
        return None
    return RealmKeys(partial(fetch, key_set_url(issuer), ca_file=settings.idp_ca_file))


def make_portal_face(
    hub: Hub,
    *,
    keys: RealmKeys | None,
    accounts: CitizenAccounts,
    cards: LibraryCards,
    limits: RateLimits,
) -> PortalFace:
    """Return the face of one process; without a realm it trusts no token and says so."""
    issuer = realm_of(hub.settings, Face.CITIZEN) or ""
    clients = ApiClientTable(database=hub.database, vault=hub.vault)
    access = ApiAccess(
        audience=Audience(issuer=issuer, client=HUB_CLIENT),
        key_of=_no_key if keys is None else keys.key,
        clients=ClientsInService(clients),
    )
    return PortalFace(
        access=access,
        citizens=CitizenPortal(
            tokens=TokenLogins(database=hub.database, keys=hub.keys),
            citizens=TokenSpace(accounts=accounts),
        ),
        cards=PortalCards(cards=cards),
        services=OfferedServices(offer=hub.offer.current),
        idempotency=Idempotency(
            rows=IdempotencyTable(database=hub.database), digest_key=hub.keys.bucket
        ),
        limits=limits,
        public_url=hub.settings.public_url,
    )


def _no_key(_kid: str) -> None:
    raise IdentityUnavailableError
