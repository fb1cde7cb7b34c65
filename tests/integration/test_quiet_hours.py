"""Messages that wait for the hours in which people are written to: by a timer that outlives us all."""

from datetime import timedelta

import pytest

from orchestrator.engine.journey import Done, Local, Notify
from schemas import clock
from tests.fakes.running import Ground, journey

pytestmark = pytest.mark.postgres
CONTACT = {"contact": {"channel": "sms", "address": "+33639980001"}}


@pytest.fixture
def ground(database, vault, hub_keys):
    return Ground(database, vault, hub_keys)


@pytest.fixture
def night(ground):
    """It is night for a day; ``night.clear()`` makes it morning."""
    until = [clock.utcnow() + timedelta(days=1)]
    ground.may_send_at = lambda _purpose, context: until[0] if until else context.now
    return until


def news(ground):
    return ground.knows(
        journey(Notify("library.code", purpose="library.news"), Local("last", lambda _c: Done()))
    )


def test_a_message_waits_in_its_row_and_leaves_no_try_behind(ground, night):
    run_id = ground.start(news(ground), **CONTACT)
    run = ground.run(run_id)
    assert (run.status, run.waiting_for) == ("waiting_timer", "hours:notify_library_code")
    assert abs(run.wake_at - night[0]) < timedelta(minutes=5)
    assert ground.log(run_id) == []


def test_a_timer_that_comes_too_early_waits_on(ground, night):
    run_id = ground.start(news(ground), **CONTACT)
    ground.pass_time(run_id)
    run = ground.run(run_id)
    assert (run.status, run.wake_at > clock.utcnow()) == ("waiting_timer", True)


def test_the_consent_is_read_again_when_the_message_leaves(ground, night):
    run_id = ground.start(news(ground), **CONTACT)
    ground.gate.is_open = False
    night.clear()
    ground.pass_time(run_id)
    assert ground.state(run_id) == ("done", None)
    row = ground.one("SELECT outcome, cause FROM step WHERE name = 'notify_library_code'")
    assert tuple(row.values()) == ("skipped", "no_basis")


def test_a_run_that_waits_for_the_morning_can_be_stopped(ground, night):
    run_id = ground.start(news(ground), **CONTACT)
    ground.runs.cancel(run_id, actor="cli:ana")
    ground.go()
    assert ground.state(run_id) == ("cancelled", None)
