"""Our description, signed: who we are, with which keys we sign, where messages go (SAML 2.0 Metadata)."""

from base64 import b64encode
from datetime import timedelta
from typing import Any, Final

import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from lxml import etree
from lxml.builder import ElementMaker

from identity.saml.config import SamlConfig
from schemas import clock, ids

MD: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
_BINDING: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-"
_PERSISTENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
_LASTS: Final = timedelta(days=7)
_md = ElementMaker(namespace=MD, nsmap={"md": MD, "ds": DS})
_ds = ElementMaker(namespace=DS, nsmap={"ds": DS})


def signed_metadata(config: SamlConfig) -> bytes:
    """Return the description of one configuration; both certificates while a key is being changed."""
    root = _md.EntityDescriptor(
        _service_provider(config),
        entityID=config.entity_id,
        ID=f"_{ids.uuid7().hex}",
        validUntil=clock.rfc3339(clock.utcnow() + _LASTS),
    )
    template = xmlsec.template.create(
        root, xmlsec.constants.TransformExclC14N, xmlsec.constants.TransformRsaSha256, ns="ds"
    )
    reference = xmlsec.template.add_reference(
        template, xmlsec.constants.TransformSha256, uri=f"#{root.get('ID')}"
    )
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
    root.insert(0, template)
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(config.key_pem, xmlsec.constants.KeyDataFormatPem)
    context.register_id(root, "ID")
    context.sign(template)
    return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True))


def _service_provider(config: SamlConfig) -> Any:
    pems = (config.certificate_pem, config.next_certificate_pem)
    return _md.SPSSODescriptor(
        *(_key(pem) for pem in pems if pem is not None),
        _md.SingleLogoutService(Binding=f"{_BINDING}Redirect", Location=config.sls),
        _md.SingleLogoutService(Binding=f"{_BINDING}POST", Location=config.sls),
        _md.NameIDFormat(_PERSISTENT),
        _md.AssertionConsumerService(
            Binding=f"{_BINDING}POST", Location=config.acs, index="0", isDefault="true"
        ),
        AuthnRequestsSigned="true",
        WantAssertionsSigned="true",
        protocolSupportEnumeration=PROTOCOL,
    )


def _key(pem: bytes) -> Any:
    der = load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    return _md.KeyDescriptor(
        _ds.KeyInfo(_ds.X509Data(_ds.X509Certificate(b64encode(der).decode()))), use="signing"
    )
