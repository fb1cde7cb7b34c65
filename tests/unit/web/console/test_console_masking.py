import json
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.services.connector_views import Health, health_of
from orchestrator.services.masking import (
    MOST_LINES,
    mask_address,
    mask_detail,
    mask_exchange,
    mask_message,
)
from orchestrator.services.ports.views import Body, LastExchange, StepRow, SystemRow
from orchestrator.services.run_views import drawn, sender_of
from schemas import events
from schemas.pii import HIDDEN

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
SECRETS = ("Canari", "0639980000", "+33639980000", "canari@example.org", "13055")


def written(shown):
    return "\n".join(f"{line.name} {line.text}" for line in shown.lines)


@pytest.mark.parametrize("name", sorted(events.catalogue()))
def test_of_an_event_only_what_its_schema_calls_open_is_shown(name):
    kind = events.catalogue()[name]
    body = {"id": "e1", "type": name, "subject": "Canari", "data": dict(kind.example)}

    shown = mask_message(Body(state="kept", value=body), name)

    open_lines = {line.name for line in shown.lines if not line.is_masked and line.text}
    personal = {path.rpartition("/")[2] for path in kind.personal}
    assert personal & open_lines == set()
    assert "Canari" not in written(shown)
    for secret in ("+33639980001", "Exemple", "Camille", "13055"):
        assert secret not in written(shown)


def test_the_open_members_of_an_event_are_shown():
    body = {"data": {"commune": "13055", "utility": "electricity"}, "id": "evt-1"}

    text = written(mask_message(Body(state="kept", value=body), "utility.contract_opened.v1"))

    assert "utility electricity" in text
    assert "id evt-1" in text
    assert f"commune {HIDDEN}" in text


def test_a_type_without_a_schema_shows_names_only():
    body = {"id": "e", "data": {"contact": {"address": "+33639980000"}}, "Canari": "Canari"}

    text = written(
        mask_message(Body(state="kept", value=body), "contact.verification_requested.v1")
    )

    assert "address" in text
    assert not any(secret in text for secret in SECRETS)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(
            {"Canari": {"name": "Canari", "list": ["0639980000", {"canari@example.org": 1}]}}
        ),
        json.dumps(["Canari", 13055, None, True]),
        json.dumps("Canari"),
        json.dumps({"a": {"b": {"c": {"d": {"e": {"f": {"g": "Canari"}}}}}}}),
        "to=%2B33639980000&name=Canari",
        "Canari=0639980000",
        "Bonjour Canari\nvotre code : 0639980000",
        "<nom>Canari</nom>",
        "reference;nom\nPV-1;Canari",
    ],
)
def test_of_an_exchange_no_value_is_ever_shown(content):
    body = Body(
        state="kept",
        value={"headers": {"X": "Canari"}, "query": "q=canari%40example.org", "body": content},
    )

    shown = mask_exchange(body)

    assert shown.lines
    assert not any(secret in written(shown) for secret in SECRETS)


def test_names_of_members_are_shown_and_values_masked_alike():
    body = Body(
        state="kept", value={"body": '{"surname": "C", "firstname": "Canari Canari Canari"}'}
    )

    assert written(mask_exchange(body)).splitlines() == [f"surname {HIDDEN}", f"firstname {HIDDEN}"]


@pytest.mark.parametrize("state", ["erased", "none"])
def test_a_body_that_is_not_there_says_so(state):
    assert mask_exchange(Body(state=state)).state == state
    assert mask_message(Body(state=state), "lease.signed.v1").state == state


def test_a_body_with_nothing_in_it_is_none():
    assert mask_exchange(Body(state="kept", value={"headers": {}, "body": None})).state == "none"


def test_a_very_long_body_is_cut_and_says_so():
    shown = mask_exchange(Body(state="kept", value={"body": json.dumps(["x"] * 5000)}))

    assert (len(shown.lines), shown.is_cut) == (MOST_LINES, True)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("POST ils.example.org/api/v1/patrons", "POST ils.example.org/api/v1/patrons"),
        ("PUT ils.example.org:443/api/v1/patrons/42", "PUT ils.example.org:443/api/v1/patrons/…"),
        ("GET x.example.org/1.0/sms/jobs/Canari", "GET x.example.org/1.0/sms/jobs/…"),
        ("GET x.example.org/u/canari%40example.org/", "GET x.example.org/u/…/"),
        ("SMTP mail.example.org:25", "SMTP mail.example.org:25"),
        ("FOLDER nord", "FOLDER nord"),
    ],
)
def test_an_address_keeps_its_words_and_loses_what_may_name_somebody(address, shown):
    assert mask_address(address) == shown


