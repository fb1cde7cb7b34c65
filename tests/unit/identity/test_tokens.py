"""Every check of a bearer token, each beside the good token it differs from by one thing."""

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc.jwk import RSAKey

from identity.tokens import LONGEST, Reason, read_bearer
from schemas.errors import TokenRefusedError
from tests.fakes.tokens import (
    AUDIENCE,
    HUB,
    ISSUER,
    LEFT_OUT,
    SUBJECT,
    application_claims,
    as_json,
    base64url,
    claims,
    header,
    moment,
    private_key,
    public_jwk,
    signed,
)

NOW = moment(1_795_341_600)
KEYS = {name: RSAKey.import_key(public_jwk(name)) for name in ("k1", "k2")}


def read(token, **more):
    return read_header(f"Bearer {token}", **more)


def read_header(value, now=NOW):
    return read_bearer(value, audience=AUDIENCE, key_of=KEYS.get, now=now)


def refusal(value, **more):
    with pytest.raises(TokenRefusedError) as refused:
        read_header(value, **more)
    return refused.value


def reason(token, **more):
    return refusal(f"Bearer {token}", **more).reason


def good(**changes):
    return claims(NOW, **changes)


# --- what a good token says -----------------------------------------------------------------------


def test_a_citizens_token_says_who_for_whom_and_since_when():
    told = read(signed(good(idp_alias="france-connect", fc_acr="eidas1")))
    assert (told.issuer, told.subject, told.client_id) == (ISSUER, SUBJECT, "portal-login")
    assert (told.service_client, told.roles) == (None, frozenset())
    assert told.authenticated_at == moment(NOW.timestamp() - 10)
    assert (told.idp_alias, told.acr) == ("france-connect", "eidas1")


def test_an_applications_token_says_its_roles_at_our_client_only():
    access = {HUB: {"roles": ["catalogue:read"]}, "another": {"roles": ["admin"]}}
    told = read(signed(application_claims(NOW, resource_access=access)))
    assert (told.client_id, told.service_client) == ("portal", "portal")
    assert told.roles == {"catalogue:read"}


@pytest.mark.parametrize(
    "access",
    [
        None,
        [],
        "catalogue:read",
        {HUB: ["catalogue:read"]},
        {HUB: {"roles": "catalogue:read"}},
        {HUB: {"roles": {"catalogue:read": 1}}},
        {HUB: {"roles": 7}},
        {HUB: {"roles": [["catalogue:read"], {}, 1, None]}},
        {HUB.upper(): {"roles": ["catalogue:read"]}},
    ],
    ids=repr,
)
def test_roles_of_another_shape_grant_nothing(access):
    assert read(signed(application_claims(NOW, resource_access=access))).roles == frozenset()


@pytest.mark.parametrize(
    "value", [None, 7, "", "a b", "x" * 256, "é", ["portal"], {"a": 1}, True], ids=repr
)
def test_names_of_another_shape_name_nobody(value):
    told = read(signed(good(azp=value, sub=value)))
    assert (told.client_id, told.subject) == (None, None)


def test_a_client_id_of_another_shape_is_nobodys():
    assert read(signed(good(client_id=["portal-login"]))).service_client == ""


@pytest.mark.parametrize("value", [None, "1795341590", 1.5, True, 0, -1, 2**62, [1]], ids=repr)
def test_a_time_of_sign_in_of_another_shape_is_none(value):
    assert read(signed(good(auth_time=value))).authenticated_at is None


def test_what_a_token_says_is_not_shown_with_its_subject():
    assert SUBJECT not in repr(read(signed(good())))


# --- one bearer token, canonical ------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"], ids=repr)
def test_the_scheme_is_read_in_any_case(scheme):
    assert read_header(f"{scheme} {signed(good())}")


