import json
import threading
import time

import pytest

from mock_partners import build
from mock_partners.sms_ovh import signature

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
SERVICE = "/1.0/sms/sms-xx00000-1"


def test_the_signature_has_the_documented_check_value():
    assert (
        signature(
            "appsecret0000",
            "consumerkey000",
            "POST",
            "https://eu.api.ovh.com/1.0/sms/sms-xx00000-1/jobs",
            b'{"message":"Bonjour"}',
            "1795341600",
        )
        == "$1$bab8f208e49587cf011bfe26fff956e9e3776aac"
    )


def test_the_time_needs_no_key(sms):
    reply = sms.client.call("GET", "/1.0/auth/time")
    assert reply.status == 200
    assert abs(reply.json - time.time()) < 5
    assert sms.client.call("GET", "/v1/auth/time").status == 200


def test_a_message_is_accepted(sms):
    reply = sms.send()
    assert (reply.status, reply.json) == (
        200,
        {
            "totalCreditsRemoved": 1,
            "validReceivers": ["+33639980001"],
            "invalidReceivers": [],
            "ids": [100_000_001],
        },
    )


def test_the_journal_counts_the_message_and_never_shows_it(sms):
    sms.send()
    (entry,) = sms.client.journal()
    assert (entry["operation"], entry["reference"]) == ("send_sms", "PV-7K3M9QXA")
    assert entry["effect"] == {"kind": "sms.accepted", "ids": [100_000_001]}
    assert "+336" not in json.dumps(entry)
    assert "code" not in json.dumps(entry)


def test_the_text_is_read_where_the_telephone_would_show_it(sms):
    sms.send()
    sms.send(receivers=["+33639980002"], tag="PV-2")
    first, second = sms.messages()
    assert (first["text"], first["sender"]) == ("Votre code : AB3DE-FGH7K", "PARVIS")
    assert sms.messages("?receiver=%2B33639980002") == [second]
    assert sms.messages("?tag=PV-2") == [second]
    assert sms.messages(f"?after={first['id']}") == [second]


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"key": "other"}, 403, "INVALID_KEY"),
        ({"consumer": "other"}, 403, "INVALID_CREDENTIAL"),
        ({"secret": "other"}, 400, "INVALID_SIGNATURE"),
        ({"at": 1_500_000_000}, 400, "QUERY_TIME_OUT"),
        ({"at": 2_500_000_000}, 400, "QUERY_TIME_OUT"),
        ({"at": "soon"}, 400, "QUERY_TIME_OUT"),
    ],
)
def test_a_bad_key_or_signature_or_time_is_refused(sms, wrong, status, code):
    reply = sms.call("GET", SERVICE, **wrong)
    assert (reply.status, reply.json["errorCode"]) == (status, code)
    assert set(reply.json) == {"message", "httpCode", "errorCode"}


def test_the_status_of_a_bad_signature_is_a_setting(start_sms):
    sms = start_sms(unverified={"signature_status": 401})
    assert sms.call("GET", SERVICE, secret="other").status == 401


def test_without_a_consumer_key_one_must_log_in_first(sms):
    headers = {"X-Ovh-Application": "an-invented-key"}
    reply = sms.client.call("GET", SERVICE, headers=headers)
    assert (reply.status, reply.json["errorCode"]) == (403, "NOT_CREDENTIAL")


def test_a_body_changed_by_one_space_breaks_the_signature(sms):
    path = f"{SERVICE}/jobs"
    headers = sms.signed("POST", path, b'{"message":"x"}')
    reply = sms.client.call("POST", path, body=b'{"message": "x"}', headers=headers)
    assert reply.json["errorCode"] == "INVALID_SIGNATURE"


def test_the_query_is_part_of_what_is_signed(sms):
    headers = sms.signed("GET", f"{SERVICE}/outgoing?tag=a")
    reply = sms.client.call("GET", f"{SERVICE}/outgoing?tag=b", headers=headers)
    assert reply.json["errorCode"] == "INVALID_SIGNATURE"


def test_a_call_outside_the_rules_is_not_granted(start_sms):
    sms = start_sms(rules=["GET /sms/*", "POST /sms/*/jobs"])
    assert sms.send().status == 200
    reply = sms.call("GET", "/1.0/auth/currentCredential")
    assert (reply.status, reply.json["errorCode"]) == (403, "NOT_GRANTED_CALL")


def test_the_clock_is_the_gateways(sms):
    sms.turn("2030-03-04T09:00:00Z")
    assert sms.call("GET", SERVICE).json["errorCode"] == "QUERY_TIME_OUT"
    now = sms.client.call("GET", "/1.0/auth/time").json
    assert sms.call("GET", SERVICE, at=now).status == 200


def test_a_skewed_gateway_refuses_who_does_not_measure(sms):
    sms.client.arm("clock_skew", seconds=3600)
    assert sms.send().json["errorCode"] == "QUERY_TIME_OUT"
    assert sms.call("GET", SERVICE, at=sms.client.call("GET", "/1.0/auth/time").json).status == 200


