"""What an attacker makes of a signed answer: wrapped, stripped, tampered with."""

import copy
from collections.abc import Callable
from typing import Any, Final

from lxml import etree

from mock_partners.keycloak.drafts import NS, Answering

__all__ = ["AFTER", "EVIL", "Tampering"]

Tampering = Callable[[Any, Answering], bytes]
EVIL: Final = "G-of-somebody-else"


def _evil(assertion: Any) -> Any:
    """An assertion about somebody else, unsigned, under a name of its own."""
    evil = copy.deepcopy(assertion)
    for signature in evil.findall("d:Signature", NS):
        evil.remove(signature)
    evil.set("ID", "ID_evil")
    evil.find(".//a:NameID", NS).text = EVIL
    return evil


def _parts(root: Any) -> tuple[Any, Any]:
    assertion = root.find("a:Assertion", NS)
    return assertion, assertion.find("d:Signature", NS)


def _wrapped(variant: int) -> Tampering:
    """The eight classic ways to wrap what is signed round what is not."""

    def act(root: Any, _about: Answering) -> bytes:
        return bytes(etree.tostring(_WRAPPINGS[variant](root)))

    return act


def _wrap_response(root: Any, *, before: bool) -> Any:
    signed = copy.deepcopy(root)
    evil = copy.deepcopy(root)
    evil.set("ID", "ID_evil_response")
    evil.find(".//a:NameID", NS).text = EVIL
    signature = evil.find("d:Signature", NS)
    if before:
        evil.insert(0, signed)
    else:
        signature.append(signed)
    return evil


def _wrap_beside(root: Any) -> Any:
    assertion, _ = _parts(root)
    assertion.addprevious(_evil(assertion))
    return root


def _wrap_inside(root: Any) -> Any:
    assertion, _ = _parts(root)
    evil = _evil(assertion)
    root.replace(assertion, evil)
    evil.append(assertion)
    return root


def _wrap_with_signature(root: Any) -> Any:
    assertion, signature = _parts(root)
    evil = _evil(assertion)
    evil.insert(1, signature)
    root.replace(assertion, evil)
    root.append(assertion)
    return root


def _wrap_in_signature(root: Any, *, in_object: bool) -> Any:
    assertion, signature = _parts(root)
    evil = _evil(assertion)
    evil.insert(1, signature)
    root.replace(assertion, evil)
    place = etree.SubElement(signature, f"{{{NS['d']}}}Object") if in_object else signature
    place.append(assertion)
    return root


def _wrap_in_extensions(root: Any) -> Any:
    assertion, _ = _parts(root)
    extensions = etree.Element(f"{{{NS['p']}}}Extensions")
    evil = _evil(assertion)
    evil.set("ID", assertion.get("ID"))
    extensions.append(evil)
    root.insert(1, extensions)
    return root


_WRAPPINGS: Final[dict[int, Callable[[Any], Any]]] = {
    1: lambda root: _wrap_response(root, before=False),
    2: lambda root: _wrap_response(root, before=True),
    3: _wrap_beside,
    4: _wrap_inside,
    5: _wrap_with_signature,
    6: lambda root: _wrap_in_signature(root, in_object=False),
    7: _wrap_in_extensions,
    8: lambda root: _wrap_in_signature(root, in_object=True),
}


def _tampered(root: Any, _about: Answering) -> bytes:
    root.find(".//a:NameID", NS).text = EVIL
    return bytes(etree.tostring(root))


def _tampered_attribute(root: Any, _about: Answering) -> bytes:
    root.find(".//a:AttributeValue", NS).text = "another"
    return bytes(etree.tostring(root))


def _stripped(path: str) -> Tampering:
    def act(root: Any, _about: Answering) -> bytes:
        for signature in root.xpath(path, namespaces=NS):
            signature.getparent().remove(signature)
        return bytes(etree.tostring(root))

    return act


def _same_id_twice(root: Any, _about: Answering) -> bytes:
    status = root.find("p:Status", NS)
    status.set("ID", root.find("a:Assertion", NS).get("ID"))
    return bytes(etree.tostring(root))


def _doctype(root: Any, _about: Answering) -> bytes:
    return bytes(b"<!DOCTYPE Response>" + etree.tostring(root))


def _entity(root: Any, _about: Answering) -> bytes:
    text = bytes(etree.tostring(root))
    declared = b'<!DOCTYPE Response [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    return declared + text.replace(b"G-", b"&x;G-", 1)


def _relative_namespace(root: Any, _about: Answering) -> bytes:
    return bytes(etree.tostring(root)).replace(
        b"<samlp:Response ", b'<samlp:Response xmlns:r="../x" ', 1
    )


AFTER: Final[dict[str, Tampering]] = {
    **{f"wrapped_{variant}": _wrapped(variant) for variant in _WRAPPINGS},
    "tampered": _tampered,
    "tampered_attribute": _tampered_attribute,
    "response_signature_stripped": _stripped("/p:Response/d:Signature"),
    "assertion_signature_stripped": _stripped("//a:Assertion/d:Signature"),
    "both_signatures_stripped": _stripped("//d:Signature"),
    "same_id_twice": _same_id_twice,
    "doctype": _doctype,
    "entity": _entity,
    "relative_namespace": _relative_namespace,
}
