"""Every fault of a system that receives calls, seen from the other end of the socket."""

import http.client
import json
import time

import pytest

from mock_partners.tampering import drifted
from mock_partners.wire import Request, json_answer

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
GONE = ConnectionError


def add(client, text="x"):
    return client.call("POST", "/lines", body=text)


def lines(client):
    client.clear()
    return client.call("GET", "/lines").json


def test_latency_delays_the_answer(ledger):
    ledger.arm("latency", ms=80, times=1)
    began = time.monotonic()
    assert add(ledger).status == 201
    assert 0.08 <= time.monotonic() - began < 2


def test_latency_jitters_within_its_bound(ledger_app):
    slept = []
    ledger_app._sleep = slept.append
    ledger_app.rig.faults.arm([{"fault": "latency", "ms": 100, "jitter_ms": 50, "seed": 2}])
    for _ in range(20):
        ledger_app.handle(Request(method="GET", target="/lines", headers={}))
    assert all(0.1 <= each < 0.15 for each in slept)
    assert len(set(slept)) == 20


def test_a_status_is_answered_in_the_systems_own_shape_and_nothing_is_done(ledger):
    ledger.arm("status", code=500, times=1)
    reply = add(ledger)
    assert (reply.status, reply.json) == (500, {"error": "the ledger is torn"})
    assert ledger.journal()[0]["effect"] is None
    assert lines(ledger) == []


def test_a_status_carries_its_retry_after_and_its_body(ledger):
    ledger.arm("status", code=429, retry_after=7, body={"error": "slower"}, times=1)
    reply = add(ledger)
    assert (reply.status, reply.headers["retry-after"]) == (429, "7")
    assert reply.json == {"error": "slower"}


def test_a_status_may_hide_work_that_was_done(ledger):
    ledger.arm("status", code=502, body="<html>bad gateway</html>", applied=True, times=1)
    reply = add(ledger)
    assert (reply.status, reply.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert ledger.journal()[0]["effect"] == {"kind": "line.added", "id": 1}


def test_down_on_one_port_resets_before_any_answer_and_is_cleared_there(ledger, connect):
    ledger.arm("down")
    caller = connect(ledger.server.url)
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            add(caller)
        caller.close()
    assert ledger.journal() == []
    ledger.clear()
    assert add(caller).status == 201


def test_down_with_a_control_port_refuses_connections_and_opens_the_same_port_again(
    start, connect, ledger_app
):
    caller = start(ledger_app, control_port=0)
    control = connect(caller.server.control_url)
    assert add(caller).status == 201
    control.arm("down")
    with pytest.raises(GONE):
        add(caller)  # the kept connection was cut too
    caller.close()
    with pytest.raises(ConnectionRefusedError):
        add(caller)
    caller.close()
    assert len(control.journal()) == 1
    control.clear()
    assert add(caller).status == 201


def test_with_a_control_port_the_faked_port_knows_no_control_and_the_reverse(
    start, connect, ledger_app
):
    caller = start(ledger_app, control_port=0)
    assert caller.call("GET", "/_mock/journal").status == 404
    assert connect(caller.server.control_url).call("GET", "/lines").status == 404


def test_a_bounded_down_with_a_control_port_resets_only_so_many_requests(
    start, connect, ledger_app
):
    caller = start(ledger_app, control_port=0)
    connect(caller.server.control_url).arm("down", times=1)
    with pytest.raises(ConnectionResetError):
        add(caller)
    caller.close()
    assert add(caller).status == 201


def test_reset_before_applies_nothing_but_is_journalled(ledger):
    ledger.arm("reset_before", times=1)
    with pytest.raises(ConnectionResetError):
        add(ledger)
    ledger.close()
    (entry,) = ledger.journal()
    assert (entry["operation"], entry["status"], entry["effect"]) == ("add", None, None)
    assert lines(ledger) == []


def test_reset_after_applies_the_effect_and_cuts_the_answer(ledger):
    ledger.arm("reset_after", times=1)
    with pytest.raises(ConnectionResetError):
        add(ledger)
    ledger.close()
    (entry,) = ledger.journal()
    assert (entry["status"], entry["effect"]) == (None, {"kind": "line.added", "id": 1})
    assert lines(ledger) == ["x"]


def test_truncate_announces_the_whole_body_and_sends_a_part(ledger):
    ledger.arm("truncate", bytes=5, times=1)
    with pytest.raises(http.client.IncompleteRead) as cut:
        add(ledger)
    assert cut.value.partial == b'{"lin'
    ledger.close()
    assert lines(ledger) == ["x"]


def test_truncate_always_cuts_something(ledger):
    ledger.arm("truncate", bytes=10_000, times=1)
    with pytest.raises(http.client.IncompleteRead) as cut:
        add(ledger)
    assert cut.value.expected == 1


def test_slow_drip_defeats_a_timeout_between_two_bytes(ledger):
    ledger.arm("slow_drip", bytes_per_s=1000, times=1)
    ledger.connection.timeout = 0.3
    began = time.monotonic()
    assert add(ledger, "x" * 200).status == 201
    assert time.monotonic() - began > 0.3


def test_the_wrong_charset_sends_other_bytes_than_it_declares(ledger):
    ledger.arm("charset", actual="latin-1", declared="utf-8", times=1)
    reply = add(ledger, "élève".encode())
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert json.loads(reply.body.decode("latin-1"))["line"] == "élève"
    with pytest.raises(UnicodeDecodeError):
        reply.body.decode()


def test_html_instead_of_an_answer(ledger):
    ledger.arm("html_200", times=1)
    reply = add(ledger)
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/html")
    assert reply.body.startswith(b"<!DOCTYPE html>")
    assert lines(ledger) == []


def test_a_success_without_a_body(ledger):
    ledger.arm("empty_200", times=1)
    reply = add(ledger)
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "0")


