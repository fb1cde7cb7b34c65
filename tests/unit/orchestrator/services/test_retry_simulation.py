from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.engine.retry import RetryPolicy
from orchestrator.services.contact_hours import ContactHours
from orchestrator.services.retry_simulation import LONGEST, Outage, simulate
from parvis.cli.retry import ZONE
from schemas.errors import ConfigurationError

DOWN = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)  # a Friday, 22:00 in Paris
POLICY = RetryPolicy.read("1s x2; 10s x1; 5min x2; then dead-letter")


def after(**length):
    return DOWN + timedelta(**length)


def test_the_first_try_is_the_one_that_fails_and_the_others_add_up():
    simulation = simulate(POLICY, Outage(down_at=DOWN))
    assert [each.at for each in simulation.tries] == [
        after(seconds=seconds) for seconds in (0, 1, 2, 12, 312, 612)
    ]
    assert [each.number for each in simulation.tries] == [1, 2, 3, 4, 5, 6]
    assert simulation.outcome == "stuck"
    assert simulation.resumed_at is None


def test_tries_end_with_the_first_one_after_the_system_is_back():
    simulation = simulate(POLICY, Outage(down_at=DOWN, back_at=after(minutes=4)))
    assert [each.is_answered for each in simulation.tries] == [False] * 4 + [True]
    assert simulation.outcome == "done"


def test_behind_the_breaker_everybody_goes_on_within_a_minute_of_the_return():
    for minutes in (1, 7, 600, 60 * 24 * 20):
        back_at = after(minutes=minutes, seconds=1)
        resumed_at = simulate(POLICY, Outage(down_at=DOWN, back_at=back_at)).resumed_at
        assert back_at < resumed_at <= back_at + timedelta(seconds=60)


def test_probes_double_to_half_a_minute():
    probes = simulate(POLICY, Outage(down_at=DOWN)).probes
    assert [(at - DOWN).total_seconds() for at in probes] == [5, 15, 35, 65]


def test_a_try_outside_the_hours_waits_for_them_and_the_next_ones_with_it():
    hours = ContactHours.read("Mon-Sat 08:00-22:00", ZONE)
    policy = RetryPolicy.read("1h x2; then wait-for-a-person")
    simulation = simulate(policy, Outage(down_at=after(minutes=-1), hours=hours))
    local = [each.at.astimezone(ZONE).strftime("%a %H:%M") for each in simulation.tries]
    assert local == ["Fri 21:59", "Sat 08:00", "Sat 09:00"]
    assert [each.put_off for each in simulation.tries] == [False, True, False]
    assert simulation.outcome == "waiting_human"


@pytest.mark.parametrize("back_at", [DOWN, after(seconds=-1), DOWN + LONGEST + timedelta(days=1)])
def test_an_outage_that_ends_before_it_begins_or_never_soon_is_refused(back_at):
    with pytest.raises(ConfigurationError):
        Outage(down_at=DOWN, back_at=back_at)


@pytest.mark.parametrize(
    ("text", "local", "allowed"),
    [
        ("Mon-Sat 08:00-22:00", "2026-11-20 12:00", "Fri 12:00"),
        ("Mon-Sat 08:00-22:00", "2026-11-20 22:00", "Sat 08:00"),
        ("Mon-Sat 08:00-22:00", "2026-11-21 22:30", "Mon 08:00"),
        ("Mon-Fri 09:00-18:00", "2026-11-20 18:00", "Mon 09:00"),
        ("Sat-Mon 09:00-18:00", "2026-11-24 10:00", "Sat 09:00"),
        ("Wed-Wed 09:00-18:00", "2026-11-25 19:00", "Wed 09:00"),
        ("Mon-Sun 20:00-02:00", "2026-11-20 01:30", "Fri 01:30"),
        ("Mon-Sun 20:00-02:00", "2026-11-20 02:00", "Fri 20:00"),
        ("Fri-Fri 20:00-02:00", "2026-11-21 01:00", "Sat 01:00"),
        ("Fri-Fri 20:00-02:00", "2026-11-20 01:00", "Fri 20:00"),
    ],
)
def test_hours_know_when_people_may_be_written_to(text, local, allowed):
    hours = ContactHours.read(text, ZONE)
    moment = datetime.fromisoformat(local).replace(tzinfo=ZONE).astimezone(UTC)
    found = hours.allowed_from(moment)
    assert found.astimezone(ZONE).strftime("%a %H:%M") == allowed
    assert found >= moment


@pytest.mark.parametrize(
    "text", ["", "08:00-22:00", "Lun-Sam 08:00-22:00", "Mon-Sat 8h-22h", "Mon-Sat 08:00-08:00"]
)
def test_hours_that_are_none_are_refused(text):
    with pytest.raises(ConfigurationError, match="Plage"):
        ContactHours.read(text, ZONE)