def test_a_partial_refusal_is_inside_a_success(sms):
    receivers = ["+33639980001", "+33639980099", "0639980001", "+0", "0033639980003"]
    reply = sms.send(receivers=receivers)
    assert reply.status == 200
    assert reply.json["validReceivers"] == ["+33639980001", "0033639980003"]
    assert reply.json["invalidReceivers"] == ["+33639980099", "0639980001", "+0"]
    assert (len(reply.json["ids"]), reply.json["totalCreditsRemoved"]) == (2, 2)


def test_a_message_to_nobody_valid_has_no_effect(sms):
    reply = sms.send(receivers=["+33639980099"])
    assert (reply.status, reply.json["ids"], reply.json["totalCreditsRemoved"]) == (200, [], 0)
    assert sms.client.effects() == []


def test_credits_are_taken_and_run_out(sms):
    assert sms.send(message="x" * 161).json["totalCreditsRemoved"] == 2
    assert sms.call("GET", SERVICE).json["creditsLeft"] == 18
    reply = sms.send(message="x" * 153 * 19)
    assert (reply.status, reply.json["message"]) == (403, "Not enough credits")
    assert sms.call("GET", SERVICE).json["creditsLeft"] == 18


@pytest.mark.parametrize("sender", ["NOUVEAU", "INCONNU"])
def test_a_sender_that_is_not_validated_is_refused(sms, sender):
    reply = sms.send(sender=sender)
    assert (reply.status, reply.json["class"]) == (403, "Client::Forbidden")
    assert sms.messages() == []


def test_a_short_number_stands_for_a_sender(sms):
    assert sms.send(sender=..., senderForResponse=True).status == 200
    assert sms.messages()[0]["sender"] is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"message": ...}, "missing (message)"),
        ({"message": ""}, "missing (message)"),
        ({"receivers": ...}, "missing (receivers)"),
        ({"receivers": []}, "missing (receivers)"),
        ({"sender": ...}, "missing (sender or senderForResponse)"),
        ({"text": "x"}, "not described (text)"),
        ({"receivers": "+33639980001"}, "wrong type (receivers)"),
        ({"noStopClause": "true"}, "wrong type (noStopClause)"),
        ({"differedPeriod": True}, "wrong type (differedPeriod)"),
        ({"priority": "urgent"}, "wrong value (priority)"),
        ({"coding": "16bit"}, "wrong value (coding)"),
        ({"tag": "x" * 21}, "too long (tag)"),
        ({"sender": "x" * 12}, "too long (sender)"),
    ],
)
def test_a_job_that_does_not_fit_the_description_is_refused(sms, changes, says):
    reply = sms.send(**changes)
    assert (reply.status, reply.json["class"]) == (400, "Client::BadRequest")
    assert reply.json["message"] == f"Invalid parameters: {says}"
    assert sms.messages() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]"])
def test_a_body_that_is_no_object_is_refused(sms, body):
    path = f"{SERVICE}/jobs"
    reply = sms.client.call("POST", path, body=body, headers=sms.signed("POST", path, body))
    assert reply.status == 400


def test_an_unknown_account_or_path_is_not_found(sms):
    for path in ("/1.0/sms/sms-zz-1", "/1.0/sms/sms-zz-1/jobs", "/1.0/mail", "/2.0/sms"):
        assert sms.call("GET", path).status == 404


def test_accounts_and_senders_can_be_read(sms):
    assert sms.call("GET", "/1.0/sms").json == ["sms-xx00000-1"]
    assert sms.call("GET", SERVICE).json["status"] == "enable"
    assert sms.call("GET", f"{SERVICE}/senders").json == ["NOUVEAU", "PARVIS"]
    assert sms.call("GET", f"{SERVICE}/senders/NOUVEAU").json["status"] == "waitingValidation"
    assert sms.call("GET", f"{SERVICE}/senders/INCONNU").status == 404
    assert sms.call("GET", "/1.0/auth/currentCredential").json["status"] == "validated"


def test_a_sent_message_is_found_again_by_its_tag(sms):
    sms.send()
    sms.send(tag="PV-OTHER")
    found = sms.call("GET", f"{SERVICE}/outgoing?tag=PV-7K3M9QXA").json
    assert found == [100_000_001]
    row = sms.call("GET", f"{SERVICE}/outgoing/100000001").json
    assert (row["receiver"], row["tag"], row["numberOfSms"]) == ("+33639980001", "PV-7K3M9QXA", 1)
    assert sms.call("GET", f"{SERVICE}/outgoing?tag=NOTHING").json == []
    assert sms.call("GET", f"{SERVICE}/outgoing/9").status == 404
    assert sms.call("GET", f"{SERVICE}/outgoing/x").status == 404
    assert sms.call("GET", f"{SERVICE}/outgoing?colour=red").status == 400
    assert sms.call("GET", f"{SERVICE}/jobs").json == []


