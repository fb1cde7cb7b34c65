import base64
import gzip
import json

import pytest

from schemas import ids
from tests.fakes.partner import (
    BATCH,
    CONTACT,
    EVENT,
    PERSON,
    Hub,
    arrival,
    call,
    event,
    hmac_key,
    private_key,
    proof,
    signature_headers,
    volt,
)


@pytest.fixture
def hub():
    return Hub()


# --- accepted ------------------------------------------------------------------------------------


def test_an_accepted_event_is_answered_202_with_its_place_and_one_result(hub):
    sent = event()
    answer = hub.post(sent)
    assert answer.status == 202
    assert answer["Location"] == f"/v1/events/{sent['id']}"
    assert answer.json["results"] == [
        {"id": sent["id"], "status": "accepted", "code": None, "detail": None}
    ]
    assert answer.json["request_id"] == answer["Parvis-Request-Id"]
    assert answer.json["received_at"].endswith("Z")


def test_the_same_event_again_gets_the_same_place_and_starts_nothing(hub):
    sent = event()
    first, again = hub.post(sent), hub.post(sent)
    assert (again.status, again["Location"]) == (202, first["Location"])
    assert again.json["results"][0]["status"] == "duplicate"
    assert len(hub.inbox.arrivals) == 1


def test_the_same_id_with_another_body_is_422_and_changes_nothing(hub):
    sent = event()
    hub.post(sent)
    kept = hub.inbox.only
    answer = hub.post(sent | {"subject": "contrat-2"})
    assert (answer.status, answer.slug) == (422, "event-id-reused")
    assert hub.inbox.only is kept


def test_white_space_and_the_order_of_members_do_not_make_another_event(hub):
    sent = event()
    hub.post(sent)
    shuffled = json.dumps(dict(reversed(sent.items())), indent=3).encode()
    assert hub.post(shuffled).json["results"][0]["status"] == "duplicate"


def test_an_event_sent_alone_then_in_a_batch_is_one_event(hub):
    sent = event()
    hub.post(sent)
    assert hub.post_batch([sent]).json["results"][0]["status"] == "duplicate"


def test_a_known_and_an_unknown_person_get_the_same_answer(hub):
    first = hub.post(event(subject="contrat-1"))
    known = hub.post(event(subject="contrat-1"))
    unknown = hub.post(event(subject="contrat-2"))
    shape = [
        (answer.status, sorted(name for name, _ in answer.headers), sorted(answer.json))
        for answer in (first, known, unknown)
    ]
    assert shape[0] == shape[1] == shape[2]
    assert known.json["results"][0]["status"] == unknown.json["results"][0]["status"]


def test_an_ed25519_signature_is_accepted(hub):
    sent = event(
        source="/partners/agence_du_lac", type="lease.signed.v1", data={"commune": "84129"}
    )
    assert hub.post(sent, key=private_key(), key_name="agence_du_lac/k1").status == 202


def test_a_source_below_the_partners_own_is_named_in_the_location(hub):
    sent = event(source="/partners/volt_provence/borne-3")
    answer = hub.post(sent)
    assert answer["Location"].endswith("?source=/partners/volt_provence/borne-3")
    assert hub.get(answer["Location"]).json["state"] == "received"


def test_both_live_keys_of_a_rotation_are_accepted():
    keys = {"k1": hmac_key(1), "k2": hmac_key(2)}
    hub = Hub(partners=[volt(keys=keys)])
    assert hub.post(event(), key=hmac_key(1), key_name="volt_provence/k2").status == 202
    assert hub.post(event(), key=hmac_key(2), key_name="volt_provence/k2").status == 202


def test_an_opposition_is_accepted_from_any_partner(hub):
    sent = event(
        source="/partners/agence_du_lac",
        type="contact.withdrawn.v1",
        data={"purposes": ["library.news"], "channel": "sms"},
    )
    assert hub.post(sent, key=private_key(), key_name="agence_du_lac/k1").status == 202


def test_a_report_of_an_sdk_is_kept_and_starts_nothing(hub):
    sent = event(type="sdk.reported.v1", subject=None, data={"counters": {"expired": 2}})
    assert hub.post(sent).status == 202
    assert hub.inbox.only.starts is None


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


# --- problems ------------------------------------------------------------------------------------


def test_a_problem_speaks_french_unless_english_is_asked_for(hub):
    french = hub.post(arrival(commune="99999"))
    english = hub.post(arrival(commune="99999"), headers={"Accept-Language": "en-GB,fr;q=0.5"})
    other = hub.post(arrival(commune="99999"), headers={"Accept-Language": "de"})
    assert french.json["errors"][0]["detail"] == "Cette commune n'est pas connue."
    assert english.json["errors"][0]["detail"] == "This commune is not known."
    assert (french["Content-Language"], english["Content-Language"]) == ("fr", "en")
    assert other.json["title"] == french.json["title"]


