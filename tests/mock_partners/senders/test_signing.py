import base64
import gzip
import json
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mock_partners.senders import Key, Sender, signed_text, spoilt
from mock_partners.senders.signing import headers

SEED = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
PUBLIC = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
ID, AT = "0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c10", 1795341600
EVENT = (
    b'{"specversion":"1.0","id":"0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c10","source":"/partners/demo",'
    b'"type":"fr.parvis.poster.scanned","data":{"placement":"AB12CD34"}}'
)
GET = b"GET /v1/event-types"


def key(scheme, secret=SEED):
    prefix = {"v1": "whsec_", "v1a": "whsk_"}[scheme]
    return Key.read(key_id="demo/k1", scheme=scheme, secret=prefix + secret)


@pytest.mark.parametrize(
    ("scheme", "secret", "message_id", "at", "body", "expected"),
    [
        (
            "v1",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            b'{"test": 2432232314}',
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "v1a",
            SEED,
            ID,
            AT,
            EVENT,
            "v1a,8plMRo4b2p7eDyed5HtwP5PRZmjMv6D2630bIlXdBdO5cMNS976peFgTlqfMuA7tRz0BtKM9RSuEAHcr3QEuDQ==",
        ),
        ("v1", SEED, ID, AT, EVENT, "v1,G46zayNzxmA0ZAsrQyoIprEEIToUPj+V7RyS7cWVPL0="),
        (
            "v1a",
            SEED,
            ID,
            AT,
            GET,
            "v1a,7yFcDj+02HL78ZQQUmvzhQc1QCsYog1rFw90gNRJqpSz9nZXfW5s7pCMzjblkCBHxcV7xtHXRjmDjbJh64vmCA==",
        ),
        ("v1", SEED, ID, AT, GET, "v1,u+4qpUn4Kg8cVZ9ZsibNVtTjPac4388IeCFEaekRVwY="),
    ],
)
def test_the_public_vectors(scheme, secret, message_id, at, body, expected):
    assert key(scheme, secret).signature(signed_text(message_id, at, body)) == expected


def test_a_secret_that_carries_its_public_half_is_accepted():
    both = base64.b64encode(base64.b64decode(SEED) + base64.b64decode(PUBLIC)).decode()
    assert key("v1a", both) == key("v1a")


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [
        ("v2", "whsec_" + SEED),
        ("v1", "whsk_" + SEED),
        ("v1a", "whsec_" + SEED),
        ("v1a", "whsk_AAEC"),
        ("v1", "whsec_%%%"),
        ("v1", SEED),
    ],
)
def test_a_key_of_the_wrong_form_is_refused(scheme, secret):
    with pytest.raises(ValueError, match=r"k1|base64|alphabet|padding"):
        Key.read(key_id="k1", scheme=scheme, secret=secret)


def test_during_a_rotation_both_keys_sign_and_the_first_is_named():
    both = [key("v1a"), key("v1")]
    found = headers(both, message_id=ID, timestamp=AT, body=EVENT)
    assert found["Parvis-Key-Id"] == "demo/k1"
    assert [each.partition(",")[0] for each in found["webhook-signature"].split()] == ["v1a", "v1"]


@pytest.fixture
def sender():
    return Sender.read({"id": "demo", "key_id": "k1", "scheme": "v1a", "secret": "whsk_" + SEED})


def verify(request):
    """Check a request with the public key alone; raise when it is not signed so."""
    head = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
    tag, _, value = request.headers["webhook-signature"].partition(",")
    assert tag == "v1a"
    body = request.body if request.method == "POST" else f"GET {request.path}".encode()
    Ed25519PublicKey.from_public_bytes(base64.b64decode(PUBLIC)).verify(
        base64.b64decode(value), head + body
    )


NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SCAN = {"id": "e1", "source": "/partners/demo", "type": "poster.scanned.v1", "data": {"a": "é"}}


def test_an_event_is_signed_over_its_exact_bytes(sender):
    request = sender.event(SCAN, now=NOW)
    verify(request)
    assert request.headers["webhook-id"] == "e1"
    assert request.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert request.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert request.headers["Parvis-Key-Id"] == "demo/k1"
    assert json.loads(request.body) == SCAN
    assert "é".encode() in request.body


def test_a_batch_is_signed_as_it_is_sent(sender):
    request = sender.batch([SCAN, SCAN], delivery_id="d1", now=NOW)
    verify(request)
    assert request.headers["Content-Encoding"] == "gzip"
    assert request.headers["webhook-id"] == "d1"
    assert len(json.loads(gzip.decompress(request.body))) == 2


def test_a_request_without_body_signs_its_method_and_path(sender):
    verify(sender.get("/v1/event-types?lang=fr", delivery_id="d2", now=NOW))


@pytest.mark.parametrize("kind", ["body", "id", "timestamp"])
def test_a_spoilt_request_no_longer_verifies(sender, kind):
    with pytest.raises(InvalidSignature):
        verify(spoilt(sender.event({**SCAN, "id": "e12"}, now=NOW), kind))


def test_a_spoilt_header_is_no_signature_at_all(sender):
    assert spoilt(sender.event(SCAN, now=NOW), "header").headers["webhook-signature"] == "v1,%%%"


def test_a_forged_key_signs_what_the_hub_cannot_verify(sender):
    request = sender.event(SCAN, now=NOW, keys=[each.forged() for each in sender.keys])
    assert request.headers["Parvis-Key-Id"] == "demo/k1"
    with pytest.raises(InvalidSignature):
        verify(request)


@pytest.mark.parametrize(
    "document",
    [
        {"id": "x"},
        {"id": "x", "key_id": "k1", "scheme": "v1"},
        {"id": "x", "colour": 1},
        {"key_id": "k1", "scheme": "v1", "secret": "whsec_" + SEED},
    ],
)
def test_a_sender_that_is_not_described_is_refused(document):
    with pytest.raises(ValueError, match=r"key|sender|secret"):
        Sender.read(document)
