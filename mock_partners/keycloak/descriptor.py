"""How a realm describes itself: every signing key announced, and SOAP offered beside the rest."""

from xml.sax.saxutils import escape

from mock_partners.keycloak.keys import KeyPair

__all__ = ["descriptor"]

_KEY = (
    '<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:KeyName>{kid}</ds:KeyName><ds:X509Data>'
    "<ds:X509Certificate>{text}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
)
_SERVICE = (
    '<md:{kind} Binding="urn:oasis:names:tc:SAML:2.0:bindings:{binding}" Location="{place}"/>'
)
_DOCUMENT = (
    '<md:EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"'
    ' xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"'
    ' entityID="{issuer}"><md:IDPSSODescriptor WantAuthnRequestsSigned="true"'
    ' protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">{keys}{logout}'
    "<md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>"
    "{login}</md:IDPSSODescriptor></md:EntityDescriptor>"
)
_BINDINGS = ("SOAP", "HTTP-POST", "HTTP-Redirect")


def descriptor(issuer: str, pairs: list[KeyPair], *, place: str | None = None) -> bytes:
    """The description of a realm; ``place`` is where its SAML endpoints are."""
    at = escape(place or f"{issuer}/protocol/saml")
    keys = "".join(_KEY.format(kid=pair.kid, text=pair.certificate_text) for pair in pairs)
    services = {
        kind: "".join(_SERVICE.format(kind=kind, binding=name, place=at) for name in _BINDINGS)
        for kind in ("SingleLogoutService", "SingleSignOnService")
    }
    return _DOCUMENT.format(
        issuer=escape(issuer),
        keys=keys,
        logout=services["SingleLogoutService"],
        login=services["SingleSignOnService"],
    ).encode()
