"""The relay process: carries the outbox to RabbitMQ and keeps its dead letters.

One carries at a time, by advisory lock; any other one stands by and takes over within seconds. Its first
statement makes every wait of the process cooperative.
"""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402

from parvis.bootstrap import Hub  # noqa: E402
from parvis.process import Loop, run_loops  # noqa: E402
from schemas.errors import ConfigurationError  # noqa: E402

NO_BROKER = "PARVIS_BROKER_URL manque : sans RabbitMQ il n'y a rien à relayer."


def main() -> int:
    """Relay until SIGTERM or SIGINT; returns the process's exit code."""
    return run_loops(_loops)


def _loops(hub: Hub) -> Sequence[Loop]:
    if hub.broker is None:
        raise ConfigurationError(NO_BROKER)
    relay, keeper = hub.relay(hub.broker), hub.dead_letter_keeper(hub.broker)
    return [
        Loop(name="relay", run=relay.run, stop=relay.stop),
        Loop(name="dead_letters", run=keeper.run, stop=keeper.stop),
    ]


if __name__ == "__main__":
    sys.exit(main())