@pytest.mark.parametrize(
    "value", [None, "", "Basic YTpi", "Token x", "Bearer", "DPoP {}"], ids=repr
)
def test_no_bearer_token_is_an_invalid_request(value):
    refused = refusal(value and value.format(signed(good())))
    assert refused.reason in {Reason.MISSING, Reason.FORM}
    assert (refused.status, refused.slug) == (401, "not-authenticated")


def test_another_scheme_says_invalid_request_and_a_bad_token_invalid_token():
    assert refusal("Basic YTpi").error == "invalid_request"
    assert refusal("Bearer x.y.z").error == "invalid_token"


def test_two_tokens_are_one_too_many():
    token = signed(good())
    assert reason(f"{token},Bearer {token}") == Reason.FORM
    assert reason(f"{token}, Bearer {token}") == Reason.FORM
    assert reason(f" {token}") == Reason.FORM


def test_a_token_is_at_most_eight_kilobytes():
    lengths = {len(signed(good(pad="x" * size))): size for size in range(5520, 5620)}
    longest = max(length for length in lengths if length <= LONGEST)
    shortest = min(length for length in lengths if length > LONGEST)
    assert shortest - longest <= 2
    assert read(signed(good(pad="x" * lengths[longest])))
    assert reason(signed(good(pad="x" * lengths[shortest]))) == Reason.TOO_LONG
    assert reason("." * 200_000) == Reason.TOO_LONG


@pytest.mark.parametrize(
    "shape",
    [
        "{h}.{c}",
        "{h}.{c}.",
        ".{c}.{s}",
        "{h}..{s}",
        "{h}.{c}.{s}.",
        "{h}.{c}.{s}.{s}",
        "{h}.{c}.{s}.x.y",
        "{h}.{c}.{s}=",
        "{h}.{c}.{s}==",
        "{h}=.{c}.{s}",
        "{h}.{c}.{s}\n",
        "{h}.{c}.+{s}",
        "{h}.{c}./{s}",
        "{h}.{c}.é{s}",
        "{h}.{c}. {s}",
    ],
    ids=repr,
)
def test_three_parts_of_the_alphabet_and_no_padding(shape):
    h, c, s = signed(good()).split(".")
    assert reason(shape.format(h=h, c=c, s=s)) == Reason.FORM


def test_a_part_is_spelled_in_the_one_canonical_way():
    head, body, signature = signed(good()).split(".")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(signature[-1])
    other = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last + 1]
    bent = signature[:-1] + other
    assert base64.urlsafe_b64decode(bent + "==") == base64.urlsafe_b64decode(signature + "==")
    assert reason(f"{head}.{body}.{bent}") == Reason.BASE64
    assert reason(f"{head}.{body}.{signature}AAA") == Reason.BASE64


# --- JSON that two readers understand alike -------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"null",
        b"[]",
        b'"x"',
        b"7",
        b"{",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b"\xff{}",
        b"{'a':1}",
    ],
    ids=repr,
)
def test_header_and_claims_are_json_objects(body):
    assert reason(signed(good(), body)) == Reason.JSON
    assert reason(signed(body)) == Reason.JSON


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "9" * 5000], ids=repr)
def test_numbers_that_are_no_json_or_without_end_are_refused(literal):
    body = as_json(good(exp="?")).replace(b'"?"', literal.encode())
    assert reason(signed(body)) == Reason.JSON


def test_claims_nested_without_end_are_refused():
    assert reason(signed(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}")) in {
        Reason.JSON,
        Reason.TOO_LONG,
    }
    assert reason(signed(b'{"a":' + b"[" * 2900 + b"]" * 2900 + b"}")) == Reason.JSON


def test_a_member_that_comes_twice_is_refused_wherever_it_is():
    body = as_json(good())
    for doubled in (
        body.replace(b'{"iss"', b'{"iss":"https://other.example.org","iss"', 1),
        body[:-1] + b', "exp": 99999999999}',
        body[:-1] + b', "\\u0065xp": 99999999999}',
        body[:-1] + b', "resource_access": {"a": {}, "a": {}}}',
    ):
        assert reason(signed(doubled)) == Reason.DUPLICATE_MEMBER
    twice = b'{"alg":"none","alg":"RS256","kid":"k1"}'
    assert reason(signed(good(), twice)) == Reason.DUPLICATE_MEMBER


