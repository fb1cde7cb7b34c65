"""Signing out: messages of the realm by both ways, each rule with its word, and what we send."""

import base64
import re
import zlib
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from lxml import etree

from identity.saml.codes import Code
from identity.saml.redirect import RSA_SHA256, check_query
from mock_partners.keycloak.keys import new_pair
from mock_partners.keycloak.logout import (
    RSA_SHA1,
    Ending,
    form_text,
    logout_request,
    logout_response,
    query,
)
from schemas.errors import SamlRefusedError
from schemas.logins import Binding, Face, SamlMessage
from tests.unit.identity.saml.realm import HUB, ISSUER, Facing

WAYS = (Binding.REDIRECT, Binding.POST)
KINDS = ("SAMLRequest", "SAMLResponse")


@pytest.fixture(scope="module")
def facing():
    return Facing()


def ending(facing, **changes):
    values = {
        "issuer": ISSUER,
        "destination": facing.config.sls,
        "key": facing.ring.active,
        "session_index": "abc::def",
        "request_id": "_ours",
    }
    return Ending(**{**values, **changes})


def brought(xml, key, binding, *, kind="SAMLRequest", **how):
    """A message as the browser brings it."""
    if binding is Binding.POST:
        return SamlMessage(binding=binding, text=form_text(xml, key), relay_state="r")
    text = query(kind, xml, key, relay_state="r", **how)
    given = parse_qs(text)[kind][0]
    return SamlMessage(binding=binding, text=given, relay_state="r", query=text)


def asked(facing, binding, *, key=None, **changes):
    about = ending(facing, **changes)
    return facing.provider.read_logout(
        brought(logout_request(about), key or facing.ring.active, binding)
    )


def refusal(act):
    with pytest.raises(SamlRefusedError) as caught:
        act()
    return caught.value.code


@pytest.mark.parametrize("binding", WAYS)
def test_a_request_in_order_names_the_session(facing, binding):
    found = asked(facing, binding, message_id="ID_1", session_index="a::b::c")

    assert (found.request_id, found.issuer) == ("ID_1", ISSUER)
    assert found.session_index == "a::b::c"
    assert "G-1" in found.name_id
    assert found.relay_state == "r"


@pytest.mark.parametrize("binding", WAYS)
def test_a_request_without_a_session_means_every_session(facing, binding):
    assert asked(facing, binding, session_index=None).session_index is None


@pytest.mark.parametrize("binding", WAYS)
def test_a_request_of_somebody_else_is_refused(facing, binding):
    assert refusal(lambda: asked(facing, binding, key=new_pair())) == Code.SIGNATURE


@pytest.mark.parametrize("binding", WAYS)
def test_an_unsigned_request_ends_nothing(facing, binding):
    xml = logout_request(ending(facing))
    message = brought(xml, None, binding)
    assert refusal(lambda: facing.provider.read_logout(message)) in {Code.UNSIGNED, Code.SIGNATURE}


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"destination": None}, Code.DESTINATION),
        ({"destination": f"{HUB}/console/saml/sls"}, Code.DESTINATION),
        ({"destination": f"{HUB}/saml/acs"}, Code.DESTINATION),
        ({"lasts": timedelta(seconds=-1)}, Code.STALE),
    ],
)
@pytest.mark.parametrize("binding", WAYS)
def test_a_request_that_is_not_for_us_or_not_for_now_is_refused(facing, binding, changes, word):
    assert refusal(lambda: asked(facing, binding, **changes)) == word


@pytest.mark.parametrize("binding", WAYS)
@pytest.mark.parametrize("seconds", [-310, 310])
def test_a_request_of_another_time_is_refused(facing, binding, seconds):
    now = datetime.now(UTC) + timedelta(seconds=seconds)
    word = refusal(lambda: asked(facing, binding, now=now, lasts=timedelta(hours=1)))
    assert word == Code.ISSUE_INSTANT


