"""R1, R3: kill -9 of everything, PostgreSQL included, while events come in: none lost, none twice."""

import pytest

from tests.crash.campaign import campaign, shuffled

pytestmark = [pytest.mark.journey, pytest.mark.postgres]


@pytest.mark.timeout(420)
def test_nothing_is_lost_or_doubled_when_processes_are_killed_under_load(town, seed):
    place = town()
    accidents = shuffled(
        seed,
        (4, lambda: place.kill("web")),
        (6, lambda: place.kill("worker")),
        (2, lambda: place.kill("postgres")),
    )

    report = campaign(
        place,
        name="kills",
        seed=seed,
        events=400,
        per_second=40,
        accidents=accidents,
        every_seconds=1.0,
    )

    assert report.is_clean
    assert report.ok == report.acknowledged == report.attempt


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_nothing_is_lost_or_doubled_in_ten_thousand_events_and_two_hundred_kills(town, seed):
    place = town()
    accidents = shuffled(
        seed,
        (70, lambda: place.kill("web")),
        (100, lambda: place.kill("worker")),
        (30, lambda: place.kill("postgres")),
    )

    report = campaign(
        place,
        name="kills_long",
        seed=seed,
        events=10_000,
        drained_seconds=900,
        per_second=50,
        accidents=accidents,
        every_seconds=1.0,
    )

    assert report.is_clean
    assert report.ok == report.acknowledged == report.attempt
