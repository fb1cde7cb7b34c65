"""What is refused for its form: signature, media type, size, JSON, attributes, data."""

import gzip
import json

import pytest

from tests.fakes.partner import (
    BATCH,
    EVENT,
    Hub,
    arrival,
    call,
    event,
    hmac_key,
    signature_headers,
    volt,
)

# --- signature -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Parvis-Key-Id": None},
        {"Parvis-Key-Id": ""},
        {"Parvis-Key-Id": "volt_provence"},
        {"Parvis-Key-Id": "volt_provence/k9"},
        {"Parvis-Key-Id": "nobody_here/k1"},
        {"Parvis-Key-Id": "agence_du_lac/k1"},
        {"Parvis-Key-Id": "volt_provence/k1/x"},
        {"Parvis-Key-Id": "é" * 5000},
        {"webhook-id": None},
        {"webhook-id": "a.b"},
        {"webhook-id": "another-id"},
        {"webhook-timestamp": None},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "9" * 40},
        {"webhook-signature": None},
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v1,%%%"},
        {"webhook-signature": "v2,AAAA"},
        {"webhook-signature": "v1," + "A" * 43 + "="},
        {"webhook-signature": " ".join(["v1," + "A" * 43 + "="] * 9)},
    ],
)
def test_what_no_live_key_signed_is_401_and_stores_nothing(hub, headers):
    answer = hub.post(event(), headers=headers)
    assert (answer.status, answer.slug) == (401, "signature-invalid")
    assert answer["Parvis-Should-Retry"] == "false"
    assert not hub.inbox.arrivals


def test_an_unknown_key_and_a_wrong_signature_are_told_apart_by_nothing(hub):
    unknown = hub.post(event(), key_name="nobody_here/k1")
    wrong = hub.post(event(), key=hmac_key(9))
    for answer in (unknown, wrong):
        answer.plain = {k: v for k, v in answer.json.items() if k != "request_id"}
    assert unknown.plain == wrong.plain


@pytest.mark.parametrize("ago", [-301, -86_400, 302, 86_400])
def test_a_clock_that_is_off_is_401_with_the_time_of_the_server(hub, ago):
    answer = hub.post(event(), ago=ago)
    assert (answer.status, answer.slug) == (401, "timestamp-skew")
    assert answer.json["server_time"].endswith("Z")


def test_a_revoked_key_stops_within_a_second(hub):
    assert hub.post(event()).status == 202
    hub.book.held = {}
    hub.elapsed = 1.0
    assert hub.post(event()).status == 401


def test_a_body_changed_by_one_byte_is_401(hub):
    body = json.dumps(event()).encode()
    good = hub.send("POST", "/v1/events", body=body)
    assert good.status == 202
    headers = signature_headers("POST", "/v1/events", body) | {"Content-Type": EVENT}
    assert call(hub.app, "POST", "/v1/events", body + b" ", headers).status == 401


def test_the_signature_is_checked_before_anything_else(hub):
    answer = hub.send("POST", "/v1/events", body=b"\xff{", media_type="text/plain", key=hmac_key(9))
    assert answer.status == 401


# --- media type, encoding, size, depth, JSON -----------------------------------------------------


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "text/plain",
        BATCH,
        "application/cloudevents+json; charset=latin-1",
        "application/cloudevents+xml",
        "multipart/form-data; boundary=x",
        "",
        ";;;",
        "é",
    ],
)
def test_another_media_type_is_415_and_says_what_is_read(hub, media_type):
    answer = hub.post(event(), media_type=media_type, headers={"Content-Type": media_type})
    assert (answer.status, answer.slug) == (415, "unsupported-media-type")
    assert answer["Accept-Post"] == "application/cloudevents+json"


