"""SAML's own XML schemas, checked by libxml2: the library's checker is Python and took two thirds of a sign-in.

The schemas are the ones the library ships (SAML 2.0 protocol and assertion, XML Signature, XML Encryption),
found beside each other and never fetched.
"""

import threading
from importlib.resources import files
from typing import Any, Final

import saml2.data.schemas
from lxml import etree
from saml2.xml.schema import XMLSchemaError

_PROTOCOL: Final = "saml-schema-protocol-2.0.xsd"
_SHIPPED: Final = files(saml2.data.schemas)
_here = threading.local()


class _Beside(etree.Resolver):  # type: ignore[misc] # lxml carries no types
    """Finds a schema by its last name among those that are shipped; there is no other."""

    def resolve(self, url: str, _public_id: str | None, context: Any) -> Any:
        """Return the schema an import names."""
        path = _SHIPPED.joinpath(url.rpartition("/")[2])
        if not path.is_file():
            return self.resolve_string("", context)
        return self.resolve_filename(str(path), context)


def validate(document: str | bytes, _validator: object = None) -> None:
    """Check a document that the guard let through; takes the place of the library's function.

    Raises:
        XMLSchemaError: it is not as the schemas say; nothing of it is repeated.
    """
    raw = document.encode() if isinstance(document, str) else document
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        is_valid = _schema().validate(etree.fromstring(raw, parser))
    except etree.XMLSyntaxError as error:
        raise XMLSchemaError("no XML") from error
    if not is_valid:
        raise XMLSchemaError("not as the schemas say")


def _schema() -> Any:
    """Return this thread's schema: one keeps the errors of its last document."""
    if not hasattr(_here, "schema"):
        parser = etree.XMLParser(no_network=True, load_dtd=False)
        parser.resolvers.add(_Beside())
        _here.schema = etree.XMLSchema(etree.parse(str(_SHIPPED.joinpath(_PROTOCOL)), parser))
    return _here.schema
