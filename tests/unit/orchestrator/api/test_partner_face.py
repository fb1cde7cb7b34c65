"""What partners are answered: accepted events, problems, limits, reads."""

import json

import pytest

from tests.fakes.partner import (
    Hub,
    arrival,
    event,
    hmac_key,
    private_key,
    signature_headers,
    volt,
)

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