def test_binary_mode_is_415(hub):
    headers = {"ce-id": "1", "ce-specversion": "1.0", "Content-Type": "application/json"}
    answer = hub.post(b"{}", headers=headers)
    assert answer.status == 415
    assert "structuré" in answer.json["detail"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, gzip"])
def test_an_encoded_event_is_415(hub, encoding):
    answer = hub.post(gzip.compress(b"{}"), headers={"Content-Encoding": encoding})
    assert answer.status == 415


@pytest.mark.parametrize("charset", ["UTF-8", '"utf-8"', "utf8"])
def test_utf_8_may_be_said_in_several_ways(hub, charset):
    media_type = f"application/cloudevents+json; charset={charset}"
    assert hub.post(event(), media_type=media_type).status == 202


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b'{"a": "\xff"}',
        b'{"id": 1, "id": 2}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"[" * 33 + b"]" * 33,
        b"[" * 10_000,
        b"{}{}",
        b"'a'",
    ],
)
def test_what_is_no_unambiguous_json_is_400(hub, body):
    answer = hub.post(body)
    assert (answer.status, answer.slug) == (400, "malformed")
    assert answer.json["detail"]


def test_an_event_over_64_kib_is_413(hub):
    answer = hub.post(event(pad="x" * 65_536))
    assert (answer.status, answer.slug) == (413, "too-large")


def test_a_body_over_what_is_read_at_all_is_413(hub):
    answer = hub.post(b"x" * (256 * 1024 + 1))
    assert (answer.status, answer.slug) == (413, "too-large")


# --- CloudEvents and data ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"specversion": None}, "#/specversion"),
        ({"specversion": "0.9"}, "#/specversion"),
        ({"id": None}, "#/id"),
        ({"id": ""}, "#/id"),
        ({"id": 7}, "#/id"),
        ({"id": "a.b"}, "#/id"),
        ({"source": None}, "#/source"),
        ({"type": None}, "#/type"),
        ({"time": None}, "#/time"),
        ({"time": "2018-04-05T18:31Z"}, "#/time"),
        ({"time": "2001-04-05T18:31:00Z"}, "#/time"),
        ({"time": "2999-04-05T18:31:00Z"}, "#/time"),
        ({"subject": "camille@example.org"}, "#/subject"),
        ({"subject": "a\u0007b"}, "#/subject"),
        ({"Ext": "x"}, "#/Ext"),
        ({"ext": 1.5}, "#/ext"),
        ({"ext": {"a": 1}}, "#/ext"),
        ({"data_base64": "e30="}, "#/data_base64"),
    ],
)
def test_an_attribute_that_is_wrong_is_422_with_its_pointer(hub, changes, pointer):
    answer = hub.post(event(**changes))
    assert (answer.status, answer.slug) == (422, "invalid-event")
    assert answer.pointers == [pointer]


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"commune": "99999"}, "#/data/commune"),
        ({"commune": "Marseille"}, "#/data/commune"),
        ({"commune": None}, "#/data/commune"),
        ({"age": 41}, "#/data/age"),
        ({"utility": "steam"}, "#/data/utility"),
        ({"age_band": "41"}, "#/data/age_band"),
        ({"location": {"lat": 91, "lon": 5}}, "#/data/location/lat"),
        ({"contact": {"channel": "sms", "address": "0639980001"}}, "#/data/contact/address"),
    ],
)
def test_data_that_is_wrong_is_422_with_its_pointer(hub, members, pointer):
    answer = hub.post(arrival(**members))
    assert (answer.status, answer.slug) == (422, "invalid-data")
    assert answer.pointers == [pointer]


def test_data_must_be_there(hub):
    assert hub.post(event(data=None)).slug == "invalid-data"


def test_an_unknown_type_is_422(hub):
    assert hub.post(event(type="lease.dreamt.v1")).slug == "unknown-type"


@pytest.mark.parametrize("kind", ["sport.membership_opened.v1", "poster.registration_requested.v1"])
def test_a_type_the_agreement_does_not_list_is_403(kind):
    listed = frozenset({"poster.registration_requested.v1"})
    hub = Hub(partners=[volt(allowed_events=listed)])
    answer = hub.post(event(type=kind))
    assert (answer.status, answer.slug) == (403, "type-not-allowed")


@pytest.mark.parametrize(
    "source",
    ["/partners/agence_du_lac", "/partners/volt_provence2", "/systems/koha", "/hub/citizen", "x:y"],
)
def test_a_source_that_is_not_the_signers_is_403(hub, source):
    answer = hub.post(event(source=source))
    assert (answer.status, answer.slug) == (403, "source-mismatch")


def test_a_commune_of_no_territory_is_accepted(hub):
    assert hub.post(arrival(commune="06088")).status == 202
