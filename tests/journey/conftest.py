import tempfile
from pathlib import Path

import pytest

from tests.journey.driver import Demo


@pytest.fixture(scope="session")
def demo():
    """One demonstration for the session, its story told; tests use people and ids of their own."""
    with _folder() as place:
        made = Demo(Path(place) / "demo", "--json").start()
        try:
            made.table = made.wait_until_told()
            yield made
        finally:
            code = made.stop()
        assert code == 0, made.output


@pytest.fixture
def place():
    """A folder that the database's own user can reach: pytest keeps its own ones from others."""
    with _folder() as path:
        yield Path(path)


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "fault"


def _folder():
    return tempfile.TemporaryDirectory(prefix="parvis-journey-", ignore_cleanup_errors=True)
