"""Beyond one machine: the primary dies under load, its standby is promoted, nothing accepted is lost."""

import os
import signal
from functools import cached_property

import pytest

from parvis.demo.folder import HOST
from parvis.demo.processes import Server
from tests.crash.campaign import campaign
from tests.crash.standby import Pair
from tests.crash.town import Town

pytestmark = [pytest.mark.journey, pytest.mark.postgres, pytest.mark.slow]


class PairedTown(Town):
    """A town whose database is a pair."""

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

    def lose_primary(self) -> None:
        """Kill -9 the primary for good and promote the standby."""
        server = self.crew._posts.pop("postgres").child
        assert isinstance(server, Server)
        os.kill(server.pid, signal.SIGKILL)
        server.stop()
        self.kills += 1
        self.pair.promote()

    def stop(self) -> None:
        super().stop()
        self.pair.standby.stop()


@pytest.fixture
def paired(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paired")
    made = PairedTown(folder / "town")
    made.start()
    yield made
    made.stop()


@pytest.mark.timeout(600)
def test_a_promoted_standby_has_everything_that_was_accepted(paired, seed):
    report = campaign(
        paired,
        name="promotion",
        seed=seed,
        events=300,
        per_second=20,
        accidents=[lambda: paired.kill("worker"), paired.lose_primary, lambda: paired.kill("web")],
        every_seconds=4.0,
        drained_seconds=120,
    )

    assert HOST in paired.database_url
    assert report.is_clean
    assert report.ok == report.acknowledged == report.attempt
