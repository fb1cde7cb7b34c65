import pytest

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def test_the_journal_tells_each_request_in_order_with_its_effect(ledger):
    ledger.call("POST", "/lines", body="PV-1", headers={"Idempotency-Key": '"run:step"'})
    ledger.call("GET", "/lines")
    first, second = ledger.journal()
    assert first.pop("at").endswith("Z")
    assert first == {
        "seq": 1,
        "operation": "add",
        "idempotency_key": "run:step",
        "reference": "PV-1",
        "status": 201,
        "effect": {"kind": "line.added", "id": 1},
    }
    assert (second["seq"], second["operation"], second["effect"]) == (2, "list", None)


def test_the_journal_is_read_by_pages(ledger):
    for number in range(5):
        ledger.call("POST", "/lines", body=str(number))
    page = ledger.call("GET", "/_mock/journal?after=2&limit=2").json["entries"]
    assert [(entry["seq"], entry["reference"]) for entry in page] == [(3, "2"), (4, "3")]


def test_control_requests_are_never_journalled(ledger):
    ledger.arm("latency", ms=0)
    ledger.clear()
    ledger.call("GET", "/_mock/clock")
    assert ledger.journal() == []


def test_reset_forgets_state_faults_journal_and_clock(ledger):
    ledger.call("POST", "/lines", body="x")
    ledger.arm("status", code=500)
    ledger.call("PUT", "/_mock/clock", {"now": "2030-01-01T00:00:00Z"})
    assert ledger.call("POST", "/_mock/reset").json == {"reset": True}
    assert ledger.call("GET", "/lines").json == []
    assert [entry["seq"] for entry in ledger.journal()] == [1]
    assert not ledger.call("GET", "/_mock/clock").json["now"].startswith("2030")


def test_the_clock_is_turned_and_goes_on(ledger):
    reply = ledger.call("PUT", "/_mock/clock", {"now": "2030-01-01T02:00:00+02:00"})
    assert reply.json["now"].startswith("2030-01-01T00:00:0")
    added = ledger.call("POST", "/lines", body="x")
    assert added.json["at"].startswith("2030-01-01T00:0")
    assert added.headers["date"].startswith("Tue, 01 Jan 2030 00:0")
    assert ledger.journal()[0]["at"].startswith("2030-01-01T00:0")


@pytest.mark.parametrize("now", [None, 3, "tomorrow", "2030-01-01T00:00:00"])
def test_a_time_that_is_none_is_refused(ledger, now):
    assert ledger.call("PUT", "/_mock/clock", {"now": now}).status == 400


def test_armed_faults_are_listed_as_they_will_strike(ledger):
    ledger.arm("latency", ms=5, operation="a*", after=1, times=2, probability=0.5, seed=9)
    assert ledger.call("GET", "/_mock/faults").json["faults"] == [
        {
            "fault": "latency",
            "operation": "a*",
            "after": 1,
            "times": 2,
            "probability": 0.5,
            "seed": 9,
            "ms": 5,
            "jitter_ms": 0,
        }
    ]
    assert ledger.call("DELETE", "/_mock/faults").json == {"cleared": 1}


def test_several_faults_are_armed_at_once_or_none_of_them(ledger):
    good, bad = {"fault": "latency", "ms": 1}, {"fault": "no_such_fault"}
    assert ledger.call("POST", "/_mock/faults", [good, bad]).status == 400
    assert ledger.call("GET", "/_mock/faults").json["faults"] == []
    assert ledger.call("POST", "/_mock/faults", [good, good]).status == 200


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"fault": "no_such_fault"}, "latency"),
        ({"fault": "replay"}, "this mock knows"),
        ({"fault": "latency"}, "needs ['ms']"),
        ({"fault": "latency", "ms": "5"}, "ms is a number"),
        ({"fault": "latency", "ms": -1}, "at least 0"),
        ({"fault": "latency", "ms": True}, "ms is a number"),
        ({"fault": "down", "ms": 5}, "does not know ['ms']"),
        ({"fault": "down", "operation": "fly"}, "matches none"),
        ({"fault": "down", "times": "1"}, "times is an integer"),
        ({"fault": "down", "probability": "often"}, "probability"),
        ({"fault": "drift", "kind": "body", "pointer": "/a"}, "the kind of drift"),
        ({"fault": "charset", "actual": "klingon", "declared": "utf-8"}, "klingon"),
        ("down", "a fault is an object"),
    ],
)
def test_a_fault_that_cannot_strike_is_refused_in_words(ledger, fault, says):
    reply = ledger.call("POST", "/_mock/faults", fault)
    assert reply.status == 400
    assert says in reply.json["error"]


def test_a_control_body_that_is_no_json_is_refused(ledger):
    assert ledger.call("POST", "/_mock/faults", body="{").status == 400


def test_an_unknown_control_route_names_those_that_exist(ledger):
    reply = ledger.call("GET", "/_mock/journals")
    assert reply.status == 404
    assert "GET /_mock/journal" in reply.json["routes"]


def test_a_mock_may_show_more_pages(ledger):
    ledger.call("POST", "/lines", body="x")
    assert ledger.call("GET", "/_mock/lines").json == {"lines": ["x"]}


def test_the_operations_that_a_fault_may_name_are_listed(ledger):
    listed = ledger.call("GET", "/_mock/operations").json["operations"]
    assert listed == ["add", "list", "login", "unknown"]
