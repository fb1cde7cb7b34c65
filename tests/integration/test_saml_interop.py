"""Others read what we sign and we read what they sign: Debian's xmlsec1, and a second SAML library."""

import base64
import os
import re
import shutil
import subprocess
from urllib.parse import parse_qs, urlsplit

import pytest
from lxml import etree
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from identity.saml.codes import Code
from mock_partners.keycloak.answers import answer
from mock_partners.keycloak.descriptor import descriptor
from mock_partners.keycloak.logout import Ending, logout_request
from schemas.errors import SamlRefusedError
from schemas.logins import Binding, SamlMessage
from tests.plugins.requirements import require
from tests.unit.identity.saml.realm import ATTRIBUTES, ISSUER, Facing

ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
METADATA = "urn:oasis:names:tc:SAML:2.0:metadata"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


@pytest.fixture
def facing():
    return Facing()


@pytest.fixture
def xmlsec1():
    found = shutil.which(os.environ.get("PARVIS_TEST_XMLSEC1", "xmlsec1"))
    if found is None:
        require("xmlsec1", "les signatures lues par un autre programme", "apt-get install xmlsec1")
    return found


def certificate_pem(pair):
    text = "\n".join(re.findall(".{1,64}", pair.certificate_text))
    return f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n".encode()


def run(program, *options):
    return subprocess.run(
        [program, *map(str, options)], capture_output=True, timeout=30, check=False
    )


def verified(program, xml, certificate, *, folder, name, below=""):
    """Whether the program finds the signature good."""
    document, key = folder / "document.xml", folder / "certificate.pem"
    document.write_bytes(xml)
    key.write_bytes(certificate)
    at = ("--node-xpath", below) if below else ()
    options = ("--pubkey-cert-pem", key, "--id-attr:ID", name, *at, document)
    return run(program, "--verify", *options).returncode == 0


# --- Debian's xmlsec1 --------------------------------------------------------------------------------------


def test_the_program_reads_our_description(facing, xmlsec1, tmp_path):
    xml = facing.provider.metadata()
    name = f"{METADATA}:EntityDescriptor"
    ours = facing.config.certificate_pem

    assert verified(xmlsec1, xml, ours, folder=tmp_path, name=name)
    spoilt = xml.replace(b"/saml/acs", b"/saml/axs")
    assert spoilt != xml
    assert not verified(xmlsec1, spoilt, ours, folder=tmp_path, name=name)


def test_the_program_and_we_agree_about_an_answer(facing, xmlsec1, tmp_path):
    certificate = certificate_pem(facing.ring.active)
    for change, is_good in ((None, True), ("tampered", False)):
        text = answer(facing.about(), change)
        xml = base64.b64decode(text)
        name, below = (
            f"{ASSERTION}:Assertion",
            "//*[local-name()='Assertion']/*[local-name()='Signature']",
        )
        assert (
            verified(xmlsec1, xml, certificate, folder=tmp_path, name=name, below=below) is is_good
        )
        if is_good:
            assert facing.read(text)
        else:
            with pytest.raises(SamlRefusedError):
                facing.read(text)


def test_we_read_what_the_program_signed(facing, xmlsec1, tmp_path):
    about = Ending(issuer=ISSUER, destination=facing.config.sls, key=facing.ring.active)
    xml = _with_template(logout_request(about))
    document, key, done = (tmp_path / name for name in ("draft.xml", "key.pem", "signed.xml"))
    document.write_bytes(xml)
    key.write_bytes(facing.ring.active.pem)
    name = f"{PROTOCOL}:LogoutRequest"
    options = ("--privkey-pem", key, "--id-attr:ID", name, "--output", done, document)
    ran = run(xmlsec1, "--sign", *options)
    assert ran.returncode == 0, ran.stderr

    found = _posted(facing, done.read_bytes())
    assert found.request_id == about.message_id
    with pytest.raises(SamlRefusedError) as caught:
        _posted(facing, done.read_bytes().replace(b">G-1<", b">G-2<"))
    assert caught.value.code == Code.SIGNATURE


def _posted(facing, xml):
    text = base64.b64encode(xml).decode()
    return facing.provider.read_logout(SamlMessage(binding=Binding.POST, text=text))


