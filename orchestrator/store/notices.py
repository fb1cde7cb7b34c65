"""Hearing NOTIFY: one connection listens, waits without blocking others, and drops no notice."""

from typing import Final

from gevent.socket import wait_read

from orchestrator.store.connections import Connection
from orchestrator.store.notifier import CHANNEL

# an active process whose host vanished must lose its lock in seconds, not in the system's two hours
_SHORT_SILENCE: Final = """
SELECT set_config('tcp_keepalives_idle', '2', false), set_config('tcp_keepalives_interval', '1', false),
       set_config('tcp_keepalives_count', '2', false), set_config('tcp_user_timeout', '4000', false)"""


def listen(connection: Connection) -> None:
    """Have the server tell this connection when wakes were committed."""
    connection.execute(_SHORT_SILENCE)
    connection.execute(f"LISTEN {CHANNEL}")


def wait_for_notice(connection: Connection, seconds: float) -> None:
    """Wait for a notice, ``seconds`` at most."""
    if _heard(connection):
        return
    try:
        wait_read(connection.fileno(), timeout=seconds, timeout_exc=TimeoutError)
    except TimeoutError:
        return
    _heard(connection)


def _heard(connection: Connection) -> bool:
    """Take the notices that already came, those read along with a statement's answer included."""
    return bool(sum(1 for _ in connection.notifies(timeout=0)))
