"""R7: seeded fault schedules on real PostgreSQL, every invariant held after every step.

``PARVIS_TEST_SEEDS`` says how many (500 unless told), ``PARVIS_TEST_SEED`` plays one again.
"""

import pytest

from tests.reliability.ground import asked
from tests.reliability.reports import Report
from tests.reliability.schedule import run_seed

pytestmark = [pytest.mark.postgres]
SEEDS, ONE, FIRST = (asked(f"PARVIS_TEST_{name}", 0) for name in ("SEEDS", "SEED", "SEEDS_FROM"))
BLOCK = 50


def _blocks():
    if ONE:
        return [range(ONE, ONE + 1)]
    last = FIRST + (SEEDS or 500)
    return [range(start, min(start + BLOCK, last)) for start in range(FIRST, last, BLOCK)]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seeds", _blocks(), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_no_seed_breaks_an_invariant(ground, logs, seeds):
    report = Report(name="seeds", seed=f"{seeds.start}-{seeds.stop - 1}")
    for seed in seeds:
        run_seed(ground, seed, report, logs)
    report.say()
    assert report.is_clean
    assert report.ok == report.attempt
