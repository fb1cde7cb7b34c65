"""Runs some seeds on a database made for it: ``python -m tests.reliability.part URL FIRST STEP LAST``.

Several parts run at once, each on its own database: a part waits for its statements, one after the
other, and would leave the other cores idle.
"""

import json
import sys
import tempfile
from pathlib import Path

from parvis import logs as product_logs
from tests.reliability.ground import Ground
from tests.reliability.play import Logs
from tests.reliability.reports import Report
from tests.reliability.schedule import FailedSeedError, run_seed

MOST_FAILURES = 5


def main(url: str, first: int, step: int, last: int) -> int:
    """Run the seeds; one JSON line for each that fails and one for the report."""
    report, logs, failures = Report(name="seeds", seed=f"{first}:{last}:{step}"), Logs(), 0
    product_logs.configure(stream=logs.stream)
    with tempfile.TemporaryDirectory(prefix="parvis-seeds-") as folder:
        ground = Ground(url=url, folder=Path(folder))
        for seed in range(first, last, step):
            try:
                run_seed(ground, seed, report, logs)
            except FailedSeedError as error:
                failures += 1
                _say({"failed": seed, "said": str(error)})
                if failures >= MOST_FAILURES:
                    break
        ground.close()
    _say(vars(report))
    return 1 if failures else 0


def _say(document: object) -> None:
    sys.stdout.write(json.dumps(document, default=str) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
