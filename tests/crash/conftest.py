import os
import secrets
import tempfile
from pathlib import Path

import pytest

from tests.crash.bus import Bus
from tests.crash.town import Town
from tests.plugins.requirements import require
from tools.rabbitmq import programs


@pytest.fixture
def seed():
    """The seed of this campaign: given, or drawn and told."""
    return int(os.environ.get("PARVIS_TEST_SEED") or secrets.randbits(31))


@pytest.fixture
def town():
    """Builds towns; each is stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="parvis-town-", ignore_cleanup_errors=True) as folder:
        made = []

        def build(**how):
            made.append(Town(Path(folder) / f"town{len(made)}", **how))
            made[-1].start()
            return made[-1]

        yield build
        for each in made:
            each.stop()


@pytest.fixture(scope="module")
def buses():
    """Builds buses of so many nodes; each is stopped at the end."""
    if programs() is None:
        require("RabbitMQ", "les essais du bus", "apt-get install rabbitmq-server")
    with tempfile.TemporaryDirectory(prefix="parvis-bus-", ignore_cleanup_errors=True) as folder:
        made = []

        def build(nodes):
            made.append(Bus(Path(folder) / f"bus{len(made)}", nodes=nodes))
            return made[-1]

        yield build
        for bus in made:
            bus.cluster.stop()
