"""R1, R3: kill -9 of everything, PostgreSQL included, while events come in: none lost, none twice."""

import pytest

from tests.crash.campaign import campaign, kills, shuffled
from tests.reliability.sizes import sized

pytestmark = [pytest.mark.journey, pytest.mark.postgres]


@pytest.mark.timeout(1200)
def test_nothing_is_lost_or_doubled_when_processes_are_killed_under_load(town, seed):
    place = town()
    beaten = kills(place, (4, "web"), (6, "worker"), (2, "postgres"))

    report = campaign(
        place,
        name="kills",
        seed=seed,
        events=1000,
        per_second=60,
        accidents=shuffled(seed, *beaten),
        every_seconds=1.0,
    )

    assert report.is_clean
    assert report.ok == report.acknowledged == report.attempt


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_nothing_is_lost_or_doubled_in_ten_thousand_events_and_two_hundred_kills(town, seed):
    place = town()
    beaten = kills(place, (sized(70), "web"), (sized(100), "worker"), (sized(30), "postgres"))

    report = campaign(
        place,
        name="kills_long",
        seed=seed,
        events=sized(10_000),
        drained_seconds=1800,
        per_second=50,
        accidents=shuffled(seed, *beaten),
        every_seconds=1.0,
    )

    assert report.is_clean
    assert report.ok == report.acknowledged == report.attempt
