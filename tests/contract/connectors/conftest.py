import pytest

from tests.contract.connectors.rigs import rig_for


@pytest.fixture
def rig(name, tmp_path):
    """The connector of this test in front of its misbehaving system."""
    with rig_for(name, tmp_path) as running:
        yield running
