"""``python -m parvis.demo [--once] [--json] [--data DIR] [--fresh] [--port N] [--identity keycloak]``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from parvis.demo.demonstration import Demonstration
from parvis.demo.options import DEFAULT_FOLDER, DOUBLE, KEYCLOAK, KEYCLOAK_FOLDER, DemoOptions

USAGE = (
    "Usage : parvis demo [--once] [--json] [--data DOSSIER] [--fresh] [--port PORT] "
    "[--identity double|keycloak]"
)
MISTYPED = 2


def main(arguments: Sequence[str]) -> int:
    """Read the options and run the demonstration; returns the exit code."""
    return Demonstration(read_options(arguments)).run()


def read_options(arguments: Sequence[str]) -> DemoOptions:
    """Read the options; what cannot be read ends the program with a French sentence."""
    parser = _Parser(prog="parvis demo", add_help=False, allow_abbrev=False)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--identity", choices=(DOUBLE, KEYCLOAK), default=DOUBLE)
    parser.add_argument("--port", type=_port)
    for flag in ("once", "json", "fresh"):
        parser.add_argument(f"--{flag}", action="store_true")
    given = parser.parse_args(arguments)
    is_real = given.identity == KEYCLOAK
    return DemoOptions(
        folder=given.data or (KEYCLOAK_FOLDER if is_real else DEFAULT_FOLDER),
        port=given.port,
        is_once=given.once,
        is_json=given.json,
        is_fresh=given.fresh or is_real,
        is_real_keycloak=is_real,
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        del message  # the library's English
        sys.stderr.write(f"Option mal écrite.\n{USAGE}\n")
        raise SystemExit(MISTYPED)


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise ValueError(text)
    return port


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
