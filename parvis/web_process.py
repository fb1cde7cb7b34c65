"""One process of the web server, made by gunicorn after the fork (``parvis/gunicorn_conf.py``)."""

import os
import sys

import psycopg.waiting
from flask import Flask

from orchestrator.store.figures import FigureRows
from parvis.bootstrap import Hub, open_hub
from parvis.logs import configure
from parvis.metrics import TableCollector, serve, shared_registry
from parvis.settings import Settings
from parvis.wsgi import create_app

COOPERATION_FAILED = 70


def application() -> Flask:
    """Return the application of this process, with a hub of its own."""
    if psycopg.waiting.wait is getattr(psycopg.waiting, "wait_c", None):
        sys.stderr.write("psycopg waits in C: gevent was patched too late.\n")
        sys.exit(COOPERATION_FAILED)
    settings = Settings.read(os.environ)
    configure(settings.log_format)
    hub = open_hub(settings)
    _serve_figures(hub)
    return create_app(hub)


def _serve_figures(hub: Hub) -> None:
    """Serve the figures of all web processes from the first one that takes the port."""
    folder, port = os.environ.get("PROMETHEUS_MULTIPROC_DIR"), hub.settings.metrics_port
    if folder is None or port is None:
        return
    registry = shared_registry(folder)
    registry.register(TableCollector(FigureRows(hub.database).figures))
    try:
        serve(registry, port=port, address=hub.settings.metrics_address)
    except OSError:
        return  # another process of this server has it
