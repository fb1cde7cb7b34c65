"""A realm's description: whose it is, where it leads, what it verifies with; and our own."""

from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from identity.saml import SamlConfig, is_pair, new_key_pair
from identity.saml.codes import Code
from identity.saml.descriptors import address_of, judge, signing_keys
from identity.saml.provider import ServiceProvider
from mock_partners.keycloak.descriptor import descriptor
from mock_partners.keycloak.keys import new_pair
from schemas.errors import IdentityUnavailableError, SamlRefusedError
from schemas.logins import Face
from tests.unit.identity.saml.realm import HUB, ISSUER, Facing

PAIR = new_pair()


def refusal(xml):
    with pytest.raises(SamlRefusedError) as caught:
        judge(xml, ISSUER)
    return caught.value.code


def test_a_description_in_order_is_given_back_as_it_is():
    xml = descriptor(ISSUER, [PAIR, new_pair()])
    assert judge(xml, ISSUER) == xml
    assert address_of(ISSUER) == f"{ISSUER}/protocol/saml/descriptor"


@pytest.mark.parametrize(
    "other", [f"{ISSUER}-staff", f"{ISSUER}/", "https://elsewhere.test/realms/parvis"]
)
def test_a_description_of_another_realm_is_refused(other):
    assert refusal(descriptor(other, [PAIR])) == Code.ENTITY_ID


@pytest.mark.parametrize(
    "place", ["https://evil.test/saml", "http://idp.test/saml", "https://idp.test:444/x"]
)
def test_endpoints_elsewhere_are_refused(place):
    assert refusal(descriptor(ISSUER, [PAIR], place=place)) == Code.ENDPOINT


WHOLE = descriptor(ISSUER, [PAIR]).decode()
PROTOCOL = ' protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"'
REDIRECT = 'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" '
UNUSABLE = {
    "of a service": (WHOLE.replace("IDPSSODescriptor", "SPSSODescriptor"), Code.ENDPOINT),
    "without protocol": (WHOLE.replace(PROTOCOL, ""), Code.ENDPOINT),
    "of another protocol": (WHOLE.replace("SAML:2.0:protocol", "SAML:1.1:protocol"), Code.ENDPOINT),
    "without bindings": (WHOLE.replace(REDIRECT, ""), Code.ENDPOINT),
    "without redirect": (WHOLE.replace("HTTP-Redirect", "HTTP-Artifact"), Code.ENDPOINT),
    "in something else": (f"<x>{WHOLE}</x>", Code.ENTITY_ID),
    "over": (WHOLE.replace(" entityID", ' validUntil="2001-01-01T00:00:00Z" entityID'), Code.STALE),
    "over who knows when": (WHOLE.replace(" entityID", ' validUntil="x" entityID'), Code.STALE),
}


@pytest.mark.parametrize(("xml", "word"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_nobody_could_sign_in_by_is_refused(xml, word):
    assert refusal(xml.encode()) == word


def test_several_realms_in_one_document_are_read_by_their_name():
    more = f'<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">{WHOLE}</md:EntitiesDescriptor>'
    assert judge(more.encode(), ISSUER) == more.encode()
    assert refusal(more.replace(WHOLE, WHOLE * 2).encode()) == Code.ENTITY_ID
    later = WHOLE.replace(" entityID", ' validUntil="2999-01-01T00:00:00Z" entityID')
    assert judge(later.encode(), ISSUER) == later.encode()


def test_a_description_the_library_cannot_load_leaves_the_one_before_in_use():
    """What comes from the database is as the hub that wrote it judged it, maybe an older one."""
    facing = Facing()
    assert facing.answered().name_id
    facing.descriptions.known = WHOLE.replace(PROTOCOL, "").encode()

    assert facing.answered().name_id
    assert facing.provider.ask_login(relay_key="r").url

    alone = ServiceProvider(config=facing.config, descriptors=facing.descriptions)
    with pytest.raises(IdentityUnavailableError):
        alone.ask_login(relay_key="r")
    facing.publish()
    facing.descriptions.refresh()
    assert alone.ask_login(relay_key="r").url


@pytest.mark.parametrize("junk", ["AAAA", "", "é", "-----BEGIN CERTIFICATE-----"])
def test_a_certificate_nobody_can_read_leaves_the_others(junk):
    facing = Facing()
    key = f'<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{junk}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>'
    known = facing.descriptions.known.decode()
    at = known.index("<md:KeyDescriptor")
    facing.descriptions.known = judge((known[:at] + key + known[at:]).encode(), ISSUER)

    assert facing.answered().name_id


def test_without_a_key_nothing_could_be_verified():
    assert refusal(descriptor(ISSUER, [])) == Code.NO_KEY


@pytest.mark.parametrize(
    ("xml", "word"),
    [
        (b"<html><body>Bad gateway", Code.NOT_XML),
        (b"<html/>", Code.ENTITY_ID),
        (b"<!DOCTYPE x>" + descriptor(ISSUER, [PAIR]), Code.DOCTYPE),
        (b"{}", Code.NOT_XML),
        (b"<a>" + b" " * 300_000 + b"</a>", Code.TOO_LARGE),
    ],
)
def test_what_is_no_description_is_refused_by_the_same_guard(xml, word):
    assert refusal(xml) == word


def test_the_days_of_every_certificate_are_known():
    soon = new_pair(lasts=timedelta(days=10))
    keys = signing_keys(descriptor(ISSUER, [PAIR, soon]))
    left = sorted((one.expires_at - datetime.now(UTC)).days for one in keys)
    assert left[0] in {9, 10}
    assert left[1] > 300


def test_our_description_says_both_certificates_while_a_key_is_changed():
    key, certificate = new_key_pair(HUB)
    _, coming = new_key_pair(HUB)
    config = SamlConfig(
        face=Face.CONSOLE,
        public_url=HUB,
        key_pem=key,
        certificate_pem=certificate,
        idp_entity_id=ISSUER,
        next_certificate_pem=coming,
    )
    provider = ServiceProvider(config=config, descriptors=Facing().descriptions)
    root = etree.fromstring(provider.metadata())

    assert root.get("entityID") == f"{HUB}/console/saml/metadata"
    described = root.findall(".//{*}KeyDescriptor")
    assert [one.get("use") for one in described] == ["signing", "signing"]
    said = ["".join(one.findtext(".//{*}X509Certificate").split()) for one in described]
    assert said == ["".join(pem.decode().splitlines()[1:-1]) for pem in (certificate, coming)]


def test_a_key_pair_belongs_together():
    (key, certificate), (_, other) = new_key_pair(HUB), new_key_pair(HUB)
    assert is_pair(key, certificate)
    assert not is_pair(key, other)


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [("x" * 256, True), ("x" * 257, False), ("a\x85b", False), ("a\tb", False)],
)
def test_a_name_is_short_and_without_control_characters(name, is_taken):
    facing = Facing()
    if is_taken:
        assert name in facing.answered(name_id=name).name_id
    else:
        with pytest.raises(SamlRefusedError) as caught:
            facing.answered(name_id=name)
        assert caught.value.code == Code.NAME_ID
