import pytest

from tests.security.fuzz_signatures import REASONS, fuzz


def test_ten_thousand_hostile_deliveries_are_refused_each_for_a_declared_reason():
    assert set(fuzz(10_000, seed=1)) == REASONS


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_hundred_thousand_hostile_deliveries_are_refused_each_for_a_declared_reason():
    assert set(fuzz(200_000, seed=2)) == REASONS
