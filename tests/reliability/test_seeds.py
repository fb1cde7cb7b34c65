"""R7: seeded fault schedules on real PostgreSQL, every invariant held after every step.

``PARVIS_TEST_SEEDS`` says how many (500 unless told), ``PARVIS_TEST_SEED`` plays one again, and
``PARVIS_TEST_MANY_SEEDS`` is for the long form (20,000 unless told, or its part of a campaign).
"""

import os

import pytest

from tests.reliability.ground import asked
from tests.reliability.many import run_many
from tests.reliability.reports import Report
from tests.reliability.schedule import run_seed
from tests.reliability.sizes import sized

SEEDS, FIRST = asked("PARVIS_TEST_SEEDS", 500), asked("PARVIS_TEST_FIRST_SEED", 0)
MANY = asked("PARVIS_TEST_MANY_SEEDS", sized(20_000))
PARTS = max(2, os.cpu_count() or 2)
pytestmark = [pytest.mark.postgres]


@pytest.mark.timeout(600)
def test_no_seed_breaks_an_invariant(ground, city_database, logs):
    if "PARVIS_TEST_SEED" in os.environ:
        seed = asked("PARVIS_TEST_SEED", 0)
        run_seed(ground, seed, Report(name="seeds", seed=seed), logs)
        return
    _hold(*run_many(city_database, first=FIRST, last=FIRST + SEEDS, parts=PARTS))


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_no_seed_of_many_breaks_an_invariant(city_database):
    first = FIRST + SEEDS
    _hold(*run_many(city_database, first=first, last=first + MANY, parts=PARTS))


def _hold(report, failures):
    report.unexpected += len(failures)
    report.say()
    assert not failures, "\n\n".join(failures)
    assert report.is_clean
    assert report.ok == report.attempt
