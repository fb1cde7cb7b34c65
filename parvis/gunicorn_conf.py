"""How gunicorn serves the hub; its first statement makes every wait of the process cooperative.

``parvis serve`` gives this file to gunicorn. Nothing is opened before the fork: each process makes
its hub, its database connections and its counters when it loads the application.
"""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from parvis.logs import configure  # noqa: E402
from parvis.settings import Settings  # noqa: E402

_settings = Settings.read(os.environ)
configure(_settings.log_format)
if _settings.idp_url:  # takes seconds to load: once, before the fork
    import identity.saml.provider  # noqa: F401
_memory = Path("/dev/shm")  # noqa: S108 - the heartbeat file of gunicorn must not be on a disk

wsgi_app = "parvis.web_process:application()"
bind = [_settings.bind]
workers = _settings.web_processes
worker_class = "parvis.gunicorn_worker.Worker"
worker_connections = 1000
preload_app = False
worker_tmp_dir = str(_memory) if _memory.is_dir() else None
control_socket_disable = True

timeout = 10  # a process that burns its processor that long is replaced
graceful_timeout = 30  # above the longest request: ten seconds of body, then a commit
keepalive = 15  # also how long the head of a request may take

limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190

accesslog = None  # addresses and queries are nobody's business; figures are counted instead
errorlog = "-"
logger_class = "parvis.gunicorn_worker.Log"
loglevel = "warning"


def child_exit(_server: Any, worker: Any) -> None:
    """Forget the gauges of a process that ended; its counters stay."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess  # noqa: PLC0415 - only where figures are shared

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