def test_a_problem_has_the_members_of_the_contract(hub):
    answer = hub.post(arrival(commune="99999"))
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json["type"] == "https://parvis.example.org/problems/invalid-data"
    assert answer.json["status"] == 422
    assert answer.json["request_id"] == answer["Parvis-Request-Id"]
    assert answer.json["retryable"] is False


def test_a_refusal_never_repeats_what_was_sent(hub):
    canary = "Zébulon-06399800"
    sent = arrival(person={"family_name": canary, "given_name": 7}, utility=canary, age_band=canary)
    answer = hub.post(sent)
    assert answer.status == 422
    assert canary not in answer.body.decode()


def test_a_database_that_is_away_is_503_and_says_when_to_come_back(hub):
    hub.inbox.is_down = True
    answer = hub.post(event())
    assert (answer.status, answer.slug) == (503, "unavailable")
    assert int(answer["Retry-After"]) >= 1
    assert answer["Parvis-Should-Retry"] == "true"


def test_a_bug_is_500_and_tells_only_the_request_id(hub):
    object.__setattr__(hub.intake, "route", lambda _type: 1 / 0)
    answer = hub.post(event())
    assert (answer.status, answer.slug) == (500, "internal")
    assert "ZeroDivision" not in answer.body.decode()


OTHER_METHODS = ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD", "CONNECT", "X")
ADDRESSES = (("/v1/events", "POST"), ("/v1/events:batch", "POST"), ("/v1/event-types", "GET"))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        (method, path, allowed)
        for path, allowed in ADDRESSES
        for method in (*OTHER_METHODS, *({"GET", "POST"} - {allowed}))
    ],
)
def test_another_method_is_405_with_allow(hub, method, path, allowed):
    answer = hub.send(method, path, signed=False)
    assert (answer.status, answer["Allow"]) == (405, allowed)
    assert method == "HEAD" or answer.slug == "method-not-allowed"


# --- limits --------------------------------------------------------------------------------------


def test_every_signed_answer_tells_what_is_left(hub):
    headers = dict(hub.post(event()).headers)
    assert headers["RateLimit-Policy"].startswith('"default";q=1000000;w=60;qu="requests";pk=:')
    assert headers["RateLimit"].startswith('"default";r=999999;t=')
    assert "volt" not in headers["RateLimit"]


def test_over_the_quota_is_429_with_retry_after_and_stores_nothing():
    hub = Hub(quota=2)
    statuses = [hub.post(event()).status for _ in range(3)]
    answer = hub.post(event())
    assert statuses == [202, 202, 429]
    assert answer.slug == "rate-limited"
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert ";r=0;" in answer["RateLimit"]
    assert len(hub.inbox.arrivals) == 2


def test_one_partners_quota_is_not_anothers():
    hub = Hub(quota=1)
    hub.post(event())
    sent = event(
        source="/partners/agence_du_lac", type="lease.signed.v1", data={"commune": "84129"}
    )
    assert hub.post(sent, key=private_key(), key_name="agence_du_lac/k1").status == 202


# --- batches -------------------------------------------------------------------------------------


def test_a_batch_gives_one_result_per_item_in_order(hub):
    good, again, reused = event(), event(), event()
    hub.post(again)
    hub.post(reused)
    items = [
        good,
        again,
        reused | {"subject": "contrat-9"},
        event(type="lease.dreamt.v1"),
        event(source="/partners/agence_du_lac"),
        arrival(commune="99999"),
        event(id="a.b"),
        "not an event",
    ]
    results = hub.post_batch(items).json["results"]
    assert [(result["status"], result["code"]) for result in results] == [
        ("accepted", None),
        ("duplicate", None),
        ("rejected", "event-id-reused"),
        ("rejected", "unknown-type"),
        ("rejected", "source-mismatch"),
        ("rejected", "invalid-data"),
        ("rejected", "invalid-event"),
        ("rejected", "invalid-event"),
    ]
    assert [result["id"] for result in results[:2]] == [good["id"], again["id"]]
    assert results[6]["id"] is None
    assert all(result["detail"] for result in results[2:])


def test_a_bad_item_of_a_batch_blocks_no_other(hub):
    body = b'[{"id":"x","id":"y"},' + json.dumps(event()).encode() + b',{"a":NaN}]'
    results = hub.post_batch(body).json["results"]
    assert [result["status"] for result in results] == ["rejected", "accepted", "rejected"]
    assert results[0]["code"] == "malformed"


