"""One thing wrong in an answer, made before anything is signed: the signatures hold."""

import copy
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from lxml import etree

from mock_partners.keycloak.drafts import NS, Answering, stamp

__all__ = ["BEFORE", "Alteration", "moved"]

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


def moved(path: str, name: str, by: timedelta) -> Alteration:
    """An instant of the answer set apart from its clock."""

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
    "long_conditions": moved(_COND, "NotOnOrAfter", timedelta(minutes=11)),
    "conditions_over": moved(_COND, "NotOnOrAfter", timedelta(minutes=-2)),
    "conditions_to_come": moved(_COND, "NotBefore", timedelta(minutes=2)),
    "no_audience": _without("//a:AudienceRestriction"),
    "other_audience": _text("//a:Audience", "https://elsewhere.test/saml/metadata"),
    "audience_beside": _twice("//a:Audience", text="https://elsewhere.test/saml/metadata"),
    "second_audience": _twice(
        "//a:AudienceRestriction", text="https://elsewhere.test/saml/metadata"
    ),
    "no_destination": _unset(_R, "Destination"),
    "other_destination": _with(_R, "Destination", "https://elsewhere.test/saml/acs"),
    "old_response": moved(_R, "IssueInstant", timedelta(minutes=-6)),
    "early_response": moved(_R, "IssueInstant", timedelta(minutes=6)),
    "yesterdays_response": moved(_R, "IssueInstant", -2 * _DAY),
    "old_assertion": moved(_A, "IssueInstant", timedelta(minutes=-6)),
    "no_recipient": _unset(_DATA, "Recipient"),
    "other_recipient": _with(_DATA, "Recipient", "https://elsewhere.test/saml/acs"),
    "sender_vouches": _with(
        "//a:SubjectConfirmation", "Method", "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"
    ),
    "two_confirmations": _twice("//a:SubjectConfirmation"),
    "no_confirmation": _without("//a:SubjectConfirmation"),
    "confirmation_without_end": _unset(_DATA, "NotOnOrAfter"),
    "confirmation_with_begin": moved(_DATA, "NotBefore", timedelta(minutes=-1)),
    "confirmation_over": moved(_DATA, "NotOnOrAfter", timedelta(minutes=-2)),
    "other_request": _with(_R, "InResponseTo", "_somebody_elses"),
    "other_request_inside": _with(_DATA, "InResponseTo", "_somebody_elses"),
    "unasked": _unset(_R, "InResponseTo"),
    "other_issuer": _text("/p:Response/a:Issuer", "https://elsewhere.test/realms/parvis"),
    "other_issuer_inside": _text("//a:Assertion/a:Issuer", "https://elsewhere.test/realms/x"),
    "no_session_index": _unset("//a:AuthnStatement", "SessionIndex"),
    "no_statement": _without("//a:AuthnStatement"),
    "session_over": moved("//a:AuthnStatement", "SessionNotOnOrAfter", -_DAY),
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
    "old_sign_in": moved("//a:AuthnStatement", "AuthnInstant", -400 * _DAY),
}
