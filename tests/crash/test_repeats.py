"""R6, R13, R14: the same event from many at once, five times too many, restarts that nobody feels."""

import json
import os
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mock_partners.senders import HubClient
from tests.crash.counting import counted, still_open
from tests.crash.load import UTILITY, Load, People
from tests.crash.town import GATEWAY, Town
from tests.reliability.reports import Report
from tests.reliability.sizes import sized

pytestmark = [pytest.mark.journey, pytest.mark.postgres, pytest.mark.timeout(900)]
QUOTA_A_MINUTE = 120
RESTARTS = int(os.environ.get("PARVIS_TEST_RESTARTS") or sized(50, least=2))


@pytest.fixture(scope="module")
def shared():
    with tempfile.TemporaryDirectory(prefix="parvis-town-", ignore_cleanup_errors=True) as folder:
        made = Town(Path(folder) / "town")
        made.start()
        yield made
        made.stop()


def test_the_same_event_a_hundred_times_from_sixteen_threads_has_one_effect(shared):
    people = People(shared, 6)
    event, sender, told = people.event(), shared.sender(UTILITY), []

    def send(count):
        client = HubClient(shared.hub)
        for _ in range(count):
            answer = client.send(sender.event(event.document, now=datetime.now(UTC)))
            told.append((answer.status, json.loads(answer.body)["results"][0]["status"]))
        client.close()

    threads = [threading.Thread(target=send, args=(100 // 16 + (n < 4),)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shared.until(lambda: shared.redeem_some() == 0 and still_open(shared) == 0, "no end", 240)

    counts = Counter(told)
    texts = shared.mock(GATEWAY).messages(receiver=event.phone)
    report = Report(name="repeats", seed=6, attempt=100, acknowledged=len(told), ok=1)
    report.duplicated = len(texts) - 1
    report.unexpected = 100 - counts[202, "accepted"] - counts[202, "duplicate"]
    report.say()
    assert counts == {(202, "accepted"): 1, (202, "duplicate"): 99}
    assert report.is_clean


def test_the_same_id_with_another_body_is_refused_and_changes_nothing(shared):
    event, sender = People(shared, 7).event(), shared.sender(UTILITY)
    client = HubClient(shared.hub)
    assert client.send(sender.event(event.document, now=datetime.now(UTC))).status == 202
    before = shared.rows("SELECT count(*) AS n FROM message")
    other = {**event.document, "data": {**event.document["data"], "commune": "13001"}}
    other["data"].pop("person", None)

    answer = client.send(sender.event(other, now=datetime.now(UTC)))

    client.close()
    assert answer.status == 422
    assert json.loads(answer.body)["type"].endswith("event-id-reused")
    assert shared.rows("SELECT count(*) AS n FROM message") == before


def test_five_times_too_many_events_are_slowed_down_and_all_accepted_ones_are_served(town):
    place = town(more={"PARVIS_REQUESTS_PER_MINUTE": str(QUOTA_A_MINUTE)})
    events = People(place, 13).events(5 * QUOTA_A_MINUTE)
    load = Load(place, threads=8, per_second=5 * QUOTA_A_MINUTE / 10).start(events)
    place.mend_for(12)
    load.stop()

    took = place.until(
        lambda: place.redeem_some() == 0 and still_open(place) == 0, "no recovery", 240
    )

    report = counted(place, load, name="overload", seed=13)
    report.more["drained in tenths of a second"] = round(took * 10)
    report.say()
    assert load.answers[429] > 0
    assert load.retry_after
    assert all(float(value) > 0 for value in load.retry_after)
    assert report.is_clean
    assert report.ok == report.acknowledged


def test_rolling_restarts_of_two_web_processes_fail_no_request(town):
    _restart(town, restarts=2, name="rolling")


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_fifty_rolling_restarts_fail_no_request(town):
    _restart(town, restarts=RESTARTS, name="rolling_long")


def _restart(town, *, restarts, name):
    """A sender goes to the one that says it is ready, as any balancer would."""
    place = town(more={"PARVIS_DRAIN_SECONDS": "2"})
    hubs = [place.hub, place.run_second_web()]
    load = Load(place, threads=4, per_second=30, hubs=hubs)
    load.start(People(place, 14).events(90 * restarts))
    slowest = 0.0
    for number in range(restarts):
        web = ("web", "web2")[number % 2]
        begun, pid = time.monotonic(), place.terminate(web)
        place.until(lambda pid=pid: pid in place.ended_at, "it did not end", 120)
        slowest = max(slowest, place.ended_at[pid] - begun)
        place.until(lambda web=web: place.answers(web), "not ready again", 120)
    place.until(lambda: load.is_over, "events left", 240)
    place.until(lambda: place.redeem_some() == 0 and still_open(place) == 0, "no end", 240)
    load.stop()

    report = counted(place, load, name=name, seed=14)
    report.more["restarts"] = restarts
    report.more["slowest exit in tenths of a second"] = round(slowest * 10)
    report.say()
    assert set(load.answers) <= {202, "accepted", "duplicate"}
    assert slowest < 30
    assert report.is_clean
    assert report.ok == report.attempt