@pytest.mark.parametrize("binding", WAYS)
@pytest.mark.parametrize("seconds", [-59, 59])
def test_a_request_of_a_clock_that_is_a_little_off_is_taken(facing, binding, seconds):
    assert asked(facing, binding, now=datetime.now(UTC) + timedelta(seconds=seconds))


@pytest.mark.parametrize("binding", WAYS)
def test_a_request_of_another_realm_is_refused(facing, binding):
    word = refusal(lambda: asked(facing, binding, issuer="https://idp.test/realms/other"))
    assert word in {Code.ISSUER, Code.SIGNATURE}


# --- the query as it stands --------------------------------------------------------------------------------


def test_a_peer_that_writes_percent_signs_in_lower_case_is_heard(facing):
    def lower(value):
        return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quote(value, safe=""))

    xml = logout_request(ending(facing))
    message = brought(xml, facing.ring.active, Binding.REDIRECT, quote=lower)

    assert re.search("%[0-9]?[a-f]", message.query)
    assert facing.provider.read_logout(message)


def test_sha1_is_no_algorithm_in_a_query(facing):
    xml = logout_request(ending(facing))
    message = brought(xml, facing.ring.active, Binding.REDIRECT, algorithm=RSA_SHA1)
    assert refusal(lambda: facing.provider.read_logout(message)) == Code.ALGORITHM


def altered(message, old, new):
    assert old in message.query
    return SamlMessage(
        binding=message.binding,
        text=message.text,
        relay_state=message.relay_state,
        query=message.query.replace(old, new),
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("RelayState=r", "RelayState=s", {Code.SIGNATURE}),
        ("&RelayState=r", "", {Code.SIGNATURE}),
        ("RelayState=r", "RelayState=r&RelayState=s", {Code.SIGNATURE}),
        ("&SigAlg=", "&sigalg=", {Code.UNSIGNED}),
        ("&Signature=", "&Signature=AAAA", {Code.SIGNATURE, Code.BAD_BASE64}),
        ("SAMLRequest=", "SAMLRequest=AAAA", {Code.SIGNATURE}),
        ("SAMLRequest=", "SAMLReques%74=", {Code.UNSIGNED}),
        ("RelayState=", "RelayStat%65=", {Code.SIGNATURE}),
    ],
)
def test_a_query_that_was_touched_is_refused(facing, old, new, words):
    message = brought(logout_request(ending(facing)), facing.ring.active, Binding.REDIRECT)
    assert refusal(lambda: facing.provider.read_logout(altered(message, old, new))) in words


def test_what_stands_beside_the_signed_query_is_not_believed(facing):
    message = brought(logout_request(ending(facing)), facing.ring.active, Binding.REDIRECT)
    other = brought(logout_request(ending(facing)), facing.ring.active, Binding.REDIRECT)
    mixed = SamlMessage(binding=Binding.REDIRECT, text=other.text, query=message.query)

    assert refusal(lambda: facing.provider.read_logout(mixed)) == Code.SIGNATURE


def test_a_relay_state_that_nobody_signed_is_not_carried_back(facing):
    xml = logout_request(ending(facing))
    text = query("SAMLRequest", xml, facing.ring.active)
    given = parse_qs(text)["SAMLRequest"][0]
    message = SamlMessage(
        binding=Binding.REDIRECT, text=given, relay_state="evil", query=f"{text}&RelayStat%65=evil"
    )
    assert facing.provider.read_logout(message).relay_state is None


def test_a_certificate_that_cannot_be_read_stops_nobody(facing):
    text = query("SAMLRequest", logout_request(ending(facing)), facing.ring.active)
    good = facing.ring.active.certificate_text

    check_query(text, "SAMLRequest", certificates=["AAAA", "not base64", good])
    with pytest.raises(SamlRefusedError):
        check_query(text, "SAMLRequest", certificates=["AAAA"])


# --- the realm's answer to ours ----------------------------------------------------------------------------