def _with_template(text):
    """The message with an empty signature behind its issuer."""
    root = etree.fromstring(text)
    draft = f"""<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>
<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>
<ds:SignatureMethod Algorithm="{RSA_SHA256}"/><ds:Reference URI="#{root.get("ID")}"><ds:Transforms>
<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>
<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms>
<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/></ds:Reference>
</ds:SignedInfo><ds:SignatureValue/></ds:Signature>"""
    root.insert(1, etree.fromstring(draft))
    return etree.tostring(root)


# --- a second implementation -------------------------------------------------------------------------------


def other_settings(facing):
    """What the other library is told, to stand where we stand."""
    told = OneLogin_Saml2_IdPMetadataParser.parse(descriptor(ISSUER, facing.ring.pairs))
    told["strict"] = True
    told["sp"] = {
        "entityId": facing.config.entity_id,
        "assertionConsumerService": {"url": facing.config.acs},
        "singleLogoutService": {"url": facing.config.sls},
        "x509cert": facing.config.certificate_pem.decode(),
        "privateKey": facing.config.key_pem.decode(),
    }
    told["security"] = {
        "wantMessagesSigned": True,
        "wantAssertionsSigned": True,
        "authnRequestsSigned": True,
        "logoutRequestSigned": True,
        "signatureAlgorithm": RSA_SHA256,
        "rejectDeprecatedAlgorithm": True,
    }
    return told


def other(facing, *, post=(), path="/saml/acs"):
    request = {
        "https": "on",
        "http_host": "hub.test",
        "script_name": path,
        "get_data": {},
        "post_data": dict(post),
    }
    return OneLogin_Saml2_Auth(request, old_settings=other_settings(facing))


def test_the_other_library_finds_our_description_in_order(facing):
    settings = OneLogin_Saml2_Settings(other_settings(facing), sp_validation_only=True)
    assert settings.validate_metadata(facing.provider.metadata()) == []


@pytest.mark.parametrize("change", [None, "tampered", "other_audience", "other_recipient"])
def test_the_other_library_and_we_agree_about_an_answer(facing, change):
    text = answer(facing.about(), change)
    reader = other(facing, post=[("SAMLResponse", text)])
    reader.process_response(request_id="_a_request")
    if change is None:
        assert reader.get_errors() == [], reader.get_last_error_reason()
        ours = facing.read(text)
        assert reader.get_nameid() in ours.name_id
        assert reader.get_session_index() == ours.session_index
        assert {name: value[0] for name, value in reader.get_attributes().items()} == ATTRIBUTES
    else:
        assert reader.get_errors()
        with pytest.raises(SamlRefusedError):
            facing.read(text)


def test_the_other_library_finds_our_signatures_good(facing):
    certificate = facing.config.certificate_pem.decode()
    logout = facing.provider.ask_logout(
        name_id=facing.answered().name_id, session_index="a::b", relay_key="r"
    )
    for departure in (facing.provider.ask_login(relay_key="r"), logout):
        query = urlsplit(departure.url).query
        values = {name: value[0] for name, value in parse_qs(query).items()}
        signed = query.partition("&Signature=")[0].encode()
        signature = base64.b64decode(values["Signature"])
        assert values["SigAlg"] == RSA_SHA256
        judge = OneLogin_Saml2_Utils.validate_binary_sign
        assert judge(signed, signature, certificate, RSA_SHA256)
        assert not judge(signed + b"x", signature, certificate, RSA_SHA256)


def test_we_read_what_the_other_library_signed(facing):
    """As a realm it would sign a redirect: its own signing of a query, our reading of it."""
    about = Ending(issuer=ISSUER, destination=facing.config.sls, key=facing.ring.active)
    text = OneLogin_Saml2_Utils.deflate_and_base64_encode(logout_request(about))
    realm = other(facing)
    realm.get_settings().get_sp_data()["privateKey"] = facing.ring.active.pem.decode()
    parameters = {"SAMLRequest": text, "RelayState": "r"}
    realm.add_request_signature(parameters, RSA_SHA256)
    escaped = OneLogin_Saml2_Utils.escape_url
    names = ("SAMLRequest", "RelayState", "SigAlg", "Signature")
    query = "&".join(f"{name}={escaped(parameters[name])}" for name in names)

    message = SamlMessage(binding=Binding.REDIRECT, text=text, relay_state="r", query=query)
    assert facing.provider.read_logout(message).request_id == about.message_id
