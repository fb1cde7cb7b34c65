"""What every long-lived process of the hub does: read its settings, show figures, stop in order.

Imported by entry modules after they made the process's waits cooperative.
"""

import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import gevent
import psycopg.waiting
import structlog
from gevent.event import Event

from orchestrator.store.figures import FigureRows
from parvis.blocked_loop import LoopWatch
from parvis.bootstrap import Hub, open_hub
from parvis.logs import configure
from parvis.metrics import TableCollector, serve, shared_registry
from parvis.settings import Settings
from schemas.errors import ConfigurationError

STOPPED: Final = 0
LOOP_DIED: Final = 1
COOPERATION_FAILED: Final = 70
MISCONFIGURED: Final = 78
STOP_SECONDS: Final = 44.0  # a stop takes 45 s at most
HASTY_STOP_SECONDS: Final = 2.0  # nothing can be finished without the part that died
LAST_WORD_SECONDS: Final = 1.0
YOUNG_OBJECTS: Final = 20_000  # a look at 700, as usual, finds the runs in hand and nothing to free
_LOOK_SECONDS: Final = 60.0
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """Something that runs until it is stopped; ``stop`` may take its time."""

    name: str
    run: Callable[[], None]
    stop: Callable[[], None]


def run_loops(loops_of: Callable[[Hub], Sequence[Loop]]) -> int:
    """Run a process of the hub until SIGTERM or SIGINT; returns its exit code.

    The first loop that dies ends them all: whoever started the process starts it again. So does the
    committer's death, without which nothing could be written any more.
    """
    if not waits_cooperate():
        return COOPERATION_FAILED
    try:
        settings = Settings.read(os.environ)
        configure(settings.log_format)
        hub = open_hub(settings)
        loops = loops_of(hub)
    except ConfigurationError as error:
        sys.stderr.write("".join(f"{fault}\n" for fault in error.faults))
        return MISCONFIGURED
    serve_figures(hub)
    settle_down()
    return _until_stopped(hub, loops)


def settle_down() -> None:
    """Tell the collector of cycles that what was loaded stays, and to look less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)


def waits_cooperate() -> bool:
    """Tell whether the database driver waits with the process's greenlets, and say when it does not."""
    if psycopg.waiting.wait is getattr(psycopg.waiting, "wait_c", None):
        sys.stderr.write("psycopg waits in C: gevent was patched too late.\n")
        return False
    return True


def serve_figures(hub: Hub) -> None:
    """Serve this process's figures; those of all its brothers when they share a folder of counters.

    Brothers share one port: the first one has it, and when it dies the one that is started in its
    place takes it.
    """
    port, folder = hub.settings.metrics_port, os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if port is None:
        return
    registry = shared_registry(folder) if folder else hub.meter.registry
    figures = FigureRows(hub.database).figures
    registry.register(TableCollector(figures, checkpoint_age=hub.checkpoints.age_seconds))
    try:
        serve(registry, port=port, address=hub.settings.metrics_address)
    except OSError:
        if folder is None:
            raise


def _until_stopped(hub: Hub, loops: Sequence[Loop]) -> int:
    stopping, died = Event(), list[str]()

    def end(name: str) -> None:
        died.append(name)
        stopping.set()

    def ended(name: str, _greenlet: object) -> None:
        if not stopping.is_set():
            end(name)

    hub.committer.on_death = partial(end, "committer")
    hub.reader.on_death = partial(end, "reader")
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopping.set)
    LoopWatch().start()
    running = {loop.name: gevent.spawn(loop.run) for loop in loops}
    for name, greenlet in running.items():
        greenlet.link(partial(ended, name))
    while not stopping.wait(_LOOK_SECONDS):
        pass  # a signal alone would not keep an idle loop alive
    for name in died:
        _log.error("process.part_died", where=name)
    patience = HASTY_STOP_SECONDS if died else STOP_SECONDS
    gevent.joinall([gevent.spawn(loop.stop) for loop in loops], timeout=patience)
    gevent.joinall(list(running.values()), timeout=LAST_WORD_SECONDS)
    for writing in (hub.committer, hub.reader):
        writing.rest(LAST_WORD_SECONDS)  # what is being written is better written
    hub.database.close()
    return LOOP_DIED if died else STOPPED