@pytest.mark.parametrize("detail", ["HTTP 503", "no connection in time", "unsendable_header"])
def test_our_own_words_about_an_error_are_shown(detail):
    assert mask_detail(detail) == detail


@pytest.mark.parametrize("detail", [None, "", "refused 0639980000", "Zoé", "x" * 200, "<b>"])
def test_what_may_be_a_systems_words_is_not(detail):
    assert mask_detail(detail) is None


@pytest.mark.parametrize(
    ("source", "sender"),
    [
        ("/partners/agence", "agence"),
        ("/partners/agence/Canari/0639980000", "agence"),
        ("/hub/citizen", "hub"),
        ("/hub", None),
        ("urn:canari", None),
        (None, None),
    ],
)
def test_of_a_source_only_the_partner_is_told(source, sender):
    assert sender_of(source) == sender


def row(seq, begun, ended):
    return StepRow(
        seq=seq,
        attempt=1,
        name="announce",
        outcome="ok",
        cause=None,
        error=None,
        started_at=NOW + timedelta(seconds=begun),
        ended_at=NOW + timedelta(seconds=ended),
        worker=None,
    )


def test_attempts_are_drawn_in_proportion():
    first, second = drawn([row(1, 0, 1), row(2, 1, 4)])

    assert (first.bar.left, first.bar.width) == (0, 25)
    assert (second.bar.left, second.bar.width) == (25, 75)
    assert first.pause is None
    assert second.pause is None


def test_a_long_wait_is_drawn_short_and_said():
    first, second = drawn([row(1, 0, 1), row(2, 86_401, 86_402)])

    assert second.pause == timedelta(days=1)
    assert second.pause_bar.width == pytest.approx(8)
    assert first.bar.width == pytest.approx(46)
    assert second.bar.left == pytest.approx(54)


def test_every_bar_is_seen_and_inside_the_drawing():
    for bars in (
        drawn([row(number, number * 10, number * 10 + 0.0001) for number in range(200)]),
        drawn([row(1, 0, 0)]),
        drawn([row(1, 0, 1), row(2, 0.5, 0.6)]),  # two clocks that disagree
        drawn([row(1, 0, 1), row(2, 1, 10_000), row(3, 10_000, 10_000.001)]),
    ):
        for attempt in bars:
            assert attempt.bar.width > 0
            assert attempt.bar.left >= 0
            assert attempt.bar.left + attempt.bar.width <= 100.01
    assert drawn([]) == []


def system(**changes):
    values = {
        "profile": "p",
        "connector": "c",
        "state": "live",
        "services": [],
        "is_paused": False,
        "cause": None,
        "reason": None,
        "paused_at": None,
        "next_probe_at": None,
        "last": None,
        "last_success_at": None,
        "waiting": 0,
    }
    return SystemRow(**(values | changes))


def last(outcome, status):
    return LastExchange(operation="send", outcome=outcome, status=status, ended_at=NOW)


@pytest.mark.parametrize(
    ("row", "health"),
    [
        (system(), Health.UNKNOWN),
        (system(last=last("ok", 201)), Health.ANSWERS),
        (system(last=last("ok", None)), Health.ANSWERS),
        (system(last=last("refused", 404)), Health.ANSWERS),
        (system(last=last("refused", 401)), Health.REFUSES_US),
        (system(last=last("refused", 429)), Health.FAILS),
        (system(last=last("refused", 503)), Health.FAILS),
        (system(last=last("timeout", None)), Health.FAILS),
        (system(last=last("ok", 200), is_paused=True, cause="access"), Health.PAUSED),
        (system(last=last("ok", 200), is_paused=True, cause="outage"), Health.FAILS),
        (system(last=last("ok", 200), is_paused=True, cause="hand"), Health.HELD),
        (system(state="paused", is_paused=True), Health.OFF),
        (system(state="draft"), Health.DRAFT),
    ],
)
def test_what_is_not_known_is_not_up(row, health):
    assert health_of(row) is health
