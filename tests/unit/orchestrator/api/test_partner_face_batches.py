"""Batches: one result per item, and no item that blocks another."""

import gzip
import json

import pytest

from tests.fakes.partner import (
    arrival,
    event,
)

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
