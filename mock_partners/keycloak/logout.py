"""Messages about the end of a session, both ways, and how they travel in an address or in a form."""

import base64
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

import xmlsec
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from lxml import etree

from mock_partners.keycloak.drafts import PERSISTENT, stamp
from mock_partners.keycloak.keys import KeyPair

__all__ = ["Ending", "form_text", "logout_request", "logout_response", "query"]

RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
RSA_SHA1: Final = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
_REQUEST: Final = (
    '<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"'
    ' xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{id}" Version="2.0" IssueInstant="{now}"'
    "{destination}{until}><saml:Issuer>{issuer}</saml:Issuer>"
    '<saml:NameID Format="{persistent}">{name_id}</saml:NameID>{index}</samlp:LogoutRequest>'
)
_RESPONSE: Final = (
    '<samlp:LogoutResponse xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"'
    ' xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{id}" Version="2.0" IssueInstant="{now}"'
    '{destination} InResponseTo="{request_id}"><saml:Issuer>{issuer}</saml:Issuer><samlp:Status>'
    '<samlp:StatusCode Value="{status}"/></samlp:Status></samlp:LogoutResponse>'
)
_SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a message about the end of a session is about."""

    issuer: str
    destination: str | None
    key: KeyPair
    name_id: str = "G-1"
    session_index: str | None = None
    request_id: str = ""
    message_id: str = field(default_factory=lambda: f"ID_{uuid.uuid4()}")
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    lasts: timedelta | None = timedelta(minutes=5)


def logout_request(about: Ending) -> str:
    """A request, unsigned."""
    index = (
        f"<samlp:SessionIndex>{escape(about.session_index)}</samlp:SessionIndex>"
        if about.session_index
        else ""
    )
    until = f' NotOnOrAfter="{stamp(about.now + about.lasts)}"' if about.lasts else ""
    return _REQUEST.format(
        id=about.message_id,
        now=stamp(about.now),
        destination=_destination(about),
        until=until,
        issuer=escape(about.issuer),
        persistent=PERSISTENT,
        name_id=escape(about.name_id),
        index=index,
    )


def logout_response(about: Ending, *, status: str = _SUCCESS) -> str:
    """An answer, unsigned."""
    return _RESPONSE.format(
        id=about.message_id,
        now=stamp(about.now),
        destination=_destination(about),
        request_id=escape(about.request_id),
        issuer=escape(about.issuer),
        status=status,
    )


def query(
    kind: str,
    xml: str,
    key: KeyPair | None,
    *,
    relay_state: str | None = None,
    algorithm: str = RSA_SHA256,
    quote: Callable[[str], str] = quote_plus,
) -> str:
    """A message as the query of an address; without a key it is not signed."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    text = base64.b64encode(deflater.compress(xml.encode()) + deflater.flush()).decode()
    pairs = [(kind, text)]
    if relay_state is not None:
        pairs.append(("RelayState", relay_state))
    if key is None:
        return "&".join(f"{name}={quote(value)}" for name, value in pairs)
    pairs.append(("SigAlg", algorithm))
    signed = "&".join(f"{name}={quote(value)}" for name, value in pairs)
    digest = SHA1() if algorithm == RSA_SHA1 else SHA256()  # noqa: S303 - to see it refused
    signature = key.private.sign(signed.encode(), padding.PKCS1v15(), digest)
    return f"{signed}&Signature={quote(base64.b64encode(signature).decode())}"


def form_text(xml: str, key: KeyPair | None) -> str:
    """A message as the field of a form: the signature is inside."""
    root = etree.fromstring(xml)
    if key is not None:
        _sign(root, key)
    return base64.b64encode(etree.tostring(root)).decode()


def _sign(root: Any, key: KeyPair) -> None:
    template = xmlsec.template.create(
        root, xmlsec.constants.TransformExclC14N, xmlsec.constants.TransformRsaSha256, ns="dsig"
    )
    reference = xmlsec.template.add_reference(
        template, xmlsec.constants.TransformSha256, uri=f"#{root.get('ID')}"
    )
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
    root.insert(1, template)
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(key.pem, xmlsec.constants.KeyDataFormatPem)
    context.register_id(root, "ID")
    context.sign(template)


def _destination(about: Ending) -> str:
    return f' Destination="{escape(about.destination)}"' if about.destination else ""
