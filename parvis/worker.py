"""The worker process; its first statement makes every wait of the process cooperative.

It keeps time as well while nothing else does: with the embedded waker, unless told ``--no-timers``.
"""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from functools import partial  # noqa: E402
from typing import Final  # noqa: E402

from parvis.bootstrap import Hub  # noqa: E402
from parvis.process import Loop, run_loops  # noqa: E402

GRACE_SECONDS: Final = 40.0  # a stop takes 45 s at most, the last words of the process included
NO_TIMERS: Final = "--no-timers"


def main(arguments: Sequence[str] = ()) -> int:
    """Work until SIGTERM or SIGINT; returns the process's exit code."""
    return run_loops(partial(_loops, may_keep_time=NO_TIMERS not in arguments))


def _loops(hub: Hub, *, may_keep_time: bool) -> Sequence[Loop]:
    stop = partial(hub.worker.stop, grace_seconds=GRACE_SECONDS)
    loops = [Loop(name="worker", run=hub.worker.run, stop=stop)]
    if may_keep_time and hub.settings.broker_url is None:
        loops.append(Loop(name="timers", run=hub.timers.run, stop=hub.timers.stop))
    return loops


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