def answered(facing, binding, *, key=None, status=None, **changes):
    about = ending(facing, **changes)
    xml = logout_response(about, **({"status": status} if status else {}))
    message = brought(xml, key or facing.ring.active, binding, kind="SAMLResponse")
    return facing.provider.read_logout_answer(message)


@pytest.mark.parametrize("binding", WAYS)
def test_an_answer_names_our_request(facing, binding):
    found = answered(facing, binding, request_id="_ours")
    assert (found.in_response_to, found.is_success) == ("_ours", True)


@pytest.mark.parametrize("binding", WAYS)
def test_an_answer_may_say_that_it_did_not_work(facing, binding):
    status = "urn:oasis:names:tc:SAML:2.0:status:Responder"
    word = None
    try:
        found = answered(facing, binding, status=status)
    except SamlRefusedError as error:
        word = error.code
    assert word == Code.STATUS or not found.is_success


@pytest.mark.parametrize("binding", WAYS)
def test_an_answer_of_somebody_else_is_refused(facing, binding):
    assert refusal(lambda: answered(facing, binding, key=new_pair())) == Code.SIGNATURE
    xml = logout_response(ending(facing))
    message = brought(xml, None, binding, kind="SAMLResponse")
    word = refusal(lambda: facing.provider.read_logout_answer(message))
    assert word in {Code.UNSIGNED, Code.SIGNATURE}


@pytest.mark.parametrize("binding", WAYS)
def test_an_answer_for_another_place_is_refused(facing, binding):
    assert refusal(lambda: answered(facing, binding, destination=None)) == Code.DESTINATION


# --- what we send ------------------------------------------------------------------------------------------


def sent(url, kind):
    """The XML of an address of ours, and its parameters."""
    parameters = parse_qs(urlsplit(url).query)
    raw = zlib.decompress(base64.b64decode(parameters[kind][0]), -15)
    return etree.fromstring(raw), parameters


@pytest.mark.parametrize("face", [Face.CITIZEN, Face.CONSOLE])
def test_all_that_we_send_is_signed_with_sha256(face):
    facing = Facing(face=face)
    logout = asked(facing, Binding.POST)
    urls = {
        "SAMLRequest": [
            facing.provider.ask_login(relay_key="r").url,
            facing.provider.ask_logout(
                name_id=logout.name_id, session_index="a::b", relay_key="r"
            ).url,
        ],
        "SAMLResponse": [facing.provider.answer_logout(logout)],
    }
    certificate = "".join(facing.config.certificate_pem.decode().splitlines()[1:-1])
    for kind, addresses in urls.items():
        for url in addresses:
            root, parameters = sent(url, kind)
            assert parameters["SigAlg"] == [RSA_SHA256]
            check_query(urlsplit(url).query, kind, certificates=[certificate])
            assert root.get("Destination") == f"{ISSUER}/protocol/saml"
            assert root.findtext("{*}Issuer") == facing.config.entity_id


def test_a_request_to_sign_in_asks_what_it_should():
    facing = Facing()
    departure = facing.provider.ask_login(relay_key="r" * 43, provider="a b&c", is_forced=True)
    root, parameters = sent(departure.url, "SAMLRequest")

    assert root.get("ID") == departure.request_id
    assert root.get("ForceAuthn") == "true"
    assert root.get("AssertionConsumerServiceURL") == facing.config.acs
    assert root.find("{*}NameIDPolicy").get("Format").endswith(":persistent")
    assert root.find("{*}RequestedAuthnContext") is None
    assert parameters["RelayState"] == ["r" * 43]
    assert parameters["kc_idp_hint"] == ["a b&c"]


def test_nothing_is_forced_unless_asked():
    root, parameters = sent(Facing().provider.ask_login(relay_key="r").url, "SAMLRequest")
    assert root.get("ForceAuthn") in {None, "false"}
    assert "kc_idp_hint" not in parameters
