"""``python -m parvis`` is the command line."""

from parvis.cli.main import run

run()
