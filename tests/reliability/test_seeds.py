"""R7: seeded fault schedules on real PostgreSQL, every invariant held after every step.

``PARVIS_TEST_SEEDS`` says how many (500 unless told), ``PARVIS_TEST_SEED`` plays one again.
"""

import os

import pytest

from tests.reliability.ground import asked
from tests.reliability.many import run_many
from tests.reliability.reports import Report
from tests.reliability.schedule import run_seed

SEEDS, FIRST = asked("PARVIS_TEST_SEEDS", 500), asked("PARVIS_TEST_FIRST_SEED", 0)
pytestmark = [pytest.mark.postgres, pytest.mark.timeout(300 + 2 * SEEDS)]


def test_no_seed_breaks_an_invariant(ground, logs):
    if "PARVIS_TEST_SEED" in os.environ:
        seed = asked("PARVIS_TEST_SEED", 0)
        run_seed(ground, seed, Report(name="seeds", seed=seed), logs)
        return
    report, failures = run_many(
        ground, first=FIRST, last=FIRST + SEEDS, parts=max(2, os.cpu_count() or 2)
    )
    report.say()
    assert not failures, "\n\n".join(failures)
    assert report.is_clean
    assert report.ok == report.attempt
