import os
import secrets
import tempfile
from pathlib import Path

import pytest

from tests.crash.town import Town


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