# --- header ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "alg",
    [
        *("none", "None", "nOnE", "", "rs256", "RS256 ", "RS384", "RS512", "PS256", "ES256"),
        *("HS256", "EdDSA", None, LEFT_OUT, ["RS256"], {"alg": "RS256"}, 256, True),
    ],
    ids=repr,
)
def test_only_rs256_is_read(alg):
    assert reason(signed(good(), header(alg=alg))) == Reason.ALGORITHM


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused():
    secret = (
        private_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    for alg in ("HS256", "RS256"):
        head = base64url(as_json(header(alg=alg)))
        parts = f"{head}.{base64url(as_json(good()))}"
        mac = hmac.new(secret, parts.encode(), hashlib.sha256).digest()
        assert reason(f"{parts}.{base64url(mac)}") in {Reason.ALGORITHM, Reason.SIGNATURE}


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", LEFT_OUT], ids=repr)
def test_the_types_of_a_token_are_read(typ):
    assert read(signed(good(), header(typ=typ)))


@pytest.mark.parametrize(
    "typ", ["", None, "jwt", "JOSE", "dpop+jwt", "logout+jwt", ["JWT"], 1, {}], ids=repr
)
def test_another_type_in_the_header_is_refused(typ):
    assert reason(signed(good(), header(typ=typ))) == Reason.HEADER_TYPE


@pytest.mark.parametrize(
    "kid", [LEFT_OUT, None, "", 1, ["k1"], {"k": 1}, "k 1", "k\n1", "é", "x" * 256], ids=repr
)
def test_the_header_names_its_key(kid):
    assert reason(signed(good(), header(kid=kid))) == Reason.KEY_ID


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c", "crit", "b64"], ids=repr)
def test_a_header_that_brings_keys_or_demands_is_refused(member):
    value = {
        "jwk": public_jwk("k1"),
        "jku": "https://evil.example.org/keys",
        "x5u": "https://evil.example.org/cert",
        "x5c": ["AAAA"],
        "crit": ["exp"],
        "b64": True,
    }[member]
    assert reason(signed(good(), header(**{member: value}))) == Reason.FOREIGN_KEY


def test_a_header_may_say_what_means_nothing_to_us():
    assert read(signed(good(), header(x5t="AAAA", note="x")))


# --- signature ------------------------------------------------------------------------------------


def test_a_key_that_is_not_in_the_set_is_unknown():
    assert reason(signed(good(), header(kid="k9"), key=private_key("k9"))) == Reason.UNKNOWN_KEY


def test_the_key_named_must_be_the_one_that_signed():
    assert read(signed(good(), header(kid="k2"), key=private_key("k2")))
    assert reason(signed(good(), header(kid="k1"), key=private_key("k2"))) == Reason.SIGNATURE


def test_claims_changed_after_the_signature_are_refused():
    head, _, signature = signed(good()).split(".")
    other = base64url(as_json(good(sub="somebody-else")))
    assert reason(f"{head}.{other}.{signature}") == Reason.SIGNATURE
    assert reason(f"{base64url(as_json(header(x='y')))}.{other}.{signature}") == Reason.SIGNATURE


@pytest.mark.parametrize(
    "raw", [b"\x00" * 256, b"\x00", b"\xff" * 256, b"\x01" * 64, b"x" * 1000], ids=repr
)
def test_an_invented_signature_is_refused(raw):
    head, body, _ = signed(good()).split(".")
    assert reason(f"{head}.{body}.{base64url(raw)}") == Reason.SIGNATURE


# --- who made it, for whom ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "iss",
    [
        LEFT_OUT,
        None,
        "",
        ISSUER + "/",
        ISSUER.upper(),
        ISSUER.replace("https", "http"),
        ISSUER + "-staff",
        [ISSUER],
        {"iss": ISSUER},
        1,
    ],
    ids=repr,
)
def test_the_issuer_is_the_citizens_realm_to_the_letter(iss):
    assert reason(signed(good(iss=iss))) == Reason.ISSUER


