"""The relay process; its first statement makes every wait of the process cooperative."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402

import gevent  # noqa: E402

from orchestrator.broker.connection import Broker  # noqa: E402
from orchestrator.store.figures import FigureRows  # noqa: E402
from parvis.bootstrap import Hub, open_hub  # noqa: E402
from parvis.logs import configure  # noqa: E402
from parvis.metrics import TableCollector, serve  # noqa: E402
from parvis.settings import Settings  # noqa: E402
from schemas.errors import ConfigurationError  # noqa: E402

NO_BROKER = "PARVIS_BROKER_URL manque : sans RabbitMQ il n'y a rien à relayer."


def main() -> int:
    """Relay until SIGTERM or SIGINT; returns the process's exit code."""
    try:
        hub = open_hub(Settings.read(os.environ))
    except ConfigurationError as error:
        return _misconfigured(*error.faults)
    if hub.broker is None:
        return _misconfigured(NO_BROKER)
    configure(hub.settings.log_format)
    return _work(hub, hub.broker)


def _misconfigured(*faults: str) -> int:
    sys.stderr.write("".join(f"{fault}\n" for fault in faults))
    return 78


def _work(hub: Hub, broker: Broker) -> int:
    if hub.settings.metrics_port is not None:
        hub.meter.registry.register(TableCollector(FigureRows(hub.database).figures))
        serve(
            hub.meter.registry,
            port=hub.settings.metrics_port,
            address=hub.settings.metrics_address,
        )
    relay, keeper = hub.relay(broker), hub.dead_letter_keeper(broker)
    loops = [gevent.spawn(relay.run), gevent.spawn(keeper.run)]
    stopping = gevent.event.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopping.set)
    for loop in loops:
        loop.link_exception(lambda _loop: stopping.set())
    stopping.wait()
    keeper.stop()
    relay.stop()
    gevent.joinall(loops, timeout=15)
    hub.database.close()
    return 1 if any(loop.exception for loop in loops) else 0


if __name__ == "__main__":
    sys.exit(main())
