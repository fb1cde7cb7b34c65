"""Signatures verified and made in process, by the xmlsec binding.

The library's own way starts three programs for every signature it checks. What a signature may look
like is decided here: the key comes from the realm's description and never from the message, the
algorithms from a list, and the element that is signed is the one the caller will read.
"""

from functools import lru_cache
from typing import Any, Final

import xmlsec
from lxml import etree
from saml2.saml import SamlBase
from saml2.sigver import CryptoBackend, SignatureError

_DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"
_PARSER: Final = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
}
REFERENCES: Final = (
    xmlsec.constants.TransformExclC14N,
    xmlsec.constants.TransformEnveloped,
    xmlsec.constants.TransformSha256,
    xmlsec.constants.TransformSha512,
)
SIGNATURES: Final = (
    xmlsec.constants.TransformExclC14N,
    xmlsec.constants.TransformSha256,
    xmlsec.constants.TransformSha512,
    xmlsec.constants.TransformRsaSha256,
    xmlsec.constants.TransformRsaSha512,
)


class InProcessBackend(CryptoBackend):  # type: ignore[misc] # the library carries no types
    """What the library asks of a crypto backend; ``key_pem`` signs what we send."""

    def __init__(self, key_pem: bytes) -> None:
        super().__init__()
        self._key = xmlsec.Key.from_memory(key_pem, xmlsec.constants.KeyDataFormatPem)

    @property
    def version(self) -> str:
        """Return the version of the library below."""
        return ".".join(map(str, xmlsec.get_libxml_version()))

    def validate_signature(
        self,
        signedtext: str | bytes,
        cert_file: bytes,
        cert_type: str,
        node_name: str,
        node_id: str,
    ) -> bool:
        """Verify the signature of one element; raises SignatureError, so that the next key is tried.

        ``cert_file`` is the PEM of a certificate, not the name of a file.
        """
        del cert_type
        try:
            root = parsed(signedtext)
            _verify(_element(root, node_name, node_id), root, cert_file)
        except (xmlsec.Error, etree.XMLSyntaxError) as error:
            raise SignatureError("not verified") from error
        return True

    def sign_statement(
        self, statement: str | SamlBase, node_name: str, key_file: str, node_id: str
    ) -> str:
        """Fill the signature template that one element carries."""
        del key_file
        root = parsed(str(statement))
        element = _element(root, node_name, node_id)
        context = xmlsec.SignatureContext()
        context.key = self._key
        context.register_id(element, "ID")
        context.sign(_signature(element))
        return str(etree.tostring(root, encoding="unicode"))


def parsed(text: str | bytes) -> Any:
    """Return the root of a document that passed the guard."""
    raw = text.encode() if isinstance(text, str) else text
    return etree.fromstring(raw, etree.XMLParser(**_PARSER))


def _element(root: Any, node_name: str, node_id: str) -> Any:
    """Return the one element with this id; a document where an id stands twice proves nothing."""
    found: dict[str, Any] = {}
    for element in root.iter(etree.Element):
        name = element.get("ID")
        if name is None:
            continue
        if name in found:
            raise SignatureError("an ID stands twice")
        found[name] = element
    element = found.get(node_id)
    namespace, _, local = node_name.rpartition(":")
    if element is None or element.tag != f"{{{namespace}}}{local}":
        raise SignatureError("the signed element is not there")
    return element


def _signature(element: Any) -> Any:
    signatures = element.findall(f"{_DS}Signature")
    if len(signatures) != 1:
        raise SignatureError("not exactly one signature")
    return signatures[0]


def _verify(element: Any, root: Any, pem: bytes) -> None:
    signature = _signature(element)
    if [one.get("URI") for one in signature.iter(f"{_DS}Reference")] != [f"#{element.get('ID')}"]:
        raise SignatureError("the signature is not about the element it stands in")
    context = xmlsec.SignatureContext()
    context.key = _key_of(pem)
    for algorithm in REFERENCES:
        context.enable_reference_transform(algorithm)
    for algorithm in SIGNATURES:
        context.enable_signature_transform(algorithm)
    for one in root.iter(etree.Element):
        if one.get("ID") is not None:
            context.register_id(one, "ID")
    context.verify(signature)


@lru_cache(maxsize=16)
def _key_of(pem: bytes) -> xmlsec.Key:
    return xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatCertPem)
