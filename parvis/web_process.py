"""One process of the web server, made by gunicorn after the fork (``parvis/gunicorn_conf.py``)."""

import os
import sys

from flask import Flask

from parvis.blocked_loop import LoopWatch
from parvis.bootstrap import open_hub
from parvis.logs import configure
from parvis.process import COOPERATION_FAILED, serve_figures, settle_down, waits_cooperate
from parvis.settings import Settings
from parvis.wsgi import create_app


def application() -> Flask:
    """Return the application of this process, with a hub of its own."""
    if not waits_cooperate():
        sys.exit(COOPERATION_FAILED)
    settings = Settings.read(os.environ)
    configure(settings.log_format)
    hub = open_hub(settings)
    serve_figures(hub)
    made = create_app(hub)
    settle_down()
    LoopWatch().start()
    return made