def test_a_batch_in_gzip_is_signed_as_sent(hub):
    body = gzip.compress(json.dumps([event(), event()]).encode())
    answer = hub.post_batch(body, headers={"Content-Encoding": "gzip"})
    assert [result["status"] for result in answer.json["results"]] == ["accepted"] * 2


def test_a_gzip_bomb_is_413(hub):
    bomb = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
    answer = hub.post_batch(bomb, headers={"Content-Encoding": "gzip"})
    assert (answer.status, answer.slug) == (413, "too-large")


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        gzip.compress(b"[]")[:-4],
        gzip.compress(b"[]") + gzip.compress(b"[]"),
        gzip.compress(b"[]") + b"x",
        b"\x1f\x8b" + b"\xff" * 40,
    ],
    ids=["plain", "cut short", "two members", "more behind", "broken"],
)
def test_gzip_that_cannot_be_read_is_400(hub, body):
    answer = hub.post_batch(body, headers={"Content-Encoding": "gzip"})
    assert (answer.status, answer.slug) == (400, "malformed")


def test_a_batch_of_51_is_413_and_stores_nothing(hub):
    assert hub.post_batch([event() for _ in range(51)]).status == 413
    assert not hub.inbox.arrivals


def test_an_item_over_64_kib_is_rejected_alone(hub):
    results = hub.post_batch([event(pad="x" * 66_000), event()]).json["results"]
    assert [(result["status"], result["code"]) for result in results] == [
        ("rejected", "too-large"),
        ("accepted", None),
    ]


def test_a_batch_must_be_an_array(hub):
    assert hub.post_batch({"a": 1}).status == 400


def test_an_empty_batch_has_no_results(hub):
    answer = hub.post_batch([])
    assert (answer.status, answer.json["results"]) == (202, [])


def test_a_batch_of_which_nothing_could_be_stored_is_503(hub):
    hub.inbox.is_down = True
    assert hub.post_batch([event(), event()]).status == 503


def test_what_could_not_be_stored_is_to_be_sent_again(hub):
    hub.inbox.is_down = True
    results = hub.post_batch([event(), event(type="lease.dreamt.v1")]).json["results"]
    assert [(result["status"], result["code"]) for result in results] == [
        ("retry", "unavailable"),
        ("rejected", "unknown-type"),
    ]


# --- reads ---------------------------------------------------------------------------------------


def test_the_state_of_an_event_is_told_to_its_sender(hub):
    sent = event()
    hub.post(sent)
    answer = hub.get(f"/v1/events/{sent['id']}")
    assert (answer.status, answer.json["state"]) == (200, "received")


def test_an_event_of_another_partner_does_not_exist(hub):
    sent = event()
    hub.post(sent)
    for target in (
        f"/v1/events/{sent['id']}",
        f"/v1/events/{sent['id']}?source=/partners/volt_provence",
    ):
        answer = hub.get(target, key=private_key(), key_name="agence_du_lac/k1")
        assert (answer.status, answer.slug) == (404, "not-found")


@pytest.mark.parametrize(
    "target",
    [
        "/v1/events/",
        "/v1/events/a/b",
        "/v1/events/%00",
        "/v1/events/x?" + "a=1&" * 50 + "source=x",
        "/v1/events/x?source=%00",
    ],
)
def test_an_address_that_is_no_event_is_404(hub, target):
    assert hub.get(target).status == 404


def test_a_query_added_on_the_way_is_401(hub):
    headers = {"webhook-signature": hub_signature("/v1/event-types")}
    answer = hub.get("/v1/event-types?a=1", headers=headers, webhook_id="fixed")
    assert answer.status == 401


def hub_signature(target):
    return signature_headers("GET", target, b"", webhook_id="fixed")["webhook-signature"]


def test_event_types_tell_what_this_partner_may_send(hub):
    answer = hub.get("/v1/event-types").json
    names = {known["type"] for known in answer["types"]}
    assert {"utility.contract_opened.v1", "contact.withdrawn.v1", "sdk.reported.v1"} <= names
    assert not names & {"sport.membership_opened.v1", "poster.registration_requested.v1"}
    assert answer["notices"][0]["sha256"] == "a1" * 32
    assert answer["purposes"][0]["id"] == "access_code.delivery"
    (lease,) = [known for known in answer["types"] if known["type"] == "lease.signed.v1"]
    assert lease["schema"]["additionalProperties"] is False
    assert "commune" in lease["fields"]


