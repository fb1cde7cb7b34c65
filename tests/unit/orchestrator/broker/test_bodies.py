"""What travels on the bus: ids for us, CloudEvents for others, never a person."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from orchestrator.broker.consumer import Delivery
from orchestrator.broker.dead_letters import dead_wake
from orchestrator.broker.publisher import addressed
from orchestrator.broker.waker import prefetch_for, run_id_of
from orchestrator.services.ports.publishing import OutboxRow

RUN = UUID("0198c5a2-7b1e-7000-8000-000000000001")
NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)


def row(topic, payload=None):
    return OutboxRow(id=1, event_id="e-1", topic=topic, key=RUN, payload=payload, created_at=NOON)


def dead(body, **headers):
    return dead_wake(
        Delivery(tag=1, body=body, redelivered=False, message_id="e-1", headers=headers)
    )


def test_a_wake_is_the_runs_id_and_nothing_else():
    assert addressed(row("wake")) == ("parvis.journey", "wake", "text/plain", str(RUN).encode())


def test_an_event_is_a_cloud_event_whose_id_is_the_rows():
    exchange, key, kind, body = addressed(
        row("run.ended.v1", {"source": "/hub/runs", "id": "other", "data": {"outcome": "done"}})
    )

    assert (exchange, key) == ("parvis.events", "run.ended.v1")
    assert kind == "application/cloudevents+json"
    assert json.loads(body) == {
        "specversion": "1.0",
        "id": "e-1",
        "type": "run.ended.v1",
        "source": "/hub/runs",
        "time": "2026-09-01T12:00:00+00:00",
        "datacontenttype": "application/json",
        "data": {"outcome": "done"},
    }


def test_an_event_without_a_payload_is_still_one():
    assert json.loads(addressed(row("run.ended.v1"))[3])["source"] == "/hub"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xff\xfe",
        str(RUN).upper().encode(),
        b"{" + str(RUN).encode() + b"}",
        b"1" * 99,
    ],
)
def test_a_body_that_is_no_runs_id_names_no_run(body):
    assert run_id_of(body) is None


def test_a_dead_wake_says_why_it_died_and_names_its_run():
    found = dead(
        str(RUN).encode(),
        **{
            "x-first-death-reason": "delivery_limit",
            "x-death": [{"queue": "parvis.journey.v1", "count": 1, "routing-keys": ["wake"]}],
        },
    )

    assert (found.run_id, found.reason, found.message_id) == (RUN, "delivery_limit", "e-1")
    assert found.detail["deaths"] == [{"queue": "parvis.journey.v1", "count": "1"}]


def test_of_a_body_we_cannot_read_only_size_and_digest_are_kept():
    found = dead(b"Camille Durand, +33639980001", **{"x-first-death-reason": "<b>", "x-death": [3]})

    assert (found.run_id, found.reason) == (None, "unknown")
    assert "Camille" not in json.dumps(dict(found.detail))
    assert found.detail["body_bytes"] == 28


def test_a_dead_message_without_an_id_is_named_by_its_body():
    message = Delivery(tag=1, body=b"x", redelivered=False, message_id=None, headers={})

    assert dead_wake(message).message_id == dead_wake(message).message_id
    assert dead_wake(message).message_id.startswith("sha256:")


def test_what_a_foreign_program_wrote_fits_the_table_whatever_it_is():
    hostile = "\x00\ud800" + 300 * "é"
    message = Delivery(
        tag=1,
        body=b"x",
        redelivered=False,
        message_id=hostile,
        headers={"x-first-death-reason": [], "x-death": [{"queue": hostile, "reason": None}]},
    )

    found = dead_wake(message)

    written = json.dumps(dict(found.detail), ensure_ascii=False)
    assert (found.message_id + written).isprintable()
    assert len((found.message_id + written).encode()) < 1000
    assert found.reason == "unknown"


@pytest.mark.parametrize(("greenlets", "ahead"), [(1, 10), (64, 128), (128, 256), (2000, 400)])
def test_a_process_holds_twice_its_greenlets_within_reason(greenlets, ahead):
    assert prefetch_for(greenlets) == ahead
