import pytest

from tests.fakes.partner import Hub


@pytest.fixture
def hub():
    return Hub()