@pytest.mark.parametrize("aud", [HUB, [HUB], ["account", HUB]], ids=repr)
def test_the_audience_may_be_a_text_or_a_list_that_holds_us(aud):
    assert read(signed(good(aud=aud)))


@pytest.mark.parametrize(
    "aud",
    [LEFT_OUT, None, "", "account", [], ["account"], [[HUB]], {HUB: 1}, HUB + "x", f"{HUB} a", 1],
    ids=repr,
)
def test_a_token_for_others_is_refused(aud):
    assert reason(signed(good(aud=aud))) == Reason.AUDIENCE


# --- time -----------------------------------------------------------------------------------------


def at(seconds):
    return moment(NOW.timestamp() + seconds)


def test_a_token_ends_at_its_second_and_not_a_minute_later():
    made = int(NOW.timestamp())
    token = signed(good(iat=made - 300, exp=made))
    assert reason(token, now=at(0)) == Reason.EXPIRED
    assert read(token, now=at(-1))
    for late in (1, 59, 61, 600):
        assert reason(token, now=at(late)) == Reason.EXPIRED


@pytest.mark.parametrize(
    ("ahead", "is_read"), [(-61, True), (0, True), (59, True), (60, True)], ids=repr
)
def test_a_clock_a_minute_ahead_is_borne(ahead, is_read):
    made = int(NOW.timestamp())
    times = {"iat": made + ahead, "nbf": made + ahead, "exp": made + ahead + 300}
    assert bool(read(signed(good(**times)))) is is_read


@pytest.mark.parametrize("name", ["iat", "nbf"], ids=repr)
@pytest.mark.parametrize("ahead", [61, 600, 10**9], ids=repr)
def test_a_token_of_the_future_is_refused(name, ahead):
    made = int(NOW.timestamp())
    times = {"iat": made, "exp": made + 300} | {name: made + ahead}
    times["exp"] = max(times["exp"], times["iat"] + 300)
    assert reason(signed(good(**times))) == Reason.NOT_YET


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"], ids=repr)
@pytest.mark.parametrize("value", [None, "1795341890", 1795341890.0, True, [], {}], ids=repr)
def test_times_are_whole_numbers(name, value):
    assert reason(signed(good(**{name: value}))) == Reason.NO_TIME


@pytest.mark.parametrize("name", ["exp", "iat"], ids=repr)
def test_times_are_required(name):
    assert reason(signed(good(**{name: LEFT_OUT}))) == Reason.NO_TIME


def test_a_token_lives_fifteen_minutes_at_most():
    made = int(NOW.timestamp())
    assert read(signed(good(iat=made, exp=made + 900)))
    assert reason(signed(good(iat=made, exp=made + 901))) == Reason.LIFETIME
    assert reason(signed(good(iat=made - 10**6, exp=made + 10))) == Reason.LIFETIME
    assert reason(signed(good(iat=-(10**400), exp=10**400))) == Reason.LIFETIME


# --- kind -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typ", ["ID", "Refresh", "Offline", "Logout", "bearer", "", None, LEFT_OUT], ids=repr
)
def test_only_an_access_token_opens_the_api(typ):
    assert reason(signed(good(typ=typ))) == Reason.TOKEN_TYPE


def test_a_refusal_says_nothing_of_the_token():
    token = signed(good(exp=1))
    text = str(refusal(f"Bearer {token}"))
    assert SUBJECT not in text
    assert not any(part in text for part in token.split("."))
    assert json.dumps(list(Reason))
