"""The scheduler process: timers, sweeper and chores; its first statement makes waits cooperative.

One is active at a time, by advisory lock; any other one stands by and takes over within seconds.
"""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402

from parvis.bootstrap import Hub  # noqa: E402
from parvis.process import Loop, run_loops  # noqa: E402


def main() -> int:
    """Keep time until SIGTERM or SIGINT; returns the process's exit code."""
    return run_loops(_loops)


def _loops(hub: Hub) -> Sequence[Loop]:
    return [Loop(name="timers", run=hub.timers.run, stop=hub.timers.stop)]


if __name__ == "__main__":
    sys.exit(main())
