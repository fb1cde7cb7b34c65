"""R1, R3, R4 on RabbitMQ: two workers, two relays, two schedulers; nodes killed, queues wiped."""

import pytest

from tests.crash.campaign import Accident, campaign, kills, shuffled
from tests.reliability.sizes import sized

pytestmark = [pytest.mark.journey, pytest.mark.postgres, pytest.mark.rabbitmq]


@pytest.mark.timeout(1200)
def test_nothing_is_lost_when_the_bus_and_all_around_it_are_killed_or_wiped(town, buses, seed):
    bus = buses(1)
    place = town(broker_url=bus.url(), beside=bus.mend)
    beaten = kills(
        place,
        (2, "web"),
        (2, "worker"),
        (2, "worker2"),
        (2, "relay"),
        (1, "relay2"),
        (1, "scheduler"),
        (1, "postgres"),
    )

    accidents = shuffled(seed, *beaten, (1, "kill node", bus.kill_node))
    # early, so that the leases of what was in the queue run out while the rest goes on
    accidents.insert(2, Accident(name="wipe", act=bus.wipe))

    report = campaign(
        place,
        name="bus",
        seed=seed,
        events=1000,
        per_second=60,
        accidents=accidents,
        every_seconds=1.0,
    )

    assert report.is_clean
    assert report.ok == report.acknowledged == report.attempt


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_nothing_is_lost_on_three_nodes_for_long(town, buses, seed):
    bus = buses(3)
    place = town(broker_url=bus.url(), beside=bus.mend)
    beaten = kills(
        place,
        (sized(40), "web"),
        (sized(40), "worker"),
        (sized(40), "worker2"),
        (sized(30), "relay"),
        (sized(20), "scheduler"),
        (sized(30), "postgres"),
    )
    accidents = shuffled(
        seed, *beaten, (sized(30), "kill node", bus.kill_node), (sized(4), "wipe", bus.wipe)
    )

    report = campaign(
        place,
        name="bus_long",
        seed=seed,
        events=sized(10_000),
        drained_seconds=1800,
        per_second=40,
        accidents=accidents,
        every_seconds=1.2,
    )

    assert report.is_clean
    assert report.ok == report.acknowledged == report.attempt
