"""Our SAML key changed before the real realm: refused signatures, and none refused while two are announced."""

import base64
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode

import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from identity.saml.keys import new_key_pair
from parvis.identity_setup import certificate_body
from schemas import clock, ids
from schemas.logins import Face

RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
CITIZENS = ("citizens",)
KEY = """<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
<ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"""
DESCRIPTION = """<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entity}">
<md:SPSSODescriptor AuthnRequestsSigned="true" WantAssertionsSigned="true"
 protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">{keys}
<md:AssertionConsumerService index="0" Location="{acs}"
 Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"/></md:SPSSODescriptor></md:EntityDescriptor>"""


@pytest.fixture(scope="module")
def pairs():
    return [new_key_pair("https://parvis.example.org") for _ in range(3)]


@pytest.fixture(scope="module")
def realms(make_realms, hub):
    return make_realms(faces=CITIZENS, public_url=hub.url)


@pytest.fixture(scope="module")
def hub():
    """A hub that only serves its description; the certificates it announces can be changed."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.server.description.encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/samlmetadata+xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    running = threading.Thread(target=server.serve_forever, daemon=True)
    running.start()
    yield server
    server.shutdown()
    server.server_close()
    running.join(10)


def announce(hub, *certificates):
    keys = "".join(KEY.format(certificate_body(pem.decode())) for pem in certificates)
    hub.description = DESCRIPTION.format(
        entity=f"{hub.url}/saml/metadata", acs=f"{hub.url}/saml/acs", keys=keys
    )


def asks_to_sign_in(realms, key_pem):
    """The status of the realm's answer to a login request signed by a key."""
    entity = realms.ours.saml_address(Face.CITIZEN, "metadata")
    acs = realms.ours.saml_address(Face.CITIZEN, "acs")
    address = f"{realms.citizens}/protocol/saml"
    request = (
        '<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"'
        ' xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
        f' ID="_{ids.uuid7()}" Version="2.0" IssueInstant="{clock.rfc3339(clock.utcnow())}"'
        f' Destination="{address}" AssertionConsumerServiceURL="{acs}">'
        f"<saml:Issuer>{entity}</saml:Issuer></samlp:AuthnRequest>"
    )
    squeezer = zlib.compressobj(wbits=-15)
    squeezed = squeezer.compress(request.encode()) + squeezer.flush()
    query = urlencode({"SAMLRequest": base64.b64encode(squeezed).decode(), "SigAlg": RSA_SHA256})
    key = serialization.load_pem_private_key(key_pem, password=None)
    signature = key.sign(query.encode(), padding.PKCS1v15(), hashes.SHA256())
    signed = f"{query}&{urlencode({'Signature': base64.b64encode(signature).decode()})}"
    return requests.get(f"{address}?{signed}", timeout=30).status_code


def told(realms, certificate, **more):
    """Tell the realm our certificate, and make it read our description again if it does."""
    body = certificate_body(certificate.decode())
    report = realms.provisioning(faces=CITIZENS, certificate=body, **more).apply()
    assert report.stopped is None, report.stopped


def test_only_the_key_the_realm_was_told_is_accepted(realms, pairs):
    (key, certificate), (other, other_certificate) = pairs[:2]
    told(realms, certificate)

    assert asks_to_sign_in(realms, key) == 200
    assert asks_to_sign_in(realms, other) == 400

    told(realms, other_certificate)
    assert asks_to_sign_in(realms, other) == 200
    assert asks_to_sign_in(realms, key) == 400


def test_a_realm_that_reads_our_description_accepts_both_announced_keys(realms, pairs, hub):
    (key, certificate), (following, next_certificate), (strange, _) = pairs
    announce(hub, certificate)
    told(realms, certificate, reads_our_metadata=True)
    assert [asks_to_sign_in(realms, one) for one in (key, following)] == [200, 400]

    announce(hub, certificate, next_certificate)
    told(realms, certificate, reads_our_metadata=True)

    assert asks_to_sign_in(realms, key) == 200
    assert asks_to_sign_in(realms, following) == 200
    assert asks_to_sign_in(realms, strange) == 400