def test_a_duplicated_request_is_applied_and_journalled_as_often(ledger):
    ledger.arm("duplicate", n=3, times=1)
    assert add(ledger).json["count"] == 1
    assert len(ledger.effects()) == 3


def test_a_lost_session_is_refused_until_the_next_login(ledger):
    ledger.arm("session_lost", operation="add", times=1)
    assert add(ledger).status == 401
    assert add(ledger).status == 401
    ledger.call("POST", "/login")
    assert add(ledger).status == 201


def test_revoked_credentials_are_refused_until_cleared(ledger):
    ledger.arm("auth_revoked")
    assert [add(ledger).status, add(ledger).status] == [403, 403]
    ledger.clear()
    assert add(ledger).status == 201


def test_a_skewed_clock_is_the_systems_own_for_that_request_only(ledger):
    ledger.arm("clock_skew", seconds=7200, times=1)
    skewed, true = add(ledger).json["at"], add(ledger).json["at"]
    assert skewed > true


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("add", "new", {"line": "x", "count": 1, "kind": "new"}),
        ("drop", None, {"line": "x"}),
        ("retype", None, {"line": "x", "count": "1"}),
        ("retype", [1], {"line": "x", "count": [1]}),
    ],
)
def test_an_answer_drifts(ledger, kind, value, expected):
    pointer = "/kind" if kind == "add" else "/count"
    ledger.arm("drift", kind=kind, pointer=pointer, value=value, times=1)
    found = add(ledger).json
    found.pop("at")
    assert found == expected


def test_drift_reaches_into_lists_and_ignores_what_is_not_there():
    def drift(document, **params):
        return json.loads(drifted(json_answer(200, document), {"value": None, **params}).body)

    assert drift([{"a": "t"}, {"a": 2}], kind="retype", pointer="/a") == [
        {"a": {"value": "t"}},
        {"a": "2"},
    ]
    assert drift({"l": [{"a": 1}]}, kind="drop", pointer="/l/0/a") == {"l": [{}]}
    assert drift({"a": 1}, kind="drop", pointer="/b/c") == {"a": 1}
    assert drift({"a/b": 1}, kind="drop", pointer="/a~1b") == {}


def test_stopping_a_mock_ends_the_connections_it_keeps(start, ledger_app):
    client = start(ledger_app)
    assert client.call("GET", "/lines").status == 200
    client.server.stop()
    with pytest.raises(GONE):
        client.call("GET", "/lines")
