import gzip
import json
import time

import pytest

from mock_partners import build
from mock_partners.senders import HubClient, HubUnreachableError, SignedRequest

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def send(bench, **asked):
    reply = bench.call("POST", "/send", {"sender": "demo_energy", **asked})
    assert reply.status == 200, reply.body
    return reply.json


def bodies(hub):
    return [json.loads(request.body) for request in hub.received]


def test_an_announcement_reaches_the_hub_signed(bench, hub):
    told = send(bench, person=True, channel="sms", subject="PDL-1")
    (request,) = hub.received
    assert request.headers["parvis-key-id"] == "demo_energy/k1"
    assert request.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    event = json.loads(request.body)
    assert event == told["event"]
    assert request.headers["webhook-id"] == event["id"]
    assert (event["source"], event["subject"]) == ("/partners/demo_energy", "PDL-1")
    assert event["data"]["commune"] == "13055"
    assert event["data"]["consent"]["notice_version"] == "2026-09-fr"
    assert told["sent"][0]["status"] == 202


def test_the_journal_tells_what_was_sent_and_answered(bench):
    event = send(bench, subject="PDL-1")["event"]
    (entry,) = bench.journal()
    assert entry["operation"] == "utility.contract_opened.v1"
    assert (entry["idempotency_key"], entry["reference"]) == (event["id"], "PDL-1")
    assert entry["status"] == 202
    assert entry["effect"] == {"kind": "event.accepted", "ids": [event["id"]]}


def test_the_same_event_sent_again_has_no_second_effect(bench):
    event = send(bench)["event"]
    send(bench, event=event)
    assert [entry["status"] for entry in bench.journal()] == [202, 202]
    assert len(bench.effects()) == 1


def test_a_given_event_is_sent_as_it_is(bench, hub):
    event = {"id": "same-id", "type": "lease.signed.v1", "source": "/elsewhere", "data": {"x": 1}}
    send(bench, event=event)
    assert bodies(hub) == [event]


def test_own_members_and_the_commune_are_the_callers(bench, hub):
    send(
        bench,
        commune="84129",
        data={"utility": "water"},
        time="2026-11-20T08:00:00+01:00",
        id="e-1",
    )
    (event,) = bodies(hub)
    assert (event["data"]["commune"], event["data"]["utility"]) == ("84129", "water")
    assert (event["time"], event["id"]) == ("2026-11-20T07:00:00.000Z", "e-1")


def test_two_keys_sign_during_a_rotation(bench, hub):
    send(bench, sender="demo_shop", data={"placement": "AB12CD34"})
    (request,) = hub.received
    assert request.headers["parvis-key-id"] == "demo_shop/k2"
    assert len(request.headers["webhook-signature"].split()) == 2
    assert "subject" not in json.loads(request.body)


def test_the_same_seed_invents_the_same_people(start_kind, hub_client):
    people = []
    for _ in range(2):
        bench = start_kind("senders", hub_url=hub_client.server.url)
        people.append(send(bench, person=True, channel="sms")["event"]["data"]["contact"])
    assert people[0] == people[1]


def test_a_batch_goes_in_one_compressed_request(bench, hub):
    reply = bench.call(
        "POST", "/batch", {"sender": "demo_energy", "events": [{"subject": "a"}, {"subject": "b"}]}
    )
    assert reply.status == 200
    (request,) = hub.received
    assert request.path == "/v1/events:batch"
    events = json.loads(gzip.decompress(request.body))
    assert [event["subject"] for event in events] == ["a", "b"]
    assert request.headers["webhook-id"] not in {event["id"] for event in events}
    assert bench.journal()[0]["operation"] == "batch"


def test_duplicate_sends_the_same_attempt_again(bench, hub):
    bench.arm("duplicate", n=3, times=1)
    assert len(send(bench)["sent"]) == 3
    assert len({request.headers["webhook-signature"] for request in hub.received}) == 1
    assert len({request.body for request in hub.received}) == 1
    assert len(bench.effects()) == 1


def test_replay_sends_the_same_id_again_later_with_a_fresh_signature(bench, hub):
    bench.arm("replay", delay_s=0.05, times=1)
    send(bench)
    assert len(hub.received) == 1
    deadline = time.monotonic() + 5
    while len(bench.journal()) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    first, second = hub.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


def test_a_reset_forgets_a_replay_that_was_planned(bench, hub):
    bench.arm("replay", delay_s=0.2, times=1)
    send(bench)
    bench.call("POST", "/_mock/reset")
    time.sleep(0.3)
    assert len(hub.received) == 1


def test_reorder_holds_events_back_and_lets_them_go_the_other_way_round(bench, hub):
    bench.arm("reorder", window=3)
    held = [send(bench, subject=name)["held"] for name in "abc"]
    assert held == [True, True, False]
    assert [event["subject"] for event in bodies(hub)] == ["c", "b", "a"]


def test_what_is_held_back_can_be_let_go(bench, hub):
    bench.arm("reorder", window=9)
    for name in "ab":
        send(bench, subject=name)
    bench.clear()
    assert len(bench.call("POST", "/flush").json["sent"]) == 2
    assert [event["subject"] for event in bodies(hub)] == ["b", "a"]


