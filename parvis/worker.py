"""The worker process; its first statement makes every wait of the process cooperative."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402

import gevent  # noqa: E402
import psycopg.waiting  # noqa: E402

from orchestrator.store.figures import FigureRows  # noqa: E402
from parvis.bootstrap import Hub, open_hub  # noqa: E402
from parvis.logs import configure  # noqa: E402
from parvis.metrics import TableCollector, serve  # noqa: E402
from parvis.settings import Settings  # noqa: E402
from schemas.errors import ConfigurationError  # noqa: E402


def main() -> int:
    """Work until SIGTERM or SIGINT; returns the process's exit code."""
    if psycopg.waiting.wait is getattr(psycopg.waiting, "wait_c", None):
        sys.stderr.write("psycopg waits in C: gevent was patched too late.\n")
        return 70
    try:
        settings = Settings.read(os.environ)
    except ConfigurationError as error:
        sys.stderr.write("".join(f"{fault}\n" for fault in error.faults))
        return 78
    configure(settings.log_format)
    return _work(open_hub(settings))


def _work(hub: Hub) -> int:
    if hub.settings.metrics_port is not None:
        hub.meter.registry.register(TableCollector(FigureRows(hub.database).figures))
        serve(
            hub.meter.registry,
            port=hub.settings.metrics_port,
            address=hub.settings.metrics_address,
        )
    loops = [gevent.spawn(hub.worker.run), gevent.spawn(hub.timers.run)]
    stopping = gevent.event.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopping.set)
    for loop in loops:
        loop.link_exception(lambda _loop: stopping.set())
    stopping.wait()
    hub.timers.stop()
    hub.worker.stop(grace_seconds=45)
    gevent.joinall(loops, timeout=5)
    hub.database.close()
    return 1 if any(loop.exception for loop in loops) else 0


if __name__ == "__main__":
    sys.exit(main())
