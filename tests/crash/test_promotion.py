"""Beyond one machine: a primary and its synchronous standby, three nodes of RabbitMQ, two of each process.

The primary dies for good under load and its standby is promoted; a node of the bus, the active relay and
the active scheduler die beside it. Nothing accepted is lost.
"""

import os
import signal
from functools import cached_property

import pytest

from parvis.demo.folder import HOST
from parvis.demo.processes import Server
from tests.crash.bus import Bus
from tests.crash.campaign import campaign, kills, shuffled
from tests.crash.standby import Pair
from tests.crash.town import Town
from tests.reliability.sizes import sized

pytestmark = [pytest.mark.journey, pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.slow]


class PairedTown(Town):
    """A town whose database is a pair, on a bus of three."""

    bus: Bus

    @cached_property
    def pair(self) -> Pair:
        folder = self.folder.path / "pair"
        folder.mkdir(exist_ok=True)
        return Pair(folder, self.city.ports["postgres"])

    @cached_property
    def _postgres(self):
        return self.pair.primary

    @property
    def database_url(self) -> str:
        return self.pair.url

    def _start_database(self) -> None:
        super()._start_database()
        self.pair.follow()

    def lose_primary(self) -> int:
        """Kill -9 the primary for good and promote the standby."""
        server = self.crew._posts.pop("postgres").child
        assert isinstance(server, Server)
        pid = server.pid
        os.kill(pid, signal.SIGKILL)
        server.stop()
        self.kills += 1
        self.pair.promote()
        return pid

    def stop(self) -> None:
        super().stop()
        self.pair.standby.stop()


@pytest.fixture
def paired(tmp_path_factory, buses):
    bus = buses(3)
    folder = tmp_path_factory.mktemp("paired")
    made = PairedTown(folder / "town", broker_url=bus.url(), beside=bus.mend)
    made.bus = bus
    made.start()
    yield made
    made.stop()


@pytest.mark.timeout(1800)
def test_a_promoted_standby_has_everything_that_was_accepted(paired, seed):
    beaten = kills(
        paired, (1, "web"), (1, "worker"), (1, "worker2"), (1, "relay"), (1, "scheduler")
    )

    report = campaign(
        paired,
        name="promotion",
        seed=seed,
        events=sized(1000, least=200),
        per_second=20,
        accidents=shuffled(
            seed,
            *beaten,
            (2, "kill node", paired.bus.kill_node),
            (1, "kill primary", paired.lose_primary),
        ),
        every_seconds=4.0,
    )

    assert HOST in paired.database_url
    assert report.more["kill primary"] == 1
    assert report.is_clean
    assert report.ok == report.acknowledged == report.attempt
