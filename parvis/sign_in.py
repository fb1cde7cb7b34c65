"""Puts signing in together: for each face its realm, its key pair, its rows."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from identity.saml import SamlConfig, is_pair
from identity.saml.descriptors import address_of, fetch, judge
from orchestrator.services.sign_in import SignIn
from orchestrator.store.connections import Database
from orchestrator.store.descriptors import DescriptorRows
from orchestrator.store.secrets import SecretRows
from orchestrator.store.sessions import SessionTable
from orchestrator.store.sign_in import SignInTable
from orchestrator.store.vault import Vault
from parvis.identity_keys import BESIDE, CERTIFICATE, KEY
from parvis.settings import Settings
from schemas import clock
from schemas.errors import StoreUnavailableError
from schemas.keys import HubKeys
from schemas.logins import Face

if TYPE_CHECKING:
    from identity.saml.provider import ServiceProvider

LOOK_SECONDS: Final = 5.0
FACES: Final = (Face.CITIZEN, Face.CONSOLE)
_log = structlog.get_logger()


def realm_of(settings: Settings, face: Face) -> str | None:
    """Return the URL of a face's realm, or None when the city has no identity provider."""
    if settings.idp_url is None:
        return None
    name = settings.idp_staff_realm if face is Face.CONSOLE else settings.idp_realm
    return f"{settings.idp_url}/realms/{name}"


def descriptors_of(settings: Settings, database: Database, face: Face) -> DescriptorRows | None:
    """Return the rows of a realm's description, which know how to fetch it."""
    realm = realm_of(settings, face)
    if realm is None:
        return None
    fetched = partial(fetch, address_of(realm), ca_file=settings.idp_ca_file)
    return DescriptorRows(database=database, face=face, fetch=lambda: judge(fetched(), realm))


def service_provider(
    settings: Settings, database: Database, secrets: SecretRows, face: Face
) -> "ServiceProvider | None":
    """Return the service provider of a face; None without a realm or without a key pair."""
    realm, descriptors = realm_of(settings, face), descriptors_of(settings, database, face)
    if realm is None or descriptors is None:
        return None
    from identity.saml.provider import ServiceProvider  # noqa: PLC0415 - takes seconds to load

    values = secrets.values((KEY, CERTIFICATE, BESIDE))
    if KEY not in values or CERTIFICATE not in values:
        _log.warning("identity.no_key_pair", face=face)
        return None
    pair = values[KEY].encode(), values[CERTIFICATE].encode()
    if not is_pair(*pair):
        _log.error("identity.not_a_pair", face=face)
        return None
    beside = values.get(BESIDE)
    config = SamlConfig(
        face=face,
        public_url=settings.public_url,
        key_pem=pair[0],
        certificate_pem=pair[1],
        idp_entity_id=realm,
        next_certificate_pem=beside.encode() if beside else None,
    )
    return ServiceProvider(config=config, descriptors=descriptors)


class LiveProvider:
    """The service provider of a face with the key pair of now: looked at again every few seconds.

    A process may start before there is a pair, and goes on when it is changed.
    """

    def __init__(self, make: Callable[[], "ServiceProvider | None"]) -> None:
        self._make = make
        self._made: ServiceProvider | None = None
        self._looked_at = -LOOK_SECONDS

    def __call__(self) -> "ServiceProvider | None":
        """Return it, or None while the city has no realm or no pair."""
        now = clock.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            fresh = self._fresh()
            if fresh is None or self._made is None or fresh.config != self._made.config:
                self._made = fresh
        return self._made

    def _fresh(self) -> "ServiceProvider | None":
        try:
            return self._make()
        except StoreUnavailableError:
            return self._made


def make_sign_in(
    provider: Callable[[], "ServiceProvider | None"],
    database: Database,
    *,
    vault: Vault,
    keys: HubKeys,
    face: Face,
) -> SignIn:
    """Return the use cases of one face."""
    return SignIn(
        face=face,
        provider_now=LiveProvider(provider),
        rows=SignInTable(database=database, vault=vault, keys=keys, face=face),
        sessions=SessionTable(database=database, vault=vault, keys=keys, face=face),
        keys=keys,
    )


def refresh_descriptors(settings: Settings, database: Database) -> int:
    """Fetch the description of every realm anew; returns how many are known."""
    known = 0
    for face in FACES:
        descriptors = descriptors_of(settings, database, face)
        if descriptors is not None and descriptors.refresh() is not None:
            known += 1
    return known
