"""``python -m parvis.demo [--once] [--json] [--data DIR] [--fresh] [--port N]``."""

import argparse
import sys
from pathlib import Path

from parvis.demo.demonstration import Demonstration
from parvis.demo.options import DEFAULT_FOLDER, DemoOptions


def main() -> int:
    """Read the options and run the demonstration; returns the exit code."""
    parser = argparse.ArgumentParser(prog="parvis demo", add_help=False)
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--port", type=int)
    for flag in ("once", "json", "fresh"):
        parser.add_argument(f"--{flag}", action="store_true")
    given = parser.parse_args()
    options = DemoOptions(
        folder=given.data,
        port=given.port,
        is_once=given.once,
        is_json=given.json,
        is_fresh=given.fresh,
    )
    return Demonstration(options).run()


if __name__ == "__main__":
    sys.exit(main())