def test_a_message_may_wait_in_the_jobs_before_it_is_sent(start_sms):
    sms = start_sms(unverified={"pending_s": 30, "timestamp_tolerance_s": 1000})
    sms.send()
    assert sms.call("GET", f"{SERVICE}/jobs").json == [100_000_001]
    assert sms.call("GET", f"{SERVICE}/jobs/100000001").json["tag"] == "PV-7K3M9QXA"
    assert sms.call("GET", f"{SERVICE}/outgoing?tag=PV-7K3M9QXA").json == []
    assert sms.call("GET", f"{SERVICE}/outgoing/100000001").status == 404


def test_a_message_that_waits_can_be_cancelled(sms):
    sms.send(differedPeriod=60)
    assert sms.call("DELETE", f"{SERVICE}/jobs/100000001").status == 200
    assert sms.call("DELETE", f"{SERVICE}/jobs/100000001").status == 404
    assert sms.call("GET", f"{SERVICE}/jobs/100000001").status == 404
    assert sms.call("GET", SERVICE).json["creditsLeft"] == 20
    assert sms.messages() == []


def send_at(sms, now, **changes):
    sms.turn(now)
    at = sms.client.call("GET", "/1.0/auth/time").json
    document = {"message": "Café", "receivers": ["+33639980001"], "sender": "PARVIS", **changes}
    reply = sms.call("POST", f"{SERVICE}/jobs", document, at=at)
    assert reply.status == 200, reply.body
    return sms.messages()[-1]


@pytest.mark.parametrize(
    ("now", "leaves_at"),
    [
        ("2030-01-07T09:00:00Z", "2030-01-07T09:00:0"),  # Monday, at once
        ("2030-01-07T21:00:00Z", "2030-01-08T07:00:00"),  # 22:00 in Paris
        ("2030-01-08T05:00:00Z", "2030-01-08T07:00:00"),  # 06:00 in Paris
        ("2030-07-01T06:30:00Z", "2030-07-01T06:30:0"),  # 08:30 in Paris, summer
        ("2030-01-12T22:00:00Z", "2030-01-14T07:00:00"),  # Saturday night
        ("2030-01-13T12:00:00Z", "2030-01-14T07:00:00"),  # Sunday
    ],
)
def test_marketing_carries_the_stop_text_and_waits_for_the_morning(sms, now, leaves_at):
    message = send_at(sms, now)
    assert message["text"] == "Café\nSTOP 36111"
    assert message["leaves_at"].startswith(leaves_at)


def test_a_service_message_leaves_at_any_hour_without_the_stop_text(sms):
    message = send_at(sms, "2030-01-13T02:00:00Z", noStopClause=True)
    assert message["text"] == "Café"
    assert message["leaves_at"].startswith("2030-01-13T02:00:0")


def test_revoked_credentials_leave_only_the_time(sms):
    sms.client.arm("auth_revoked")
    assert sms.send().json["errorCode"] == "INVALID_CREDENTIAL"
    assert sms.client.call("GET", "/1.0/auth/time").status == 200


def test_a_gateway_has_no_session_to_lose(sms):
    reply = sms.client.call("POST", "/_mock/faults", {"fault": "session_lost"})
    assert reply.status == 400


@pytest.mark.parametrize(
    ("code", "kind"), [(429, "Client::TooManyRequests"), (503, "Server::ServiceUnavailable")]
)
def test_an_outage_speaks_the_gateways_language(sms, code, kind):
    sms.client.arm("status", code=code, times=1)
    assert sms.send().json["class"] == kind


def test_a_cut_answer_leaves_one_message_that_bears_our_reference(sms):
    sms.client.arm("reset_after", operation="send_sms", times=1)
    with pytest.raises(ConnectionResetError):
        sms.send()
    sms.client.close()
    assert sms.call("GET", f"{SERVICE}/outgoing?tag=PV-7K3M9QXA").json == [100_000_001]
    assert len(sms.client.effects()) == 1


def test_a_hundred_messages_at_once_take_a_hundred_ids_and_stop_at_the_last_credit(sms, connect):
    statuses = []
    path = f"{SERVICE}/jobs"
    body = json.dumps(
        {"message": "x", "receivers": ["+33639980001"], "sender": "PARVIS", "noStopClause": True}
    )
    headers = sms.signed("POST", path, body.encode())

    def send():
        client = connect(sms.client.server.url)
        statuses.append(client.call("POST", path, body=body, headers=headers).status)

    threads = [threading.Thread(target=send) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 20 + [403] * 80
    assert len({message["id"] for message in sms.messages()}) == 20


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": 1},
        {"services": 3},
        {"services": {"x": {"colour": 1}}},
        {"services": {"x": {"senders": {"A": "maybe"}}}},
        {"unverified": {"colour": 1}},
    ],
)
def test_settings_that_are_wrong_are_refused(settings_of, changes):
    with pytest.raises(ValueError, match=r"colour|object|state"):
        build("sms_ovh", {**settings_of("sms_ovh"), **changes})


def test_settings_without_a_key_are_refused(settings_of):
    settings = settings_of("sms_ovh")
    del settings["consumer_key"]
    with pytest.raises(ValueError, match="consumer_key"):
        build("sms_ovh", settings)
