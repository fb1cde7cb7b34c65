"""The realm's description: fetched, judged before anybody believes it, its certificates watched.

Keycloak does not sign it, so trust rests on TLS, on its name and on where its endpoints are.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import requests
from cryptography import x509
from defusedxml.ElementTree import fromstring

from identity.realm_documents import fetch_document
from identity.saml.codes import Code
from identity.saml.guard import MOST_BYTES, guarded_document
from identity.saml.instants import moment
from schemas import clock
from schemas.errors import IdentityUnavailableError, SamlRefusedError

SECONDS: Final = 3.0
_MD: Final = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"
_SERVICES: Final = ("SingleSignOnService", "SingleLogoutService")
_PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
_REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"


@dataclass(frozen=True, slots=True, kw_only=True)
class RealmKey:
    """One signing certificate of a realm."""

    serial: int
    expires_at: datetime


def address_of(idp_entity_id: str) -> str:
    """Return where a realm of Keycloak describes itself."""
    return f"{idp_entity_id}/protocol/saml/descriptor"


def fetch(address: str, *, ca_file: Path | None = None) -> bytes:
    """Fetch a description: 3 s in all, 256 kB as they come, no redirects.

    Raises:
        IdentityUnavailableError: nobody answers, or something that is no description.
    """
    found = fetch_document(address, at_most=MOST_BYTES, seconds=SECONDS, ca_file=ca_file)
    if len(found) > MOST_BYTES:
        raise IdentityUnavailableError
    return found


def time_at(address: str, *, ca_file: Path | None = None) -> datetime | None:
    """Return what time it is where a description is fetched, or None when it does not tell.

    Raises:
        IdentityUnavailableError: nobody answers.
    """
    try:
        with requests.Session() as session:
            session.trust_env = False
            verify = str(ca_file) if ca_file else True
            answer = session.request(
                "HEAD", address, timeout=SECONDS, allow_redirects=False, verify=verify
            )
            return parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
    except (requests.RequestException, OSError) as error:
        raise IdentityUnavailableError from error
    except ValueError:
        return None


def judge(xml: bytes, idp_entity_id: str) -> bytes:
    """Return a description that is the realm's, with endpoints of its own and a key to verify with.

    Raises:
        SamlRefusedError: with the rule it breaks.
    """
    root = fromstring(guarded_document(xml), forbid_dtd=True)
    entity = _entity(root, idp_entity_id)
    _check_endpoints(entity, _origin(idp_entity_id))
    if not any(_keys(entity)):
        raise SamlRefusedError(Code.NO_KEY)
    until = entity.get("validUntil")
    if until is not None and moment(until, Code.STALE) <= clock.utcnow():
        raise SamlRefusedError(Code.STALE)
    return xml


def _entity(root: Element, name: str) -> Element:
    """Return the one entity of that name, alone in its document or among others."""
    is_several = root.tag == f"{_MD}EntitiesDescriptor"
    found = [
        one
        for one in (list(root) if is_several else [root])
        if one.tag == f"{_MD}EntityDescriptor" and one.get("entityID") == name
    ]
    if len(found) != 1:
        raise SamlRefusedError(Code.ENTITY_ID)
    return found[0]


def _check_endpoints(entity: Element, origin: tuple[str, str]) -> None:
    """Refuse a realm that signs nobody in and out by redirect, or that does so elsewhere."""
    role = entity.find(f"{_MD}IDPSSODescriptor")
    if role is None or _PROTOCOL not in role.get("protocolSupportEnumeration", "").split():
        raise SamlRefusedError(Code.ENDPOINT)
    for name in _SERVICES:
        services = list(role.iter(f"{_MD}{name}"))
        bindings = {one.get("Binding", "") for one in services}
        is_elsewhere = any(_origin(one.get("Location", "")) != origin for one in services)
        if is_elsewhere or _REDIRECT not in bindings or "" in bindings:
            raise SamlRefusedError(Code.ENDPOINT)


def signing_keys(xml: bytes) -> tuple[RealmKey, ...]:
    """Return the certificates a realm signs with, those that can be read."""
    root = fromstring(guarded_document(xml), forbid_dtd=True)
    return tuple(_keys(root))


def _keys(root: Element) -> Iterator[RealmKey]:
    for descriptor in root.iter(f"{_MD}KeyDescriptor"):
        if descriptor.get("use", "signing") != "signing":
            continue
        for text in descriptor.iter(f"{_DS}X509Certificate"):
            try:
                found = x509.load_der_x509_certificate(base64.b64decode(text.text or ""))
            except ValueError:
                continue
            yield RealmKey(serial=found.serial_number, expires_at=found.not_valid_after_utc)


def _origin(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme, parts.netloc
