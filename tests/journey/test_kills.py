"""kill -9 at the named points, during the life of an event: nothing lost, one record, one text."""

import json

import pytest

from tests.journey.driver import until

pytestmark = [pytest.mark.journey, pytest.mark.postgres, pytest.mark.timeout(180)]

UTILITY = "utility.contract_opened.v1"
COMMUNE, LIBRARY, GATEWAY = "13055", "koha_marseille", "sms_city"
WORKER_POINTS = ("worker.before_call", "worker.after_call", "worker.after_commit")


@pytest.fixture(autouse=True)
def _without_fault_afterwards(demo):
    yield
    for name in (LIBRARY, GATEWAY):
        demo.mock(name).mend()
    demo.set_fault(None, None)


@pytest.mark.parametrize("point", WORKER_POINTS)
@pytest.mark.parametrize("system", [GATEWAY, LIBRARY])
def test_a_worker_killed_around_a_call_makes_the_call_once(demo, marker, system, point):
    """The run stands before the call, held back by the system's fault, when the worker is armed."""
    person = demo.newcomer()
    event = demo.event(UTILITY, COMMUNE, person)
    demo.mock(system).arm("down")
    assert demo.post(event).status == 202
    demo.until_run(event, lambda run: run.status == "waiting_timer", "the run does not wait")

    demo.set_fault(point, marker)
    demo.kill("worker")
    demo.mock(system).mend()

    _assert_struck(marker, point)
    _assert_served_once(demo, event, person)


def test_a_worker_killed_before_it_lets_go_of_a_wake_does_nothing_twice(demo, marker):
    person = demo.newcomer()
    event = demo.event(UTILITY, COMMUNE, person)
    demo.set_fault("waker.before_delete", marker)
    demo.kill("worker")

    assert demo.post(event).status == 202

    _assert_struck(marker, "waker.before_delete")
    _assert_served_once(demo, event, person)


def test_a_web_process_killed_after_its_commit_has_lost_nothing(demo, marker):
    """The answer is cut off; the sender asks again and is told that the event was here already."""
    person = demo.newcomer()
    event = demo.event(UTILITY, COMMUNE, person)
    demo.set_fault("intake.after_commit", marker)
    demo.kill("web")

    cut_off = demo.post(event)
    again = demo.post_until_answered(event)

    assert cut_off is None
    _assert_struck(marker, "intake.after_commit")
    assert again.status == 202
    assert json.loads(again.body)["results"][0]["status"] == "duplicate"
    _assert_served_once(demo, event, person)


def test_web_and_worker_killed_at_once_while_events_arrive_lose_none(demo):
    people = [demo.newcomer() for _ in range(6)]
    events = [demo.event(UTILITY, COMMUNE, person, has_person=False) for person in people]
    for number, event in enumerate(events):
        answer = demo.post_until_answered(event)
        assert answer.status == 202
        if number == 2:
            demo.kill("worker")
        if number == 4:
            demo.kill("web")

    for event, person in zip(events, people, strict=True):
        demo.until_run(event, lambda run: run.is_waiting_for_code, "a run did not go on")
        assert len(demo.code_sent_to(person.phone)) == 1


def _assert_struck(marker, point):
    """The fault really killed a process: a test of nothing would pass as well."""
    path = marker.with_name(f"{marker.name}.{point}")
    until(path.exists, f"nothing was killed at {point}", 40)


def _assert_served_once(demo, event, person):
    waiting = demo.until_run(
        event, lambda run: run.is_waiting_for_code, "the run did not go on", 60
    )
    (code,) = demo.code_sent_to(person.phone)
    done = demo.activate(code)
    assert done.url.endswith("/code/active")
    demo.until_run(event, lambda run: run.status == "done", "the run did not end", 60)

    row = demo.facts.preregistration(event["source"], event["subject"])
    library = demo.mock(LIBRARY)
    records = library.patrons(row["our_ref"])
    created = [e for e in library.effects("patron.created") if e["reference"] == row["our_ref"]]
    messages = demo.mock(GATEWAY).messages(receiver=person.phone)
    assert (row["state"], len(records), len(created), len(messages)) == ("activated", 1, 1, 1)
    assert records[0]["category_id"] == "ADULTE"
    assert len(demo.facts.notifications(waiting.id)) == 1
    assert len(demo.facts.codes(waiting.id)) == 1