@pytest.mark.parametrize("seconds", [-900, 900])
def test_a_skewed_sender_signs_with_its_own_time(bench, hub, seconds):
    bench.arm("clock_skew", seconds=seconds, times=1)
    send(bench)
    skew = int(hub.received[0].headers["webhook-timestamp"]) - time.time()
    assert abs(skew - seconds) < 5


@pytest.mark.parametrize("kind", ["body", "id", "timestamp", "key", "header"])
def test_a_bad_signature_differs_from_a_good_one(bench, hub, kind):
    event = send(bench, time="2026-11-20T08:00:00Z")["event"]
    bench.arm("bad_signature", kind=kind, times=1)
    send(bench, event=event)
    good, bad = hub.received[0], hub.received[1] if len(hub.received) > 1 else None
    assert bad is not None
    changed = {
        "body": good.body != bad.body,
        "id": good.headers["webhook-id"] != bad.headers["webhook-id"],
        "timestamp": good.headers["webhook-timestamp"] != bad.headers["webhook-timestamp"],
        "key": good.headers["webhook-signature"] != bad.headers["webhook-signature"],
        "header": bad.headers["webhook-signature"] == "v1,%%%",
    }
    assert changed[kind]


def test_a_fault_may_aim_at_one_type_of_event(bench, hub):
    bench.arm("duplicate", operation="lease.*")
    send(bench)
    send(bench, type="lease.signed.v1")
    assert [event["type"] for event in bodies(hub)] == [
        "utility.contract_opened.v1",
        "lease.signed.v1",
        "lease.signed.v1",
    ]


def test_a_hub_that_does_not_answer_leaves_an_entry_without_status(bench, hub_client):
    hub_client.arm("down")
    told = send(bench)
    assert told["sent"] == [{"webhook_id": told["event"]["id"], "status": None, "answer": None}]
    (entry,) = bench.journal()
    assert (entry["status"], entry["effect"]) == (None, None)
    hub_client.clear()
    assert send(bench, event=told["event"])["sent"][0]["status"] == 202


def test_an_answer_that_is_no_json_is_told_as_it_is(bench, hub_client):
    hub_client.arm("html_200", body="<p>non</p>", times=1)
    assert send(bench)["sent"][0]["answer"] == "<p>non</p>"
    assert bench.effects() == []


def test_hub_and_notice_can_be_told_later(start_kind, hub_client, hub):
    bench = start_kind("senders", notice=None)
    asked = {"sender": "demo_energy", "person": True}
    assert bench.call("POST", "/send", asked).status == 400
    assert bench.call("PUT", "/hub", {"url": hub_client.server.url}).status == 200
    assert bench.call("PUT", "/notice", {"version": "7", "sha256": "ab"}).status == 200
    assert bench.call("POST", "/send", asked).status == 200
    assert bodies(hub)[0]["data"]["consent"]["notice_sha256"] == "ab"


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/send", {"sender": "nobody"}),
        ("/send", {"sender": "demo_energy", "type": "no.such.v1"}),
        ("/send", {"sender": "demo_energy", "colour": 1}),
        ("/send", {"sender": "demo_energy", "data": 3}),
        ("/send", {"sender": "demo_energy", "time": "soon"}),
        ("/send", {"sender": "demo_energy", "event": {"id": 3}}),
        ("/send", {"sender": "demo_shop", "type": "lease.signed.v1"}),
        ("/send", []),
        ("/batch", {"sender": "demo_energy"}),
    ],
)
def test_a_wrong_order_is_refused_and_nothing_is_sent(bench, hub, path, asked):
    assert bench.call("POST", path, asked).status == 400
    assert hub.received == []


def test_hub_and_notice_are_checked(bench):
    assert bench.call("PUT", "/hub", {"url": "ftp://example.org"}).status == 400
    assert bench.call("PUT", "/notice", {"version": "7"}).status == 400
    assert bench.call("GET", "/nothing").status == 404


def test_the_senders_are_listed_without_their_secrets(bench):
    listed = bench.call("GET", "/senders").json["senders"]
    assert [each["id"] for each in listed] == ["demo_energy", "demo_shop"]
    assert "AAECAw" not in json.dumps(listed)


def test_a_reset_invents_the_same_people_again(bench):
    first = send(bench, person=True)["event"]["data"]["person"]
    bench.call("POST", "/_mock/reset")
    assert bench.journal() == []
    assert send(bench, person=True)["event"]["data"]["person"] == first


@pytest.mark.parametrize("changes", [{"colour": 1}, {"senders": 3}, {"notice": {"version": "1"}}])
def test_settings_that_are_wrong_are_refused(settings_of, changes):
    with pytest.raises(ValueError, match=r"colour|list|notice"):
        build("senders", {**settings_of("senders"), **changes})


def test_the_client_keeps_its_connection_and_opens_it_again(hub_client, hub):
    client = HubClient(hub_client.server.url)
    request = SignedRequest(method="POST", path="/v1/events", headers={}, body=b'{"id":"e"}')
    assert client.send(request).status == 202
    (kept,) = client._idle
    assert client.send(request).status == 202
    assert client._idle == [kept]
    hub_client.arm("reset_before", times=1)
    assert client.send(request).status == 202
    assert client._idle != [kept]
    client.close()
    hub_client.server.stop()
    with pytest.raises(HubUnreachableError):
        client.send(request)
    client.close()
