import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ClockSkewError, SignatureVerificationError
from schemas.signatures import VerifyKey, parse_secret, query_body, sign, verify

PUBLIC_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WHSEC = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
WHSK = "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
WHPK = "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
ID = "0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c10"
SENT = 1795341600
NOW = datetime.fromtimestamp(SENT, UTC)
BODY = (
    b'{"specversion":"1.0","id":"0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c10","source":"/partners/demo",'
    b'"type":"fr.parvis.poster.scanned","data":{"placement":"AB12CD34"}}'
)
GET = query_body("/v1/event-types")

VECTORS = [
    (
        "the specification's own",
        PUBLIC_SECRET,
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
    (
        "Ed25519",
        WHSK,
        ID,
        SENT,
        BODY,
        "v1a,8plMRo4b2p7eDyed5HtwP5PRZmjMv6D2630bIlXdBdO5cMNS976peFgTlqfMuA7tRz0BtKM9RSuEAHcr3QEuDQ==",
    ),
    ("HMAC", WHSEC, ID, SENT, BODY, "v1,G46zayNzxmA0ZAsrQyoIprEEIToUPj+V7RyS7cWVPL0="),
    (
        "Ed25519 without body",
        WHSK,
        ID,
        SENT,
        GET,
        "v1a,7yFcDj+02HL78ZQQUmvzhQc1QCsYog1rFw90gNRJqpSz9nZXfW5s7pCMzjblkCBHxcV7xtHXRjmDjbJh64vmCA==",
    ),
    ("HMAC without body", WHSEC, ID, SENT, GET, "v1,u+4qpUn4Kg8cVZ9ZsibNVtTjPac4388IeCFEaekRVwY="),
]
V1, V1A = VECTORS[2][-1], VECTORS[1][-1]


def headers(signature=V1, *, webhook_id=ID, timestamp=str(SENT)):
    return [
        ("Host", "hub.example.org"),
        ("Webhook-Id", webhook_id),
        ("Webhook-Timestamp", timestamp),
        ("Webhook-Signature", signature),
    ]


def reason(sent=None, *, body=BODY, keys=(WHSEC,), now=NOW):
    with pytest.raises(SignatureVerificationError) as caught:
        verify(body, headers() if sent is None else sent, map(parse_secret, keys), now)
    return caught.value.reason


@pytest.mark.parametrize(
    ("secret", "webhook_id", "timestamp", "body", "signature"),
    [row[1:] for row in VECTORS],
    ids=[row[0] for row in VECTORS],
)
def test_the_vectors_sign_and_verify(secret, webhook_id, timestamp, body, signature):
    key = parse_secret(secret)
    assert sign(webhook_id, timestamp, body, key) == signature
    sent = headers(signature, webhook_id=webhook_id, timestamp=str(timestamp))
    delivery = verify(body, sent, [key], datetime.fromtimestamp(timestamp, UTC))
    assert (delivery.webhook_id, delivery.timestamp) == (webhook_id, timestamp)
    assert delivery.key == key


def test_the_public_half_alone_verifies():
    assert verify(BODY, headers(V1A), [parse_secret(WHPK)], NOW).key == parse_secret(WHPK)


def test_during_a_rotation_either_of_two_keys_and_either_of_two_signatures_will_do():
    old, new = parse_secret(PUBLIC_SECRET), parse_secret(WHSEC)
    both = f"{sign(ID, SENT, BODY, old)} {sign(ID, SENT, BODY, new)}"
    assert verify(BODY, headers(V1), [old, new], NOW).key == new
    assert verify(BODY, headers(both), [new], NOW).key == new
    assert verify(BODY, headers(f"{V1A} {V1}"), [new], NOW).key == new


def test_a_signature_of_an_unknown_kind_is_skipped():
    assert verify(BODY, headers(f"v9,@@ v2,zz {V1}"), [parse_secret(WHSEC)], NOW)


def test_headers_may_come_as_a_mapping_with_or_without_lists():
    single = {name.lower(): value for name, value in headers()}
    many = {name: [value] for name, value in headers()}
    assert verify(BODY, single, [parse_secret(WHSEC)], NOW)
    assert verify(BODY, many, [parse_secret(WHSEC)], NOW)


@pytest.mark.parametrize("shift", [-300, 0, 300])
def test_five_minutes_either_way_are_allowed(shift):
    now = NOW + timedelta(seconds=shift)
    assert verify(BODY, headers(), [parse_secret(WHSEC)], now)


SHORT = base64.b64encode(bytes(31)).decode()
LONG = base64.b64encode(bytes(65)).decode()
REFUSED = [
    ("no header", [], "missing_header"),
    ("no id", headers()[:1] + headers()[2:], "missing_header"),
    ("no timestamp", headers()[:2] + headers()[3:], "missing_header"),
    ("no signature", headers()[:3], "missing_header"),
    ("id twice", [*headers(), ("webhook-id", ID)], "bad_format"),
    ("signature twice", [*headers(), ("WEBHOOK-SIGNATURE", V1)], "bad_format"),
    ("list of two", {n: [v, v] for n, v in headers()}, "bad_format"),
    ("joined by the server", headers(webhook_id=f"{ID},{ID}"), "bad_format"),
    ("value of bytes", {n: v.encode() for n, v in headers()}, "bad_format"),
    ("empty id", headers(webhook_id=""), "bad_format"),
    ("id with a full stop", headers(webhook_id="a.b"), "bad_format"),
    ("id too long", headers(webhook_id="a" * 65), "bad_format"),
    ("id with accents", headers(webhook_id="é"), "bad_format"),
    ("timestamp negative", headers(timestamp="-1"), "bad_format"),
    ("timestamp with a sign", headers(timestamp=f"+{SENT}"), "bad_format"),
    ("timestamp with a fraction", headers(timestamp=f"{SENT}.0"), "bad_format"),
    ("timestamp with blanks", headers(timestamp=f" {SENT}"), "bad_format"),
    ("timestamp with a line feed", headers(timestamp=f"{SENT}\n"), "bad_format"),
    ("timestamp of 13 digits", headers(timestamp="1" * 13), "bad_format"),
    ("timestamp in Arabic digits", headers(timestamp="١٧٩٥٣٤١٦٠٠"), "bad_format"),
    ("timestamp empty", headers(timestamp=""), "bad_format"),
    ("expired", headers(timestamp=str(SENT - 301)), "expired"),
    ("future", headers(timestamp=str(SENT + 301)), "future"),
    ("signature empty", headers(""), "bad_format"),
    ("signature without comma", headers("v1"), "bad_format"),
    ("signature without tag", headers(V1[2:]), "bad_format"),
    ("two blanks", headers(f"{V1}  {V1}"), "bad_format"),
    ("nine signatures", headers(" ".join([V1] * 9)), "bad_format"),
    ("no base64", headers("v1,@@@@"), "bad_encoding"),
    ("base64 for addresses", headers(V1.replace("+", "-")), "bad_encoding"),
    ("no padding", headers(V1.rstrip("=")), "bad_encoding"),
    ("stray bits", headers(V1.replace("L0=", "L1=")), "bad_encoding"),
    ("blank inside", headers(f"v1,\t{V1[3:]}"), "bad_encoding"),
    ("accents", headers("v1,é"), "bad_encoding"),
    ("too short", headers(f"v1,{SHORT}"), "bad_encoding"),
    ("too long", headers(f"v1a,{LONG}"), "bad_encoding"),
    ("one bad item beside a good one", headers(f"v1,@ {V1}"), "bad_encoding"),
    ("unknown kinds only", headers("v2,AAAA"), "no_match"),
    ("of another kind of key", headers(V1A), "no_match"),
    ("of another moment", headers(timestamp=str(SENT + 1)), "no_match"),
    ("of another id", headers(webhook_id="other"), "no_match"),
]


@pytest.mark.parametrize(
    ("sent", "why"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_every_refusal_has_its_reason(sent, why):
    assert reason(sent) == why


@pytest.mark.parametrize("body", [b"", BODY[:-1], BODY + b" ", BODY.replace(b"AB12", b"ab12")])
def test_one_byte_more_or_less_and_the_signature_is_of_another_body(body):
    assert reason(body=body) == "no_match"


@pytest.mark.parametrize("keys", [(), (PUBLIC_SECRET,), (WHPK,), (PUBLIC_SECRET, WHPK)])
def test_another_key_or_none_gives_the_same_refusal(keys):
    assert reason(keys=keys) == "no_match"


@pytest.mark.parametrize(
    "signature",
    [
        sign(ID, SENT, BODY, VerifyKey(scheme="v1", material=bytes(32))),
        sign(ID, SENT, BODY, parse_secret("whsk_" + base64.b64encode(bytes(32)).decode())),
    ],
)
def test_the_decoy_that_stands_in_for_a_missing_key_opens_nothing(signature):
    assert reason(headers(signature), keys=()) == "no_match"


@pytest.mark.parametrize(("shift", "why"), [(301, "expired"), (-301, "future")])
def test_a_clock_that_is_off_is_told_apart(shift, why):
    with pytest.raises(ClockSkewError) as caught:
        verify(BODY, headers(), [parse_secret(WHSEC)], NOW + timedelta(seconds=shift))
    assert (caught.value.reason, caught.value.slug) == (why, "timestamp-skew")


def test_the_clock_is_looked_at_before_the_signature():
    assert reason(headers("v1,@", timestamp="1")) == "expired"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whpk_" + base64.b64encode(bytes(31)).decode(),
        "whsk_" + base64.b64encode(bytes(33)).decode(),
        "whsk_" + base64.b64encode(bytes(64)).decode(),
        "whsec_é",
        "whsec_!!!!",
    ],
)
def test_a_key_that_is_none_is_refused_without_being_quoted(text):
    with pytest.raises(ValueError, match="clé") as caught:
        parse_secret(text)
    assert len(text) < 10 or text[6:] not in str(caught.value)


def test_a_private_key_followed_by_its_public_half_is_the_same_key():
    both = bytes(range(32)) + parse_secret(WHPK).material
    assert parse_secret("whsk_" + base64.b64encode(both).decode()) == parse_secret(WHSK)


def test_a_key_never_shows_itself():
    key = parse_secret(WHSK)
    assert repr(key) == "VerifyKey(scheme='v1a')"


def test_a_public_key_cannot_sign():
    with pytest.raises(ValueError, match="only verify"):
        sign(ID, SENT, BODY, parse_secret(WHPK))


def test_an_id_with_a_full_stop_is_never_signed():
    with pytest.raises(ValueError, match="webhook-id"):
        sign("a.b", SENT, BODY, parse_secret(WHSEC))


def test_an_ed25519_key_of_another_length_does_not_exist():
    with pytest.raises(ValueError, match="32 bytes"):
        VerifyKey(scheme="v1a", material=bytes(31))


ANY_TEXT = st.text(max_size=40) | st.sampled_from([ID, str(SENT), V1, V1A, f"{V1} {V1A}"])


@given(
    st.binary(max_size=80),
    st.lists(st.tuples(st.text(max_size=20), ANY_TEXT), max_size=3),
    ANY_TEXT,
    ANY_TEXT,
    ANY_TEXT,
)
def test_whatever_comes_only_our_error_leaves_and_nothing_is_accepted(
    body, others, webhook_id, timestamp, signature
):
    sent = [*others, *headers(signature, webhook_id=webhook_id, timestamp=timestamp)]
    with pytest.raises(SignatureVerificationError):
        verify(body, sent, [parse_secret(WHSEC), parse_secret(WHPK)], NOW)
