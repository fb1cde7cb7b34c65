"""A probe says up only when it is, at each of its levels, and tells why not in French."""

import pytest

from connectors.kit import catalogue
from schemas.receipts import ProbeLevel
from tests.contract.connectors.rigs import networked

pytestmark = [pytest.mark.enable_socket, pytest.mark.filterwarnings("ignore::UserWarning")]
EVERYONE = sorted(catalogue())
LEVELS = list(ProbeLevel)
BY_LEVEL = {level.value: level for level in LEVELS}


@pytest.mark.parametrize("level", LEVELS, ids=str)
@pytest.mark.parametrize("name", EVERYONE)
def test_a_healthy_system_is_up(rig, level):
    result = rig.profile.probe(level)
    assert result.is_up, (result.cause, result.remedy)
    assert result.level is level
    assert result.cause is None


@pytest.mark.parametrize("level", list(BY_LEVEL))
@pytest.mark.parametrize("name", EVERYONE)
def test_a_system_broken_at_a_level_is_not_up_at_this_level_nor_above(rig, level):
    rig.arm(**rig.contract["break"][level])
    broken_from = LEVELS.index(BY_LEVEL[level])
    for probed in LEVELS[broken_from:]:
        result = rig.profile.probe(probed)
        assert not result.is_up
        assert result.cause.endswith(".")
        assert result.remedy.endswith(".")


@pytest.mark.parametrize("level", list(BY_LEVEL)[1:])
@pytest.mark.parametrize("name", EVERYONE)
def test_a_system_broken_at_a_level_is_still_up_below(rig, level):
    rig.arm(**rig.contract["break"][level])
    assert rig.profile.probe(LEVELS[LEVELS.index(BY_LEVEL[level]) - 1]).is_up


@pytest.mark.parametrize("name", EVERYONE)
def test_a_probe_changes_nothing(rig):
    before = rig.effects()
    for level in LEVELS:
        rig.profile.probe(level)
    assert rig.effects() == before


@pytest.mark.parametrize("name", networked())
def test_a_probe_of_a_system_that_is_down_says_so_and_raises_nothing(rig):
    rig.arm("down")
    for level in LEVELS:
        result = rig.profile.probe(level)
        assert not result.is_up
        assert "connexion" in result.cause


@pytest.mark.parametrize("name", networked())
def test_a_probe_that_recovers_is_up_again(rig):
    rig.arm("down")
    assert not rig.profile.probe(ProbeLevel.TRANSACTION).is_up
    rig.clear()
    assert rig.profile.probe(ProbeLevel.TRANSACTION).is_up