def test_event_types_are_not_sent_twice(hub):
    tag = hub.get("/v1/event-types")["ETag"]
    for known in (tag, f'"x", W/{tag}', "*"):
        answer = hub.get("/v1/event-types", headers={"If-None-Match": known})
        assert (answer.status, answer.body, answer["ETag"]) == (304, b"", tag)
    assert hub.get("/v1/event-types", headers={"If-None-Match": '"x"'}).status == 200


# --- nothing of a person without a proof ---------------------------------------------------------


def test_a_name_and_a_contact_with_proof_are_kept(hub):
    hub.post(arrival(person=PERSON, contact=CONTACT, consent=proof()))
    assert hub.inbox.only.message.data["person"] == PERSON
    assert hub.inbox.only.starts.data["contact"] == CONTACT
    assert not hub.inbox.counts


@pytest.mark.parametrize(
    "consent",
    [
        None,
        proof(notice_sha256="b2" * 32),
        proof(notice_version="1999-01"),
        proof(locale="en"),
        proof("library.news"),
        proof(collected_at="2999-01-01T00:00:00Z"),
    ],
)
def test_without_a_valid_proof_nothing_of_the_person_is_kept_anywhere(hub, consent):
    members = {"consent": consent} if consent else {}
    answer = hub.post(arrival(person=PERSON, contact=CONTACT, **members))
    assert answer.json["results"][0]["status"] == "accepted"
    kept = hub.inbox.only
    for stored in (
        kept.body.decode(),
        str(kept.message.data),
        str(kept.starts.data),
        str(kept.headers),
    ):
        assert "Camille" not in stored
        assert "3998" not in stored
    assert hub.inbox.counts["volt_provence", "minimised"] == 1


def test_a_proof_for_the_code_alone_keeps_the_contact_and_drops_the_name(hub):
    consent = proof("access_code.delivery")
    hub.post(arrival(person=PERSON, contact=CONTACT, consent=consent))
    assert "person" not in hub.inbox.only.starts.data
    assert hub.inbox.only.starts.data["contact"] == CONTACT


def test_a_minimised_event_sent_again_is_a_duplicate(hub):
    sent = arrival(person=PERSON)
    hub.post(sent)
    assert hub.post(sent).json["results"][0]["status"] == "duplicate"
    assert hub.post(sent | {"data": {"commune": "13055"}}).slug == "event-id-reused"


def test_a_location_is_rounded_before_it_is_kept(hub):
    hub.post(arrival(location={"lat": 43.2965432, "lon": 5.3698765}))
    assert b"43.2965" not in hub.inbox.only.body
    assert hub.inbox.only.starts.data["location"] == {"lat": 43.297, "lon": 5.37}


def test_a_district_becomes_its_commune(hub):
    hub.post(arrival(commune="13201"))
    assert hub.inbox.only.starts.data["commune"] == "13055"


def test_data_in_base64_is_minimised_like_any_other(hub):
    data = base64.b64encode(json.dumps({"commune": "13055", "person": PERSON}).encode()).decode()
    answer = hub.post(event(data=None, data_base64=data))
    assert answer.status == 202
    assert b"Camille" not in hub.inbox.only.body
    assert b"data_base64" not in hub.inbox.only.body


# --- scans ---------------------------------------------------------------------------------------


def test_a_scan_is_counted_once_and_leaves_nothing_but_its_id(hub):
    sent = event(type="poster.scanned.v1", subject=None, data={"placement": "AB12CD34"})
    hub.post(sent)
    hub.post(sent)
    assert hub.scans.totals == {"AB12CD34": 1}
    assert (hub.inbox.only.starts, hub.inbox.only.body) == (None, b"")


def test_a_scan_of_an_unknown_poster_gets_the_same_answer_and_counts_nothing(hub):
    sent = event(type="poster.scanned.v1", subject=None, data={"placement": "ZZ99ZZ99"})
    assert hub.post(sent).status == 202
    assert not hub.scans.totals


def test_a_scan_points_at_nobody(hub):
    sent = event(type="poster.scanned.v1", data={"placement": "AB12CD34"})
    assert hub.post(sent).pointers == ["#/subject"]


def test_figures_tell_partner_type_and_result(hub):
    hub.post(event())
    hub.post(event(type="lease.dreamt.v1"))
    assert hub.meter.seen == {
        ("volt_provence", "utility.contract_opened.v1", "accepted"): 1,
        ("volt_provence", "unknown", "rejected"): 1,
    }


def test_ids_of_requests_differ(hub):
    assert hub.post(event())["Parvis-Request-Id"] != hub.post(event())["Parvis-Request-Id"]
    assert ids.uuid7() != ids.uuid7()
