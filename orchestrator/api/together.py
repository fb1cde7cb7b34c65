"""Takes the items of a batch at once, so that they wait for one commit and not for fifty.

They begin in order and the inbox keeps that order; each item's own errors are its result.
"""

from collections.abc import Sequence

import gevent

from orchestrator.services.intake import ItemResult, Job


def all_together(jobs: Sequence[Job]) -> Sequence[ItemResult]:
    """Run the jobs in greenlets; an error that is no result is raised, after all have ended."""
    running = [gevent.spawn(job) for job in jobs]
    gevent.joinall(running)
    return [greenlet.get() for greenlet in running]
