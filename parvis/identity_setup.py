"""What the commands that set up the realms are told by the environment, and what they put in the realms.

The names of the administrator are Keycloak's own. None of these secrets is a setting of the hub: they
have no business on the hosts of its processes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from identity.keycloak import (
    PROVISIONING,
    AdminApi,
    Credentials,
    Installation,
    Provider,
    Server,
    read_provider,
)
from orchestrator.store.secrets import SecretRows
from parvis.settings import LOOPBACK, Settings
from schemas.errors import ConfigurationError

ADMINISTRATOR: Final = "KC_BOOTSTRAP_ADMIN_USERNAME"
PASSWORD: Final = "KC_BOOTSTRAP_ADMIN_PASSWORD"  # noqa: S105 - a name, no secret
ACCOUNT: Final = "KC_PROVISIONING_SECRET"
STAFF_ACCOUNT: Final = "KC_PROVISIONING_STAFF_SECRET"
SAFE_VERSION: Final = (26, 8, 2)
"""Oldest version for a real city: several flaws of brokering and linking are mended in it."""
CERTIFICATE: Final = "saml_certificate"
_NOBODY: Final = (
    f"Donnez le compte qui administre Keycloak : {ADMINISTRATOR} et {PASSWORD} pour l'administrateur "
    f"de démarrage, ou {ACCOUNT} et {STAFF_ACCOUNT} pour les comptes {PROVISIONING} des deux royaumes "
    "(ou les mêmes noms suivis de _FILE, avec un chemin)."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line asks for besides the settings."""

    providers: tuple[Mapping[str, Any], ...] = ()
    portal_redirects: tuple[str, ...] = ()
    portal_keys: str | None = None
    formerly: str | None = None
    reads_our_metadata: bool = False


def credentials(settings: Settings, environ: Mapping[str, str]) -> dict[str, Credentials]:
    """Return who speaks for each realm; a realm nobody speaks for is not there.

    Raises:
        ConfigurationError: nobody was named.
    """
    accounts = ((settings.idp_realm, ACCOUNT), (settings.idp_staff_realm, STAFF_ACCOUNT))
    found = {
        realm: Credentials.of_client(realm, PROVISIONING, secret)
        for realm, name in accounts
        if (secret := given(environ, name))
    }
    if found:
        return found
    username, password = given(environ, ADMINISTRATOR), given(environ, PASSWORD)
    if not (username and password):
        raise ConfigurationError(_NOBODY)
    administrator = Credentials.of_administrator(username, password)
    return {realm: administrator for realm, _ in accounts}


def given(environ: Mapping[str, str], name: str) -> str:
    """Return a value of the environment, or the content of the file that ``<name>_FILE`` names."""
    path = environ.get(f"{name}_FILE", "")
    if not path or environ.get(name):
        return environ.get(name, "")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        fault = f"{name}_FILE : {path} est illisible."
        raise ConfigurationError(fault) from error


def server(settings: Settings) -> Server:
    """Return where Keycloak is.

    Raises:
        ConfigurationError: nobody said.
    """
    if settings.idp_url is None:
        raise ConfigurationError("PARVIS_IDP_URL manque : donnez l'adresse de Keycloak.")
    return Server(url=settings.idp_url, ca_file=settings.idp_ca_file)


def apis(settings: Settings, environ: Mapping[str, str]) -> dict[str, AdminApi]:
    """Return for each realm the conversation with it; one administrator has one for both."""
    who, where = credentials(settings, environ), server(settings)
    made = {credential: AdminApi(where, credential) for credential in set(who.values())}
    return {realm: made[credential] for realm, credential in who.items()}


def installation(
    settings: Settings, secrets: SecretRows, wishes: Wishes, *, digest_key: bytes
) -> Installation:
    """Return what the realms must hold for this hub.

    Raises:
        ConfigurationError: with what is missing.
    """
    values = secrets.values([CERTIFICATE, *_named(wishes.providers)])
    if CERTIFICATE not in values:
        raise ConfigurationError(
            "Parvis n'a pas encore de certificat SAML : lancez « parvis identity keys »."
        )
    faults = [
        f"« {address} » n'est pas une adresse de retour exacte (https, sans *)."
        for address in wishes.portal_redirects
        if not _is_exact(address)
    ]
    if faults:
        raise ConfigurationError(*faults)
    providers: tuple[Provider, ...] = tuple(
        read_provider(content, secrets=values, digest_key=digest_key)
        for content in wishes.providers
    )
    return Installation(
        public_url=settings.public_url,
        citizens=settings.idp_realm,
        staff=settings.idp_staff_realm,
        certificate=certificate_body(values[CERTIFICATE]),
        formerly=wishes.formerly,
        providers=providers,
        portal_redirects=wishes.portal_redirects,
        portal_key_address=wishes.portal_keys,
        reads_our_metadata=wishes.reads_our_metadata,
    )


def remarks(settings: Settings, apis: Mapping[str, AdminApi]) -> tuple[str, ...]:
    """Return a sentence about a server too old for a real city."""
    version = next(iter(apis.values())).server_version() if settings.is_production else None
    if version is None or version >= SAFE_VERSION:
        return ()
    shown, wanted = (".".join(map(str, numbers)) for numbers in (version, SAFE_VERSION))
    return (
        (
            f"Keycloak {shown} a des failles connues dans la liaison des comptes : passez à {wanted} "
            "ou plus récent avant d'ouvrir."
        ),
    )


def certificate_body(pem: str) -> str:
    """Return a certificate as Keycloak keeps it: base64 on one line."""
    return "".join(line for line in pem.splitlines() if not line.startswith("-"))


def _is_exact(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    return is_safe and bool(parts.hostname) and "*" not in address and not parts.fragment


def _named(providers: Collection[Mapping[str, Any]]) -> list[str]:
    return [str(content["secret"]) for content in providers if content.get("secret")]
