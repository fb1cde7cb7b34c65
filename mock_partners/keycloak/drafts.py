"""A SAML answer as Keycloak writes it and signs it: what it is about, its XML, its signatures.

Built and signed here with lxml and the xmlsec binding alone, so that a fault of whoever reads it cannot hide.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from xml.sax.saxutils import escape

import xmlsec
from lxml import etree

from mock_partners.keycloak.keys import KeyPair

__all__ = ["NS", "PERSISTENT", "SHA1", "SHA256", "Answering", "drafted", "sign", "stamp"]

NS: Final = {
    "p": "urn:oasis:names:tc:SAML:2.0:protocol",
    "a": "urn:oasis:names:tc:SAML:2.0:assertion",
    "d": "http://www.w3.org/2000/09/xmldsig#",
}
BASIC: Final = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
PERSISTENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
SHA256, SHA1 = "sha256", "sha1"
_ALGORITHMS: Final = {
    SHA256: (xmlsec.constants.TransformRsaSha256, xmlsec.constants.TransformSha256),
    SHA1: (xmlsec.constants.TransformRsaSha1, xmlsec.constants.TransformSha1),
}
_TEMPLATE: Final = """
<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"
 xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{response_id}" Version="2.0"
 IssueInstant="{now}" Destination="{acs}" InResponseTo="{request_id}">
<saml:Issuer>{issuer}</saml:Issuer>
<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>
<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{assertion_id}" Version="2.0"
 IssueInstant="{now}"><saml:Issuer>{issuer}</saml:Issuer>
<saml:Subject><saml:NameID Format="{persistent}">{name_id}</saml:NameID>
<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
<saml:SubjectConfirmationData InResponseTo="{request_id}" NotOnOrAfter="{soon}" Recipient="{acs}"/>
</saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="{now}" NotOnOrAfter="{soon}"><saml:AudienceRestriction>
<saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>
<saml:AuthnStatement AuthnInstant="{now}" SessionIndex="{session_index}" SessionNotOnOrAfter="{later}">
<saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified</saml:AuthnContextClassRef>
</saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>{attributes}</saml:AttributeStatement>
</saml:Assertion></samlp:Response>"""
_ATTRIBUTE: Final = (
    '<saml:Attribute Name="{name}" NameFormat="' + BASIC + '">'
    "<saml:AttributeValue>{value}</saml:AttributeValue></saml:Attribute>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """What one answer is about; ``now`` is the realm's clock."""

    issuer: str
    audience: str
    acs: str
    request_id: str
    key: KeyPair
    name_id: str = field(default_factory=lambda: f"G-{uuid.uuid4()}")
    session_index: str = field(default_factory=lambda: f"{uuid.uuid4().hex[:24]}::{uuid.uuid4()}")
    attributes: Mapping[str, str] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    digest: str = SHA256
    attacker: KeyPair | None = None


def stamp(moment: datetime) -> str:
    """An instant as Keycloak writes it."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def drafted(about: Answering) -> Any:
    """An answer in order, unsigned."""
    attributes = "".join(
        _ATTRIBUTE.format(name=escape(name), value=escape(value))
        for name, value in about.attributes.items()
    )
    text = _TEMPLATE.format(
        response_id=f"ID_{uuid.uuid4()}",
        assertion_id=f"ID_{uuid.uuid4()}",
        now=stamp(about.now),
        soon=stamp(about.now + timedelta(minutes=1)),
        later=stamp(about.now + timedelta(hours=10)),
        acs=escape(about.acs),
        audience=escape(about.audience),
        request_id=escape(about.request_id),
        issuer=escape(about.issuer),
        persistent=PERSISTENT,
        name_id=escape(about.name_id),
        session_index=escape(about.session_index),
        attributes=attributes,
    )
    return etree.fromstring(text.replace("\n", "").strip())


def sign(element: Any, about: Answering) -> None:
    """Sign an element as Keycloak does: the signature right behind the issuer."""
    method, digest = _ALGORITHMS[about.digest]
    template = xmlsec.template.create(
        element, xmlsec.constants.TransformExclC14N, method, ns="dsig"
    )
    reference = xmlsec.template.add_reference(template, digest, uri=f"#{element.get('ID')}")
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
    if about.attacker is not None:
        info = xmlsec.template.ensure_key_info(template)
        xmlsec.template.add_x509_data(info)
    element.insert(1, template)
    pair = about.attacker or about.key
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(pair.pem, xmlsec.constants.KeyDataFormatPem)
    if about.attacker is not None:
        pem = b"-----BEGIN CERTIFICATE-----\n"
        pem += pair.certificate_text.encode() + b"\n-----END CERTIFICATE-----\n"
        context.key.load_cert_from_memory(pem, xmlsec.constants.KeyDataFormatPem)
    context.register_id(element, "ID")
    context.sign(template)
