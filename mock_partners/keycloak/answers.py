"""SAML answers as Keycloak writes them, and the same with one thing wrong.

Built and signed here with lxml and the xmlsec binding alone, so that a fault of whoever reads them cannot
hide. ``answer`` makes a valid one; ``change`` names one alteration of ``BEFORE`` (made before anything is
signed: the signatures hold) or of ``AFTER`` (made afterwards, as an attacker would).
"""

import base64
import copy
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from xml.sax.saxutils import escape

import xmlsec
from lxml import etree

from mock_partners.keycloak.keys import KeyPair

__all__ = ["AFTER", "BEFORE", "Answering", "answer"]

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


def answer(about: Answering, change: str | None = None) -> str:
    """One answer, base64; ``change`` names the one thing that is wrong with it."""
    root = _drafted(about)
    if change in BEFORE:
        BEFORE[change](root, about)
    elif change is not None and change not in AFTER:
        msg = f"no alteration is named {change!r}"
        raise ValueError(msg)
    assertion = root.find("a:Assertion", NS)
    if assertion is not None:
        _sign(assertion, about)
    _sign(root, about)
    text = bytes(etree.tostring(root))
    if change in AFTER:
        text = AFTER[change](root, about)
    return base64.b64encode(text).decode()


def stamp(moment: datetime) -> str:
    """An instant as Keycloak writes it."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _drafted(about: Answering) -> Any:
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


def _sign(element: Any, about: Answering) -> None:
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


# --- one thing wrong, well signed -------------------------------------------------------------------

Alteration = Callable[[Any, Answering], None]


def _one(root: Any, path: str) -> Any:
    found = root.xpath(path, namespaces=NS)
    return found[0]


def _without(path: str) -> Alteration:
    def act(root: Any, _about: Answering) -> None:
        gone = _one(root, path)
        gone.getparent().remove(gone)

    return act


def _unset(path: str, name: str) -> Alteration:
    def act(root: Any, _about: Answering) -> None:
        del _one(root, path).attrib[name]

    return act


def _with(path: str, name: str, value: str) -> Alteration:
    def act(root: Any, _about: Answering) -> None:
        _one(root, path).set(name, value)

    return act


def _moved(path: str, name: str, by: timedelta) -> Alteration:
    def act(root: Any, about: Answering) -> None:
        _one(root, path).set(name, stamp(about.now + by))

    return act


def _text(path: str, text: str) -> Alteration:
    def act(root: Any, _about: Answering) -> None:
        _one(root, path).text = text

    return act


def _twice(path: str, *, text: str | None = None) -> Alteration:
    def act(root: Any, _about: Answering) -> None:
        first = _one(root, path)
        second = copy.deepcopy(first)
        if text is not None:
            inner = second if not len(second) else second[0]
            inner.text = text
        if second.get("ID") is not None:
            second.set("ID", f"ID_{uuid.uuid4()}")
        first.addnext(second)

    return act


def _added(path: str, xml: str) -> Alteration:
    def act(root: Any, _about: Answering) -> None:
        wrapped = etree.fromstring(
            '<x xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" '
            f'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol">{xml}</x>'
        )
        _one(root, path).append(wrapped[0])

    return act


def _split(node: Callable[[], Any]) -> Alteration:
    """Something that is no text in the middle of the name."""

    def act(root: Any, _about: Answering) -> None:
        name = _one(root, "//a:NameID")
        text = name.text
        name.text = text[:4]
        inside = node()
        inside.tail = text[4:]
        name.append(inside)

    return act


def _second_statement(root: Any, _about: Answering) -> None:
    first = _one(root, "//a:AttributeStatement")
    first.addnext(copy.deepcopy(first))


def _many_attributes(root: Any, _about: Answering) -> None:
    statement = _one(root, "//a:AttributeStatement")
    for number in range(65):
        one = copy.deepcopy(statement[0])
        one.set("Name", f"extra{number}")
        statement.append(one)


_A, _R = "//a:Assertion", "/p:Response"
_DATA, _COND = "//a:SubjectConfirmationData", "//a:Conditions"
_DAY = timedelta(days=1)
_ENCRYPTED: Final = (
    "<saml:EncryptedAssertion><xenc:EncryptedData xmlns:xenc='http://www.w3.org/2001/04/xmlenc#'>"
    "<xenc:CipherData><xenc:CipherValue>AA==</xenc:CipherValue></xenc:CipherData>"
    "</xenc:EncryptedData></saml:EncryptedAssertion>"
)
BEFORE: Final[dict[str, Alteration]] = {
    "no_name_id": _without("//a:NameID"),
    "empty_name_id": _text("//a:NameID", " "),
    "transient_name_id": _with(
        "//a:NameID", "Format", "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
    ),
    "comment_in_name_id": _split(lambda: etree.Comment("x")),
    "instruction_in_name_id": _split(lambda: etree.ProcessingInstruction("x", "y")),
    "no_assertion": _without(_A),
    "two_assertions": _twice(_A),
    "encrypted_beside": _added(_R, _ENCRYPTED),
    "no_conditions": _without(_COND),
    "no_not_before": _unset(_COND, "NotBefore"),
    "no_not_on_or_after": _unset(_COND, "NotOnOrAfter"),
    "long_conditions": _moved(_COND, "NotOnOrAfter", timedelta(minutes=11)),
    "conditions_over": _moved(_COND, "NotOnOrAfter", timedelta(minutes=-2)),
    "conditions_to_come": _moved(_COND, "NotBefore", timedelta(minutes=2)),
    "no_audience": _without("//a:AudienceRestriction"),
    "other_audience": _text("//a:Audience", "https://elsewhere.test/saml/metadata"),
    "audience_beside": _twice("//a:Audience", text="https://elsewhere.test/saml/metadata"),
    "second_audience": _twice(
        "//a:AudienceRestriction", text="https://elsewhere.test/saml/metadata"
    ),
    "no_destination": _unset(_R, "Destination"),
    "other_destination": _with(_R, "Destination", "https://elsewhere.test/saml/acs"),
    "old_response": _moved(_R, "IssueInstant", timedelta(minutes=-6)),
    "early_response": _moved(_R, "IssueInstant", timedelta(minutes=6)),
    "yesterdays_response": _moved(_R, "IssueInstant", -2 * _DAY),
    "old_assertion": _moved(_A, "IssueInstant", timedelta(minutes=-6)),
    "no_recipient": _unset(_DATA, "Recipient"),
    "other_recipient": _with(_DATA, "Recipient", "https://elsewhere.test/saml/acs"),
    "sender_vouches": _with(
        "//a:SubjectConfirmation", "Method", "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"
    ),
    "two_confirmations": _twice("//a:SubjectConfirmation"),
    "no_confirmation": _without("//a:SubjectConfirmation"),
    "confirmation_without_end": _unset(_DATA, "NotOnOrAfter"),
    "confirmation_with_begin": _moved(_DATA, "NotBefore", timedelta(minutes=-1)),
    "confirmation_over": _moved(_DATA, "NotOnOrAfter", timedelta(minutes=-2)),
    "other_request": _with(_R, "InResponseTo", "_somebody_elses"),
    "other_request_inside": _with(_DATA, "InResponseTo", "_somebody_elses"),
    "unasked": _unset(_R, "InResponseTo"),
    "other_issuer": _text("/p:Response/a:Issuer", "https://elsewhere.test/realms/parvis"),
    "other_issuer_inside": _text("//a:Assertion/a:Issuer", "https://elsewhere.test/realms/x"),
    "no_session_index": _unset("//a:AuthnStatement", "SessionIndex"),
    "no_statement": _without("//a:AuthnStatement"),
    "session_over": _moved("//a:AuthnStatement", "SessionNotOnOrAfter", -_DAY),
    "same_attribute_twice": _twice("//a:Attribute[@Name='kc_user']"),
    "two_values": _twice("//a:Attribute[@Name='kc_user']/a:AttributeValue", text="another"),
    "two_levels": _twice("//a:Attribute[@Name='fc_acr']/a:AttributeValue", text="eidas3"),
    "no_account": _without("//a:Attribute[@Name='kc_user']"),
    "second_statement": _second_statement,
    "many_attributes": _many_attributes,
    "large_value": _text("//a:Attribute[@Name='kc_user']/a:AttributeValue", "x" * 4097),
    "status_not_success": _with(
        "//p:StatusCode", "Value", "urn:oasis:names:tc:SAML:2.0:status:Responder"
    ),
    "version_1": _with(_R, "Version", "1.1"),
    "assertion_version_1": _with(_A, "Version", "1.1"),
    "old_sign_in": _moved("//a:AuthnStatement", "AuthnInstant", -400 * _DAY),
}


# --- as an attacker would ---------------------------------------------------------------------------

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
