"""The double of Keycloak behind its port, before a service provider that signs with a key of its own."""

import base64
import hashlib
import html
import http.server
import re
import threading
import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet
from lxml import etree

from mock_partners.keycloak.drafts import NS, stamp
from mock_partners.keycloak.keys import KeyRing, new_pair
from mock_partners.keycloak.logout import RSA_SHA1, Ending, form_text, logout_request, query

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
KEY, OTHER_KEY = new_pair("service"), new_pair("stranger")
DESCRIPTION = (
    '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="x">'
    '<md:KeyDescriptor><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>'
    f"<ds:X509Certificate>{KEY.certificate_text}</ds:X509Certificate>"
    "</ds:X509Data></ds:KeyInfo></md:KeyDescriptor></md:EntityDescriptor>"
).encode()


class _Described(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(DESCRIPTION)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def described():
    """Where the service provider describes itself."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Described)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/saml/metadata"
    server.shutdown()
    thread.join()
    server.server_close()


class Browser:
    """A browser between the service provider and one realm."""

    def __init__(self, client, entity_id, realm="parvis"):
        self.client, self.entity_id, self.cookie = client, entity_id, ""
        self.issuer = f"{client.server.url}/realms/{realm}"
        self.path = f"/realms/{realm}"

    def get(self, target):
        address = urlsplit(target)
        path = f"{address.path}?{address.query}" if address.query else address.path
        return self._kept(self.client.call("GET", path, headers={"Cookie": self.cookie}))

    def post(self, path, **form):
        headers = {**FORM, "Cookie": self.cookie}
        return self._kept(self.client.call("POST", path, body=urlencode(form), headers=headers))

    def authn(self, *, destination=None, forced=False):
        more = ' ForceAuthn="true"' if forced else ""
        return (
            f'<p:AuthnRequest xmlns:p="{NS["p"]}" xmlns:a="{NS["a"]}" ID="_r{uuid.uuid4()}" Version="2.0"'
            f' IssueInstant="{stamp(datetime.now(UTC))}"{more}'
            f' Destination="{destination or self.issuer + "/protocol/saml"}">'
            f"<a:Issuer>{self.entity_id}</a:Issuer></p:AuthnRequest>"
        )

    def ask(self, *, key=KEY, hint=None, **changes):
        text = query("SAMLRequest", self.authn(**changes), key, relay_state="relay")
        return self.get(
            f"{self.path}/protocol/saml?{text}" + (f"&kc_idp_hint={hint}" if hint else "")
        )

    def choose(self, page, person):
        visit = re.search(r'name="visit" value="([^"]+)"', page.body.decode())[1]
        return self.post(f"{self.path}/login", visit=visit, person=person)

    def sign_in(self, person="camille"):
        return fields(self.choose(self.ask(), person))

    def ending(self, **changes):
        values = {"destination": f"{self.issuer}/protocol/saml", "issuer": self.entity_id}
        return Ending(**{**values, "key": KEY, **changes})

    def _kept(self, reply):
        crumb = reply.headers.get("set-cookie")
        if crumb is not None:
            self.cookie = crumb.partition(";")[0]
        return reply


def fields(page):
    """The fields of the form that leaves by itself."""
    text = page.body.decode()
    found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', text)
    return {name: html.unescape(value) for name, value in found}


def read(form):
    return etree.fromstring(base64.b64decode(form["SAMLResponse"]))


def said(root):
    return {
        each.get("Name"): each[0].text for each in root.iterfind(".//a:Attribute", NS) if len(each)
    }


@pytest.fixture
def start_visitor(start_kind, settings_of, described):
    realms = settings_of("keycloak")["realms"]
    for realm in realms.values():
        realm["entity_id"] = described
    client = start_kind("keycloak", realms=realms)
    return lambda realm="parvis": Browser(client, described, realm)


@pytest.fixture
def visitor(start_visitor):
    return start_visitor()


def test_somebody_signs_in_and_comes_back_by_a_form_with_a_button(visitor):
    page = visitor.choose(visitor.ask(), "camille")
    assert b"<button" in page.body
    form = fields(page)
    assert form["RelayState"] == "relay"
    index = read(form).find(".//a:AuthnStatement", NS).get("SessionIndex")
    assert re.fullmatch(r"[A-Za-z0-9_-]{24}::[0-9a-f-]{36}", index)
    assert said(read(form))["fc_acr"] == "eidas1"


def test_an_agent_is_known_by_the_name_of_the_account(start_visitor):
    staff = start_visitor("parvis-staff")
    assert said(read(staff.sign_in("admin.demo")))["username"] == "admin.demo"


def test_the_hint_shows_those_franceconnect_knows(visitor):
    page = visitor.ask(hint="france-connect").body.decode()
    assert 'value="camille"' in page
    assert 'value="amina"' not in page


def test_who_signed_in_is_not_asked_again_unless_it_is_forced(visitor):
    first = read(visitor.sign_in())
    again = read(fields(visitor.ask()))
    name = ".//a:NameID"
    assert again.find(name, NS).text == first.find(name, NS).text
    assert b'name="person"' in visitor.ask(forced=True).body


@pytest.mark.parametrize(
    "wrong", [{"key": None}, {"key": OTHER_KEY}, {"destination": "https://elsewhere.test/"}]
)
def test_a_request_that_is_not_well_signed_for_here_is_refused(visitor, wrong):
    assert visitor.ask(**wrong).status == 400


def test_a_request_signed_by_sha1_is_refused(visitor):
    text = query("SAMLRequest", visitor.authn(), KEY, algorithm=RSA_SHA1)
    assert visitor.get(f"{visitor.path}/protocol/saml?{text}").status == 400


def test_a_request_in_a_form_is_believed_by_its_inner_signature_only(visitor):
    place = f"{visitor.path}/protocol/saml"
    good = visitor.post(place, SAMLRequest=form_text(visitor.authn(), KEY))
    assert b'name="person"' in good.body
    for key in (None, OTHER_KEY):
        assert visitor.post(place, SAMLRequest=form_text(visitor.authn(), key)).status == 400


@pytest.mark.parametrize("by_post", [False, True])
def test_a_service_ends_the_session_it_names(visitor, by_post):
    root = read(visitor.sign_in())
    about = visitor.ending(
        name_id=root.find(".//a:NameID", NS).text,
        session_index=root.find(".//a:AuthnStatement", NS).get("SessionIndex"),
    )
    place, xml = f"{visitor.path}/protocol/saml", logout_request(about)
    if by_post:
        reply = visitor.post(place, SAMLRequest=form_text(xml, KEY))
    else:
        reply = visitor.get(f"{place}?{query('SAMLRequest', xml, KEY)}")
    assert reply.headers["location"].startswith("https://hub.test/saml/sls?SAMLResponse=")
    assert "Signature=" in reply.headers["location"]
    assert b'name="person"' in visitor.ask().body


def test_an_unsigned_answer_to_a_logout_is_refused(visitor):
    xml = logout_request(visitor.ending())
    text = query("SAMLResponse", xml.replace("LogoutRequest", "LogoutResponse"), None)
    assert visitor.get(f"{visitor.path}/protocol/saml?{text}").status == 400


def test_the_next_answer_is_wrong_in_the_way_that_was_named_and_no_other(visitor):
    order = {"realm": "parvis", "change": "no_audience"}
    assert visitor.client.call("POST", "/_mock/change", order).status == 200
    audience = ".//a:Audience"
    assert read(visitor.sign_in()).find(audience, NS) is None
    assert read(fields(visitor.ask())).find(audience, NS) is not None


@pytest.mark.parametrize("order", [{"realm": "nowhere"}, {"realm": "parvis", "change": "x"}, []])
def test_an_order_that_means_nothing_is_refused(visitor, order):
    assert visitor.client.call("POST", "/_mock/change", order).status == 400


def keys(visitor):
    return visitor.get(f"{visitor.path}/protocol/openid-connect/certs").json


def token(visitor, **form):
    return visitor.post(f"{visitor.path}/protocol/openid-connect/token", **form)


def claims(visitor, text):
    return jwt.decode(text, KeySet.import_key_set(keys(visitor)), algorithms=["RS256"]).claims


OWN = {
    "grant_type": "client_credentials",
    "client_id": "portal",
    "client_secret": "an-invented-secret",
}


def test_an_application_gets_a_token_of_its_own(visitor):
    told = claims(visitor, token(visitor, **OWN).json["access_token"])
    assert (told["iss"], told["aud"], told["azp"]) == (visitor.issuer, "parvis-hub", "portal")
    assert told["resource_access"] == {"parvis-hub": {"roles": ["catalogue:read"]}}
    assert told["exp"] - told["iat"] <= 900
    assert token(visitor, **{**OWN, "client_secret": "wrong"}).status == 401


def test_keys_change_and_the_old_ones_are_announced_until_they_are_forgotten(visitor):
    old = token(visitor, **OWN).json["access_token"]
    visitor.client.call("POST", "/_mock/rotate", {"realm": "parvis"})
    assert claims(visitor, old)["azp"] == "portal"
    assert claims(visitor, token(visitor, **OWN).json["access_token"])["azp"] == "portal"
    visitor.client.call("POST", "/_mock/forget", {"realm": "parvis"})
    with pytest.raises(InvalidKeyIdError):  # the key is gone, nobody can verify
        claims(visitor, old)
    uses = [(key["kty"], key["use"]) for key in keys(visitor)["keys"]]
    assert sorted(uses) == [("EC", "sig"), ("RSA", "enc"), ("RSA", "sig")]


def test_a_realm_keeps_its_keys_over_a_restart_and_so_its_changes_of_key(tmp_path):
    file = tmp_path / "keys" / "parvis.pem"
    first = KeyRing.of(file)
    first.rotate()

    again = KeyRing.of(file)

    assert file.stat().st_mode & 0o777 == 0o600
    assert [pair.kid for pair in again.pairs] == [pair.kid for pair in first.pairs]
    assert [pair.pem for pair in again.pairs] == [pair.pem for pair in first.pairs]
    again.forget_old()
    assert len(KeyRing.of(file).pairs) == 1


def asked(**changes):
    proof = "v" * 43
    digest = hashlib.sha256(proof.encode()).digest()
    values = {
        "client_id": "portal-login",
        "redirect_uri": "https://portal.test/back",
        "response_type": "code",
        "state": "s",
        "code_challenge_method": "S256",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
    }
    return urlencode({**values, **changes})


REDEEM = {
    "grant_type": "authorization_code",
    "client_id": "portal-login",
    "redirect_uri": "https://portal.test/back",
    "code_verifier": "v" * 43,
}


def code(visitor):
    page = visitor.get(f"{visitor.path}/protocol/openid-connect/auth?{asked()}")
    reply = page if page.status == 302 else visitor.choose(page, "camille")
    return parse_qs(urlsplit(reply.headers["location"]).query)["code"][0]


def test_a_citizens_token_is_of_the_person_who_signs_in_by_saml(visitor):
    known = said(read(visitor.sign_in()))["kc_user"]
    told = claims(visitor, token(visitor, **REDEEM, code=code(visitor)).json["access_token"])
    assert (told["sub"], told["azp"], told["fc_acr"]) == (known, "portal-login", "eidas1")


def test_a_code_serves_once_in_time_and_to_who_asked_for_it(visitor):
    first = code(visitor)
    assert token(visitor, **REDEEM, code=first).status == 200
    assert token(visitor, **REDEEM, code=first).status == 400
    assert token(visitor, **{**REDEEM, "code_verifier": "w" * 43}, code=code(visitor)).status == 400
    late = code(visitor)
    now = (datetime.now(UTC) + timedelta(minutes=2)).isoformat()
    visitor.client.call("PUT", "/_mock/clock", {"now": now})
    assert token(visitor, **REDEEM, code=late).status == 400


def test_an_address_nobody_registered_gets_no_code(visitor):
    there = asked(redirect_uri="https://elsewhere.test/back")
    assert visitor.get(f"{visitor.path}/protocol/openid-connect/auth?{there}").status == 400


def test_a_claim_altered_on_purpose_is_still_well_signed(visitor):
    visitor.client.arm("drift", operation="token", kind="drop", pointer="/access_token/aud")
    assert "aud" not in claims(visitor, token(visitor, **OWN).json["access_token"])
