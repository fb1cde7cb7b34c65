"""R5: a bad network between each pair of those who speak: nothing lost, nothing twice, the others well."""

import tempfile
import time
from pathlib import Path

import pytest

from tests.crash.campaign import DRAINED_SECONDS
from tests.crash.counting import counted, open_ones, still_open
from tests.crash.load import Load, People
from tests.crash.mixing import Mixer
from tests.crash.proxied import (
    FRONT,
    SICK,
    SYSTEMS,
    ProxiedTown,
    episodes,
    few_episodes,
    serve,
    spoil,
)
from tests.fakes.faulty_proxy import FAULTS, LATENCY, MIXED
from tests.plugins.requirements import require
from tests.reliability.sizes import sized
from tools.rabbitmq import Cluster, programs

pytestmark = [pytest.mark.journey, pytest.mark.postgres, pytest.mark.rabbitmq]
VHOST = "doors"
SICK_ALLOWANCE = 2.0  # of what the healthy ones take beside a well system …
CALM, SETTLED_SECONDS = 6.0, 5.0  # events a second that leave room
LEAST_SECONDS = 1.5  # … which is counted as so much at least


@pytest.fixture
def proxied(seed):
    """A town with a door between each pair, and what mixes its bus up."""
    if programs() is None:
        require("RabbitMQ", "les essais du réseau", "apt-get install rabbitmq-server")
    with tempfile.TemporaryDirectory(prefix="parvis-doors-", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(Path(folder) / "bus", vhosts=[VHOST])
        port = cluster.nodes[0].port
        made = ProxiedTown(Path(folder) / "town", broker_port=port, broker_vhost=VHOST, seed=seed)
        try:
            cluster.start()
            made.start()
            yield made, Mixer(cluster.nodes[0].url + VHOST, seed)
        finally:
            made.stop()
            cluster.stop()


@pytest.mark.timeout(1200)
def test_nothing_is_lost_or_doubled_on_a_bad_network(proxied, seed):
    plan = few_episodes(seed, seconds=0.8)

    report, _ = _campaign(
        proxied, "network", seed, plan=plan, events=240, per_second=12, beside_events=10
    )

    assert report.is_clean
    assert report.ok == report.acknowledged == report.attempt


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_nothing_is_lost_or_doubled_in_ten_thousand_events_on_a_bad_network(proxied, seed):
    every = episodes(seed, rounds=2, seconds=2.5, rest=0.8)
    plan = every[: sized(len(every), least=len(every) // 2)]  # every fault at every door

    report, (well, beside_sick) = _campaign(
        proxied,
        "network_long",
        seed,
        plan=plan,
        events=sized(9_600, least=2_000),
        per_second=40,
        beside_events=200,
    )

    assert report.is_clean
    assert report.ok == report.acknowledged == report.attempt
    assert beside_sick < SICK_ALLOWANCE * max(well, LEAST_SECONDS)


def _campaign(proxied, name, seed, *, plan, events, per_second, beside_events):
    """Send events while one library is sick, then while everything is, one after the other."""
    town, mixer = proxied
    people = People(town, seed)
    before, spells = _beside_a_sick_library(town, people, beside_events)
    load = Load(town, per_second=per_second, hubs=[town.front]).start(people.events(events))
    try:
        for episode in plan:
            spoil(town, episode, mixer)
        town.until(lambda: town.redeem_some() >= 0 and load.is_over, "events left", 900)
        drained = town.until(
            lambda: town.redeem_some() == 0 and still_open(town) == 0,
            lambda: f"these runs did not end: {open_ones(town)}",
            DRAINED_SECONDS,
        )
    finally:
        load.stop()
    for each in before:
        load.events += each.events
        load.answers += each.answers
    took = [town.waited(since, until) for since, until in spells]
    report = counted(town, load, name=name, seed=seed)
    report.more |= town.proxies.struck
    report.more |= {f"{name} died": number for name, number in town.deaths.items()}
    report.more["wakes mixed"] = mixer.mixed
    report.more["episodes"] = len(plan)
    report.more["drained in tenths of a second"] = round(drained * 10)
    report.more["p99 of healthy systems, ms"] = round(took[0] * 1000)
    report.more["p99 beside a sick one, ms"] = round(took[1] * 1000)
    report.say()
    _must_have_struck(town, mixer)
    return report, took


def _beside_a_sick_library(town, people, count):
    """Send events while all systems are well, then beside a sick one; returns the loads and their times."""
    loads, spells = [], []
    for fault in (None, LATENCY):
        since = town.now()
        if fault:
            town.proxies.arm(SYSTEMS[SICK], fault)
        load = Load(town, per_second=CALM, hubs=[town.front]).start(people.events(count))
        loads.append(load)
        town.until(lambda load=load: town.redeem_some() >= 0 and load.is_over, "events left", 300)
        load.stop()
        spells.append((since, town.now()))
        _settle(town, *spells[-1])  # what came last is served in the same spell
        town.proxies.heal()
    return loads, spells


def _settle(town, since, until):
    """Wait until the runs of a spell have their record, for some seconds at most: a sick library's have none."""
    end = time.monotonic() + SETTLED_SECONDS
    while town.under_way(since, until) and time.monotonic() < end:
        serve(town, 0.1)


def _must_have_struck(town, mixer):
    """A campaign whose faults touched nobody proves nothing."""
    struck = town.proxies.struck
    assert [fault for fault in FAULTS if not any(key.endswith(fault) for key in struck)] == []
    assert [fault for fault in MIXED if not struck.get(f"{FRONT} {fault}")] == []
    assert mixer.mixed
